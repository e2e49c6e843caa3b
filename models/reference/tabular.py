"""UCI Adult: a network of embeddings and numbers that says who earns over 50,000 dollars [becker1996].

Data: the published split, 32,561 training and 16,281 held-out rows. `fnlwgt`, a sampling weight, is left out.
Sensitive: sex and race, which the network sees, as a careless owner's would.
Architecture: `network.TabularNetwork`, 128-64, dropout 0.2; AdamW, one cycle, 10 epochs.
Expected on the held-out rows: accuracy 85.9 %, AUC 0.912. Trains in about 4 s on 2 cores, once Fabric is imported.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from ..checkpoint import load
from ..data import TensorData
from ..datasets import adult
from ..frames import Encoding, fit_encoding, from_frame
from ..subject import Card, Subject
from ..task import Binary
from ..training import fit
from .network import TabularNetwork

EPOCHS = 10
TASK = Binary(positive=adult.POSITIVE, negative=adult.NEGATIVE)
CARD = Card(
    purpose="Shows what an audit finds in a plain income model. It decides nothing about anyone.",
    owner="gnomon's reference subjects",
    version="1",
    out_of_scope="Any decision about a person: the data is US census data of 1994.",
    data="UCI Adult / Census Income (Becker & Kohavi 1996), CC BY 4.0: 32,561 rows to train, 16,281 to judge.",
)


def subject(
    folder: Path | str | None = None,
    seed: int = 0,
    *,
    download: bool = False,
    weights: Path | str | None = None,
    rows: Literal["test", "all"] = "test",
    epochs: int = EPOCHS,
    progress: bool = False,
) -> Subject:
    """The income network, trained, and the rows that it is judged on.

    Args:
        folder: with adult.data and adult.test; None: see `gnomon.models.datasets.files.fetch`.
        seed: of the first weights and the training.
        download: ask the publisher for files that are not at hand.
        weights: load these instead of training.
        rows: judge it on the held-out rows, or on all 48,842, which count as training rows then.
        epochs: passes over the training rows.
        progress: show a bar on stderr.

    Raises:
        DataError: the files are not at hand.
        CheckpointError: the weights do not fit.
    """
    frame = adult.load(folder, download=download)
    learned, held = frame.query("split == 'train'"), frame.query("split == 'test'")
    encoding = fit_encoding(learned, numeric=adult.NUMERIC, categorical=adult.CATEGORICAL, units=adult.UNITS)
    read = partial(
        from_frame, encoding=encoding, target=adult.TARGET, sensitive=adult.SENSITIVE, task=TASK, levels=adult.LEVELS
    )
    train = read(learned, split="train", origin="UCI Adult, adult.data")
    judged = (
        read(held, split="test", origin="UCI Adult, adult.test")
        if rows == "test"
        else read(frame, split="train", origin="UCI Adult, both files")
    )
    return Subject(
        name="adult",
        data=judged,
        task=TASK,
        model=trained(encoding, train, seed, weights=weights, epochs=epochs, progress=progress),
        output="logit",
        inputs=(encoding.spec,),
        train=train,
        card=CARD,
    )


def trained(
    encoding: Encoding,
    data: TensorData,
    seed: int,
    *,
    weights: Path | str | None = None,
    epochs: int = EPOCHS,
    hidden: tuple[int, ...] = (128, 64),
    progress: bool = False,
) -> TabularNetwork:
    """A network for the encoding's columns, trained on rows that all have a label, or loaded; in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TabularNetwork(len(encoding.numbers), encoding.sizes, hidden)
    if weights is not None:
        load(network, weights)
        return network.eval()
    assert isinstance(data.inputs, tuple)  # as from_frame makes them
    assert data.targets is not None
    fit(
        network,
        data.inputs,
        torch.from_numpy(data.targets).float(),
        loss=nn.functional.binary_cross_entropy_with_logits,
        epochs=epochs,
        batch_size=256,
        lr=4e-3,
        weight_decay=0.05,
        seed=seed,
        progress=progress,
    )
    return network.eval()
