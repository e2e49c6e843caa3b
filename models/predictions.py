"""A table of predictions, with no model: decisions or scores beside the truth and the people. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .batch import UNKNOWN, Batch
from .data import group_codes
from .errors import DataError
from .labels import code, listed, numbers, text, written
from .spec import Attribute, Split
from .tables import column, read_table
from .task import Binary

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_CONVENTIONS = (("0", "1"), ("False", "True"))  # label pairs whose positive one goes without saying


@dataclass(frozen=True, slots=True)
class PredictionData:
    """Rows of which only the truth, the prediction and the people are known.

    Attributes:
        targets: [n] class codes; `UNKNOWN` = no label.
        groups: [n, attributes] codes; `UNKNOWN` = not known.
        scores: [n] probability of the positive class, or None.
        decisions: [n] class codes, or None where scores are given.
        people: the sensitive attributes.
        split: whether the rows were held out.
        origin: where they come from, in words.
    """

    targets: NDArray[np.int64]
    groups: NDArray[np.int64]
    scores: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None
    people: tuple[Attribute, ...] = ()
    split: Split = "unknown"
    origin: str = ""

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, size: int) -> Iterator[Batch]:
        for start in range(0, len(self), size):
            cut = slice(start, min(start + size, len(self)))
            yield Batch(
                rows=np.arange(cut.start, cut.stop),
                inputs=(),
                targets=self.targets[cut],
                groups=self.groups[cut],
                scores=None if self.scores is None else self.scores[cut],
                decisions=None if self.decisions is None else self.decisions[cut],
            )


def read_predictions(
    table: DataFrame | Path | str,
    *,
    target: str,
    prediction: str | None = None,
    score: str | None = None,
    threshold: float = 0.5,
    sensitive: Sequence[str] = (),
    positive: object = None,
    levels: Mapping[str, Sequence[str]] | None = None,
    split: Split = "unknown",
) -> tuple[PredictionData, Binary]:
    """Rows of a table of predictions, and the binary task that they are for.

    Args:
        table: a frame, or the path of a CSV or Parquet file.
        target: the column of true labels; blank = unknown.
        prediction: the column of decisions, in the same words as the target.
        score: the column of probabilities of the positive label, instead of decisions (or beside them, if they agree).
            In a CSV all other columns are text: "01" is not "1", and only blank cells are unknown.
        threshold: a row is decided positive when its score reaches it.
        sensitive: the columns of sensitive attributes; blank = unknown.
        positive: the positive label; every other label is then negative. 1 and True need not be named.
        levels: attribute -> its levels, where they are declared beforehand.
        split: whether the rows were held out from training.

    Raises:
        DataError: the table cannot be read so.
    """
    if prediction is None and score is None:
        raise DataError("neither predictions nor scores are named; pass --prediction COLUMN or --score COLUMN")
    wanted = [target, *(name for name in (prediction, score) if name is not None), *sensitive]
    frame, origin = _open(table, wanted)
    said = column(frame, target)
    decided = None if prediction is None else column(frame, prediction)
    task = _task(target, said, prediction, decided, positive, threshold)
    truth = _codes(target, said, task)
    decisions = (
        None if decided is None or prediction is None else _complete(prediction, _codes(prediction, decided, task))
    )
    scores = None if score is None else _scores(score, column(frame, score))
    if scores is not None and decisions is not None:
        _agree(scores, decisions, task)
        decisions = None
    people, groups = group_codes({name: column(frame, name) for name in sensitive}, len(frame), levels)
    return PredictionData(truth, groups, scores, decisions, people, split, origin), task


def _open(table: DataFrame | Path | str, wanted: list[str]) -> tuple[DataFrame, str]:
    if isinstance(table, (str, Path)):
        return read_table(Path(table), wanted), f"predictions in {Path(table).name}"
    if len(table) == 0:
        raise DataError("the table has no rows; give at least one")
    return table, "predictions in a data frame"


def _task(
    target: str, said: Series, prediction: str | None, decided: Series | None, positive: object, threshold: float
) -> Binary:
    labels = code(target, said, most=None).levels
    if not labels:
        raise DataError(f"column '{target}' has no label in any row; name the column of true labels")
    voiced = () if decided is None or prediction is None else code(prediction, decided, most=None).levels
    yes = _positive(target, labels, {_same(label) for label in (*labels, *voiced)}, positive)
    _refuse_scores(prediction, voiced, labels)
    others = {_same(label): label for label in (*voiced, *labels) if _same(label) != _same(yes)}
    if len(labels) <= 2 and len(others) > 1:
        strange = [label for label in voiced if _same(label) not in {*map(_same, labels), _same(yes)}]
        raise DataError(
            f"column '{prediction}' has values {listed(strange)} that never occur in '{target}' ({listed(labels)}); "
            f"write decisions in the words of the labels"
        )
    fallback = next((no for no, other in _CONVENTIONS if other == yes), f"not {yes}")
    no = fallback if not others else next(iter(others.values())) if len(others) == 1 else f"not {yes}"
    return Binary(yes, no, threshold)


def _refuse_scores(prediction: str | None, voiced: tuple[str, ...], labels: tuple[str, ...]) -> None:
    known = {_same(label) for label in labels}
    scores = [label for label in voiced if _is_fraction(label) and _same(label) not in known]
    if scores:
        raise DataError(
            f"column '{prediction}' holds {listed(scores, 3)}, which are scores and no decisions; pass it as "
            f"--score {prediction} instead of --prediction"
        )


def _is_fraction(label: str) -> bool:
    try:
        return float(label) % 1 > 0
    except ValueError:
        return False


def _positive(target: str, labels: tuple[str, ...], vocabulary: set[str], positive: object) -> str:
    if positive is not None:
        wanted = text(positive)
        exact = [label for label in labels if label == wanted] or [
            label for label in labels if _same(label) == _same(wanted)
        ]
        if exact or _same(wanted) in vocabulary:
            return exact[0] if exact else wanted
        raise DataError(f"'{wanted}' is no label of column '{target}'; pass --positive with one of {listed(labels)}")
    known = {_same(label): label for label in labels}
    if set(known) <= {"0", "1"}:
        return known.get("1") or dict(_CONVENTIONS).get(known["0"].capitalize(), "1")
    if len(labels) != 2:
        raise DataError(
            f"column '{target}' is not binary: its {len(labels):,} labels are {listed(labels)}; say which one is "
            f"positive with --positive, and every other one counts as negative (leave labels blank that are not known)"
        )
    raise DataError(f"column '{target}' has labels {listed(labels)}; say which one is positive with --positive")


def _same(label: str) -> str:
    """One name for labels that mean the same: 1, 1.0, "1" and True."""
    folded = {"true": "1", "false": "0"}.get(label.strip().casefold(), label.strip())
    try:
        return text(float(folded))
    except ValueError:
        return folded


def _codes(name: str, values: Series, task: Binary) -> NDArray[np.int64]:
    coded = code(name, values, most=None)
    yes = np.array([*(int(_same(level) == _same(task.positive)) for level in coded.levels), UNKNOWN], dtype=np.int64)
    return yes[coded.codes]


def _complete(name: str, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    missing = codes == UNKNOWN
    if missing.any():
        raise DataError(
            f"column '{name}' has no value in {int(missing.sum()):,} of {len(codes):,} rows (first: row "
            f"{int(missing.argmax())}); fill them in, or leave those rows out"
        )
    return codes


def _scores(name: str, values: Series) -> NDArray[np.float64]:
    scores = numbers(name, written(name, values))
    _complete(name, np.where(np.isnan(scores), UNKNOWN, 0))
    if scores.min() < 0 or scores.max() > 1:
        raise DataError(
            f"column '{name}' runs from {scores.min():g} to {scores.max():g}, so it holds no probabilities; scale it "
            f"to 0 to 1, or pass a column of decisions with --prediction"
        )
    return scores


def _agree(scores: NDArray[np.float64], decisions: NDArray[np.int64], task: Binary) -> None:
    apart = (scores >= task.threshold) != (decisions == 1)
    if apart.any():
        raise DataError(
            f"predictions and scores disagree at threshold {task.threshold:g} in {int(apart.sum()):,} rows (first: row "
            f"{int(apart.argmax())}); pass one of the two, or the threshold that was used"
        )
