"""A training under way, on disk: what it takes to go on after a kill with the same bits."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from torch import nn

from .checkpoint import digest, read_tensors, replacing
from .errors import CheckpointError

FORMAT = "gnomon training 1"
Weights = dict[str, Any]
"""A state dict: tensors by name, and what a module adds as extra state."""

Entry = tuple[int, float, float | None, float]


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A training after a whole epoch. No generator's state: an epoch's randomness comes from seed and number.

    Attributes:
        identity: settings, architecture, loss, transform and data: what must be the same for the run to go on.
        history: number, loss, validation loss and seconds of each epoch.
        weights: after the last epoch.
        best: after the best epoch; None where that is the last.
        optimizer: AdamW's moments.
        scaler: the gradient scaler's state; empty without one.
    """

    identity: dict[str, str]
    history: list[Entry]
    weights: Weights
    best: Weights | None
    optimizer: dict[str, Any]
    scaler: dict[str, Any]


def save(path: Path, run: SavedRun) -> None:
    """Write the run, or leave the file as it was.

    Raises:
        CheckpointError: it cannot be written.
    """
    content = {entry.name: getattr(run, entry.name) for entry in fields(run)}
    with replacing(path) as temporary:
        torch.save({"format": FORMAT, **content}, temporary)


def load(path: Path, identity: dict[str, str]) -> SavedRun:
    """The run in this file, if it is the same run.

    Raises:
        CheckpointError: the file is damaged, or is of another run: its settings, architecture, loss, transform or data.
    """
    content = read_tensors(path)
    if content.pop("format", None) != FORMAT or content.keys() != {entry.name for entry in fields(SavedRun)}:
        raise CheckpointError(f"{path} is not a training to go on with; give another file as checkpoint, or delete it")
    saved = SavedRun(**content)
    for name, here in identity.items():
        there = saved.identity.get(name)
        if there != here:
            what = f"{name} {there} there, {here} here" if max(len(str(there)), len(here)) < 40 else f"other {name}"
            raise CheckpointError(
                f"{path} is of another training ({what}); delete it, or give another file as checkpoint"
            )
    return saved


def described(part: object) -> str:
    """A loss or a transform in words that are the same in another process: its name, repr, plain attributes, code.

    The code tells two lambdas apart, the attributes what a repr leaves out, as CrossEntropyLoss its label smoothing.
    """
    name = getattr(part, "__qualname__", type(part).__qualname__)
    plain = {name: value for name, value in vars(part).items() if _plain(value)} if hasattr(part, "__dict__") else {}
    words = [name, printed(part), str(sorted(plain.items()))]
    if isinstance(part, nn.Module):
        words.append(digest(part))
    if isinstance(code := getattr(part, "__code__", None), CodeType):
        words.append(hashlib.sha256(_code(code).encode()).hexdigest())
    return " ".join(words)


def printed(part: object) -> str:
    """Its repr without the addresses of objects, which are others in each process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(part))


def _plain(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _code(code: CodeType) -> str:
    """What a function does, without where it stands: the functions inside it are constants of it."""
    constants = [_code(c) if isinstance(c, CodeType) else printed(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"
