"""Plain arrays as the codes that a table of counts is made of. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.batch import UNKNOWN
from ....models.errors import DataError
from ....models.labels import attribute, code, listed, narrow, numbers
from ....models.places import rank
from ....models.positive import Positive
from ....models.spec import Attribute

Codes = NDArray[Any]  # [n] whole numbers of any width


def length(**columns: Any) -> int:
    """How many rows there are.

    Raises:
        DataError: columns differ in length, or nothing tells decisions.
    """
    lengths = {name: len(column) for name, column in columns.items() if column is not None}
    if not ({"prediction", "scores"} & set(lengths)):
        raise DataError("neither predictions nor scores are given; give one of the two")
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise DataError(f"columns differ in length ({told} rows); give one of each a row")
    n = next(iter(lengths.values()))
    if not n:
        raise DataError("there are no rows; give at least one")
    return n


def groups(
    columns: Mapping[str, Any], n: int, levels: Mapping[str, Sequence[str]] | None
) -> tuple[tuple[Attribute, ...], list[Codes]]:
    """Sensitive columns as attributes and codes, one array a column.

    Raises:
        DataError: another number of rows, a value that is not declared, or a column without any.
    """
    coded = {name: narrow(name, values, (levels or {}).get(name)) for name, values in columns.items()}
    for name, column in coded.items():
        if len(column) != n:
            raise DataError(f"attribute '{name}' has {len(column)} values for {n} rows; give one a row")
    return tuple(attribute(name, column) for name, column in coded.items()), [c.codes for c in coded.values()]


def probabilities(scores: Any) -> NDArray[np.float64]:
    """Scores as probabilities.

    Raises:
        DataError: one is blank, or not between 0 and 1.
    """
    found = numbers("scores", scores)
    bad = ~((found >= 0) & (found <= 1))
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"score {found[row]} at row {row} is no probability; scale scores to 0 to 1 and leave none blank"
        )
    return found


def classes(
    target: Any, prediction: Any, score: NDArray[np.float64] | None, threshold: float, positive: object, n: int
) -> tuple[tuple[str, ...], Codes, Codes]:
    """The classes, and truth and decision of each row as codes of them.

    Raises:
        DataError: a decision is blank, the positive label never occurs, several classes come without decisions, or
            the threshold is no probability.
    """
    if positive is None:
        return _several(target, prediction, n)
    wanted = Positive.of(positive)
    truth, others = (
        (np.full(n, UNKNOWN, np.int8), set[str]()) if target is None else yes_or_no("target", target, wanted)
    )
    if prediction is None:
        assert score is not None
        require_probability(threshold)
        decided = (score >= threshold).view(np.int8)
    else:
        decided, more = yes_or_no("prediction", prediction, wanted)
        others |= more
        complete(decided)
    said = prediction is not None or (truth >= 0).any()
    if said and not ((truth == 1).any() or (prediction is not None and (decided == 1).any())):
        require_known(wanted, others)
    return (wanted.negative(others), wanted.name), truth, decided


def require_probability(threshold: float) -> None:
    """See that scores can reach a threshold.

    Raises:
        DataError: it is not between 0 and 1.
    """
    if not 0 <= threshold <= 1:
        raise DataError(f"threshold {threshold:g} is not a probability; give one between 0 and 1")


def require_known(positive: Positive, others: set[str]) -> None:
    """See that a positive label that never occurs may be missing: of 0 and 1 all may be 0.

    Raises:
        DataError: the labels are other words.
    """
    if not (positive.holds("1") and others <= {"0", "False"}):
        raise DataError(f"the positive label '{positive.name}' is neither in target nor in prediction; name another")


def yes_or_no(name: str, values: Any, positive: Positive) -> tuple[Codes, set[str]]:
    """[n] 1 where a label is the positive one, 0 where it is another, `UNKNOWN` where there is none; the others."""
    coded = narrow(name, values, most=None)
    yes = [positive.holds(level) for level in coded.levels]
    table = [*map(int, yes), UNKNOWN]
    others = {level for level, one in zip(coded.levels, yes, strict=True) if not one}
    if table == [0, 1, UNKNOWN]:
        return coded.codes, others
    return np.array(table, np.int8)[coded.codes], others


def complete(decided: Codes) -> None:
    """See that every row has a decision.

    Raises:
        DataError: one has none.
    """
    if decided.min(initial=0) < 0:
        row = int((decided < 0).argmax())
        raise DataError(f"prediction is blank at row {row}; every row needs a decision")


def apart(people: tuple[Attribute, ...], controls: tuple[Attribute, ...]) -> None:
    """See that no column is both.

    Raises:
        DataError: one is.
    """
    both = {a.name for a in people} & {a.name for a in controls}
    if both:
        raise DataError(f"'{both.pop()}' is both a sensitive attribute and a control; name it once")


def _several(target: Any, prediction: Any, n: int) -> tuple[tuple[str, ...], Codes, Codes]:
    if prediction is None:
        raise DataError("several classes need decisions; give the prediction of each row, or name the positive label")
    decided = code("prediction", prediction, most=None)
    truth = None if target is None else code("target", target, most=None)
    names = sorted({*decided.levels, *(() if truth is None else truth.levels)}, key=rank)
    if len(names) < 2:
        raise DataError(f"only the class {listed(names) or 'blank'} occurs; a comparison needs two")
    complete(decided.codes)
    again = narrow("prediction", prediction, names).codes
    return tuple(names), np.full(n, UNKNOWN) if target is None else narrow("target", target, names).codes, again
