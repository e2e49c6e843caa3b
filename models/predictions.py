"""A table of predictions, with no model: decisions or scores beside the truth and the people. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import decisions as words
from .batch import UNKNOWN, Batch
from .design import NOTHING, Design
from .errors import DataError
from .labels import group_codes, numbers, written
from .roles import Roles
from .spec import Attribute, Split
from .tables import column, read_table
from .task import Binary, Ranking, Regression, Task

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class PredictionData:
    """Rows of which only the truth, the prediction and the people are known.

    Attributes:
        targets: [n] class codes (`UNKNOWN` = no label) or values (NaN = none); None without labels.
        groups: [n, attributes] codes; `UNKNOWN` = not known.
        scores: [n] probability of the positive class, predicted value, or what orders a ranking; None with decisions.
        decisions: [n] class codes, or None where scores are given.
        people: the sensitive attributes.
        split: whether the rows were held out.
        origin: where they come from, in words.
        design: weights, clusters, controls, windows and lists, where there are any.
    """

    targets: NDArray[Any] | None
    groups: NDArray[np.int64]
    scores: NDArray[np.float64] | None
    decisions: NDArray[np.int64] | None
    people: tuple[Attribute, ...] = ()
    split: Split = "unknown"
    origin: str = ""
    design: Design = NOTHING

    @property
    def controls(self) -> tuple[Attribute, ...]:
        return self.design.controls

    @property
    def window(self) -> Attribute | None:
        return self.design.window

    def __len__(self) -> int:
        return len(self.groups)

    def batches(self, size: int) -> Iterator[Batch]:
        columns = {
            "targets": self.targets,
            "groups": self.groups,
            "scores": self.scores,
            "decisions": self.decisions,
        }
        for start in range(0, len(self), size):
            cut = slice(start, min(start + size, len(self)))
            there: dict[str, Any] = {n: None if values is None else values[cut] for n, values in columns.items()}
            yield Batch(rows=np.arange(cut.start, cut.stop), inputs=(), **there, **self.design.batch(cut))


def read_predictions(
    table: DataFrame | Path | str,
    *,
    target: str | None = None,
    prediction: str | None = None,
    score: str | None = None,
    threshold: float = 0.5,
    sensitive: Sequence[str] = (),
    positive: object = None,
    levels: Mapping[str, Sequence[str]] | None = None,
    split: Split = "unknown",
    task: str = "binary",
    classes: Sequence[str] | None = None,
    weight: str | None = None,
    cluster: str | None = None,
    control: Sequence[str] = (),
    window: str | None = None,
    every: str | None = None,
    query: str | None = None,
    top: int = 0,
) -> tuple[PredictionData, Task]:
    """Rows of a table of predictions, and the task that they are for.

    Args:
        table: a frame, or the path of a CSV or Parquet file.
        target: the column of true labels, values or relevances; blank = unknown. None where there are none: then only
            what needs no label is measured.
        prediction: the column of decisions, in the same words as the target; in a regression of predicted values.
        score: the column of probabilities of the positive label, instead of decisions (or beside them, if they agree);
            in a ranking of what orders the rows.
            In a CSV all other columns are text: "01" is not "1", and only blank cells are unknown.
        threshold: a row is decided positive when its score reaches it.
        sensitive: the columns of sensitive attributes; blank = unknown.
        positive: the positive label, or several in a list; every other label is then negative. 1 and True need not be
            named.
        levels: attribute or control -> its levels, where they are declared beforehand.
        split: whether the rows were held out from training.
        task: "binary", "multiclass", "regression" or "ranking"; never inferred.
        classes: the classes of a multiclass task, where they are declared beforehand.
        weight: the column that says how many rows of the population each row stands for.
        cluster: the column that names what rows hang together in: a person with many rows.
        control: the columns that comparisons are held fixed in; blank = unknown.
        window: the column of periods, or of times that `every` cuts into periods.
        every: "day", "week", "month", "quarter" or "year".
        query: the column that names the list of a ranking; None where all rows are one list.
        top: how many of each list count as selected; 0 for a tenth of it.

    Raises:
        DataError: the table cannot be read so.
    """
    others = {"weight": weight, "cluster": cluster, "window": window, "every": every, "query": query, "kind": task}
    roles = Roles(target, prediction, score, tuple(sensitive), control=tuple(control), **others)  # pyright: ignore[reportArgumentType]
    frame, origin = _open(table, roles.columns)
    kind, said = _said(frame, roles, positive, threshold, classes, top)
    people, groups = group_codes({name: column(frame, name) for name in roles.sensitive}, len(frame), levels)
    data = PredictionData(
        groups=groups,
        people=people,
        split=split,
        origin=origin,
        design=Design.of_columns(frame, roles, levels),
        **said,
    )
    return data, kind


def _open(table: DataFrame | Path | str, wanted: list[str]) -> tuple[DataFrame, str]:
    if isinstance(table, (str, Path)):
        return read_table(Path(table), wanted), f"predictions in {Path(table).name}"
    if len(table) == 0:
        raise DataError("the table has no rows; give at least one")
    return table, "predictions in a data frame"


def _said(
    frame: DataFrame, roles: Roles, positive: object, threshold: float, classes: Sequence[str] | None, top: int
) -> tuple[Task, dict[str, Any]]:
    """The task, and what is true and what was said of each row."""
    target, prediction, score = roles.target, roles.prediction, roles.score
    truth = None if target is None else column(frame, target)
    if roles.kind in ("regression", "ranking"):
        name = prediction or score
        assert name is not None
        values = None if target is None else numbers(target, written(target, truth))
        task = Regression() if roles.kind == "regression" else Ranking(top)
        if isinstance(task, Ranking) and target is not None and values is not None:
            _relevances(target, values)
        return task, {"targets": values, "scores": _values(name, column(frame, name)), "decisions": None}
    decided = None if prediction is None else column(frame, prediction)
    if roles.kind == "multiclass":
        both = {name: values for name, values in ((target, truth), (prediction, decided)) if name is not None}
        kind = words.multiclass({name: values for name, values in both.items() if values is not None}, classes)
    else:
        kind = words.binary(target, truth, prediction, decided, positive, threshold)
    targets = None if target is None or truth is None else words.codes(target, truth, kind, positive)
    decisions = (
        None
        if prediction is None or decided is None
        else _complete(prediction, words.codes(prediction, decided, kind, positive))
    )
    scores = None if score is None else _scores(score, column(frame, score))
    if scores is not None and decisions is not None and isinstance(kind, Binary):
        words.agree(scores, decisions, kind)
        decisions = None
    return kind, {"targets": targets, "scores": scores, "decisions": decisions}


def _relevances(name: str, values: NDArray[np.float64]) -> None:
    if (values < 0).any():
        row = int((values < 0).argmax())
        raise DataError(f"column '{name}' is {values[row]:g} at row {row}; relevances are numbers of 0 or more")


def _values(name: str, values: Any) -> NDArray[np.float64]:
    found = numbers(name, written(name, values))
    _complete(name, np.where(np.isnan(found), UNKNOWN, 0))
    return found


def _complete(name: str, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    missing = codes == UNKNOWN
    if missing.any():
        raise DataError(
            f"column '{name}' has no value in {int(missing.sum()):,} of {len(codes):,} rows (first: row "
            f"{int(missing.argmax())}); fill them in, or leave those rows out"
        )
    return codes


def _scores(name: str, values: Any) -> NDArray[np.float64]:
    scores = _values(name, values)
    if scores.min() < 0 or scores.max() > 1:
        raise DataError(
            f"column '{name}' runs from {scores.min():g} to {scores.max():g}, so it holds no probabilities; scale it "
            f"to 0 to 1, or pass a column of decisions with --prediction"
        )
    return scores
