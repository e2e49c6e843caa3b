"""Labels and decisions of a table read as two classes, or as several. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .batch import UNKNOWN
from .errors import DataError
from .labels import MOST_LEVELS, code, listed
from .places import rank, text
from .positive import Positive
from .task import Binary, Multiclass

if TYPE_CHECKING:
    from pandas import Series

_CONVENTIONS = (("0", "1"), ("False", "True"))  # label pairs whose positive one goes without saying


def binary(
    target: str | None,
    said: Series | None,
    prediction: str | None,
    decided: Series | None,
    positive: object,
    threshold: float,
) -> Binary:
    """The two classes of a table: the positive label, and what every other one is called.

    Args:
        target: the column of labels, and said: its values; None where no label is known.
        prediction: the column of decisions, and decided: its values; None where there are scores.
        positive: the positive label, or several, where they are named.
        threshold: from which score on a decision is positive.

    Raises:
        DataError: no label, more than two without a word on which is positive, or decisions in other words.
    """
    labels = () if target is None else code(target, said, most=None).levels
    voiced = () if decided is None or prediction is None else code(prediction, decided, most=None).levels
    if target is not None and not labels:
        raise DataError(f"column '{target}' has no label in any row; name the column of true labels")
    _refuse_scores(prediction, voiced, labels)
    name, words = (target, labels) if target is not None else (prediction, voiced)
    if name is None:  # scores alone
        yes = "1" if positive is None else Positive.of(positive).name
        return Binary(yes, _fallback(yes), threshold)
    if positive is not None and len(Positive.of(positive).labels) > 1:
        return _joined(name, dict.fromkeys((*voiced, *labels)), Positive.of(positive), threshold)
    yes = _positive(name, words, {_same(label) for label in (*labels, *voiced)}, positive)
    others = {_same(label): label for label in (*voiced, *labels) if _same(label) != _same(yes)}
    if target is not None and len(labels) <= 2 and len(others) > 1:
        strange = [label for label in voiced if _same(label) not in {*map(_same, labels), _same(yes)}]
        raise DataError(
            f"column '{prediction}' has values {listed(strange)} that never occur in '{target}' ({listed(labels)}); "
            f"write decisions in the words of the labels"
        )
    no = _fallback(yes) if not others else next(iter(others.values())) if len(others) == 1 else f"not {yes}"
    return Binary(yes, no, threshold)


def _joined(column: str, labels: Iterable[str], positive: Positive, threshold: float) -> Binary:
    """The two classes where several labels are positive; decisions and labels have more words than two."""
    known = {_same(label): label for label in labels}
    for label in positive.labels:
        if _same(label) not in known:
            raise DataError(
                f"'{label}' is no label of column '{column}'; pass --positive with some of "
                f"{listed(list(known.values()))}"
            )
    wanted = set(map(_same, positive.labels))
    return Binary(
        positive.name, positive.negative({label for key, label in known.items() if key not in wanted}), threshold
    )


def multiclass(columns: dict[str, Series], classes: Sequence[str] | None = None) -> Multiclass:
    """The classes of a table: those declared, or all that occur as label or decision.

    Args:
        columns: the columns of labels and decisions, by name.
        classes: all classes, in order, where they are declared.

    Raises:
        DataError: only one class occurs.
    """
    if classes is not None:
        return Multiclass(tuple(text(name) for name in classes))
    found = {level for name, values in columns.items() for level in code(name, values, most=None).levels}
    if len(found) < 2:
        raise DataError(
            f"columns {listed(list(columns))} hold only the class {listed(sorted(found)) or 'blank'}; a comparison "
            f"needs two, so give more rows or declare the classes"
        )
    if len(found) > MOST_LEVELS:
        raise DataError(
            f"columns {listed(list(columns))} hold {len(found):,} classes, more than {MOST_LEVELS:,}; where they are "
            f"numbers to predict, pass --task regression"
        )
    return Multiclass(tuple(sorted(found, key=rank)))


def codes(name: str, values: Series, task: Binary | Multiclass, positive: object = None) -> NDArray[np.int64]:
    """[n] class codes; `UNKNOWN` where there is no label.

    Args:
        positive: the positive labels of a binary task, where they are not called as its positive class is.

    Raises:
        DataError: a class that is not declared.
    """
    if isinstance(task, Binary):
        return binary_codes(name, values, (task.positive,) if positive is None else Positive.of(positive).labels)
    return code(name, values, task.classes).codes


def _fallback(yes: str) -> str:
    """What rows are called that are not positive, where nothing else names them."""
    return next((no for no, other in _CONVENTIONS if other == yes), f"not {yes}")


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
        wanted = Positive.of(positive).name
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


def binary_codes(name: str, values: Series, positive: Sequence[str]) -> NDArray[np.int64]:
    """[n] 1 for a positive label, 0 for every other, `UNKNOWN` for none; 1, "1" and True are one label."""
    coded, wanted = code(name, values, most=None), set(map(_same, positive))
    yes = np.array([*(int(_same(level) in wanted) for level in coded.levels), UNKNOWN], dtype=np.int64)
    return yes[coded.codes]


def agree(scores: NDArray[np.float64], decisions: NDArray[np.int64], task: Binary) -> None:
    """See that decisions are what the scores say at the threshold: p ≥ t.

    Raises:
        DataError: they are not.
    """
    apart = (scores >= task.threshold) != (decisions == 1)
    if apart.any():
        raise DataError(
            f"predictions and scores disagree at threshold {task.threshold:g} in {int(apart.sum()):,} rows (first: row "
            f"{int(apart.argmax())}); pass one of the two, or the threshold that was used"
        )
