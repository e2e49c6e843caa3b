"""The demos by name. Loads no torch before one is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from ..errors import SubjectError
from ..subject import Subject

DEMOS: dict[str, tuple[str, str]] = {  # name -> (module, one line)
    "credit": ("credit", "a simulated credit population whose truth is known; needs no file and no network"),
    "adult": ("tabular", "UCI Adult: who earns over 50,000 dollars; 48,842 people, sex and race known"),
    "mnist": ("image", "MNIST: handwritten digits by the 784-128-64-10 network"),
}


def subject(name: str, *, folder: Path | str | None = None, seed: int = 0, download: bool = False) -> Subject:
    """Train a demo's model and hand out the subject.

    Args:
        name: a key of `DEMOS`.
        folder: holds the data set's files; None: see `gnomon.models.datasets.files.fetch`.
        seed: of the training, and of a simulation.
        download: ask the publisher for files that are not at hand.

    Raises:
        SubjectError: there is no such demo.
        DataError: its files are not at hand.
    """
    if name not in DEMOS:
        near = get_close_matches(name.casefold(), DEMOS, n=1)
        way_out = f"did you mean '{near[0]}'?" if near else f"say one of {', '.join(DEMOS)}"
        raise SubjectError(f"there is no demo '{name}'; {way_out}")
    module = import_module(f".{DEMOS[name][0]}", __package__)
    return module.subject(folder, seed, download=download)
