"""The simulated credit population: a network that learns from the books who repays. Needs no file and no network.

Data: `datasets.simulated.credit`, whose formulas say what is true: women repay less often because they earn less, the
books are wrong more often about foreigners, the postcode tells the origin. 20,000 rows to train, 20,000 to judge, drawn
apart. The network sees income, debt, late payments, employment, postcode and age, but neither sex nor origin.
Architecture: `network.TabularNetwork`, 32-16, dropout 0.2; AdamW, one cycle, 6 epochs.
Expected on the held-out rows: accuracy 75 %, AUC 0.80. Trains in about 1 s on 2 cores, once Fabric is imported.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..datasets import simulated
from ..frames import fit_encoding, from_frame
from ..subject import Card, Subject
from ..task import Binary
from .tabular import trained

ROWS = 20_000
EPOCHS = 6
TASK = Binary(positive="repaid", negative="defaulted")  # 1 and 0 in the books
CARD = Card(
    purpose="Shows an audit where the truth is known. It decides nothing about anyone.",
    owner="gnomon's reference subjects",
    version="1",
    out_of_scope="Any decision about a person: the population is simulated.",
    data="Simulated; the formulas stand in gnomon.models.datasets.simulated.",
)


def subject(
    folder: Path | str | None = None,  # noqa: ARG001 — every demo takes one; this one needs no files
    seed: int = 0,
    *,
    download: bool = False,  # noqa: ARG001 — as above
    weights: Path | str | None = None,
    rows: int = ROWS,
    epochs: int = EPOCHS,
    progress: bool = False,
) -> Subject:
    """The credit network, trained, and the rows that it is judged on.

    Args:
        folder: not needed.
        seed: of the population, the first weights and the training.
        download: not needed.
        weights: load these instead of training.
        rows: to train, and as many to judge.
        epochs: passes over the training rows.
        progress: show a bar on stderr.

    Raises:
        DataError: fewer than one row is asked for.
        CheckpointError: the weights do not fit.
    """
    population = simulated.credit(2 * rows, seed)
    learned, held = population.iloc[:rows], population.iloc[rows:]
    encoding = fit_encoding(
        learned, numeric=simulated.NUMERIC, categorical=simulated.CATEGORICAL, units=simulated.UNITS
    )
    read = partial(
        from_frame,
        encoding=encoding,
        target=simulated.TARGET,
        sensitive=simulated.SENSITIVE,
        task=TASK,
        levels=simulated.LEVELS,
    )
    train = read(learned, split="train", origin=f"simulated, seed {seed}, the first {rows:,} people")
    return Subject(
        name="credit",
        data=read(held, split="test", origin=f"simulated, seed {seed}, the {rows:,} people after the training rows"),
        task=TASK,
        model=trained(encoding, train, seed, weights=weights, epochs=epochs, hidden=(32, 16), progress=progress),
        output="logit",
        inputs=(encoding.spec,),
        train=train,
        reference={"sex": {"Female": simulated.FEMALE, "Male": 1 - simulated.FEMALE}},
        card=CARD,
    )
