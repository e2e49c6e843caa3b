"""A table of groups × truth × decision with its labels, for those who have arrays and no model. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...models.batch import UNKNOWN
from ...models.data import group_codes
from ...models.errors import DataError
from ...models.labels import code, text
from ...models.spec import Attribute
from .. import state
from ..criteria import Levels
from ..measure import Measure
from . import rates

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows of each group were truly positive or negative, and decided so.

    Counts of parts merge into the counts of the whole, whatever levels each part happened to hold.

    Attributes:
        people: the attributes and their levels.
        classes: (negative, positive), as the target names them.
        table: attributes × truth × decision; the last place of each axis is for what is not known.

    Example:
        >>> counts = Counts.from_arrays([1, 0, 1, 0], [1, 0, 0, 0], {"sex": ["f", "f", "m", "m"]})
        >>> found = counts.frame()
        >>> found[(found.metric == "selection_rate") & (found.statistic == "difference")].value.item()
        0.5
    """

    people: tuple[Attribute, ...]
    classes: tuple[str, str]
    table: state.Counts

    @classmethod
    def from_arrays(
        cls,
        target: Any,
        prediction: Any,
        sensitive: Mapping[str, Any],
        *,
        levels: Mapping[str, Sequence[str]] | None = None,
        positive: object = 1,
    ) -> Counts:
        """Count rows.

        Args:
            target: [n] true labels; None, NaN and blank are unknown.
            prediction: [n] decisions, in the same words.
            sensitive: attribute -> [n] labels; None, NaN and blank are unknown.
            levels: attribute -> its levels, where they are declared; a level without rows is then counted as empty.
            positive: the positive label; every other one is negative.

        Raises:
            DataError: lengths differ, a decision is unknown, the positive label never occurs, a level is not declared.
        """
        truth, negative = _positive("target", target, positive)
        decided, _ = _positive("prediction", prediction, positive)
        if len(truth) != len(decided):
            raise DataError(f"target has {len(truth)} rows and prediction {len(decided)}; give one of each a row")
        if (decided == UNKNOWN).any():
            row = int((decided == UNKNOWN).argmax())
            raise DataError(f"prediction is blank at row {row}; every row needs a decision")
        if not ((truth == 1).any() or (decided == 1).any()):
            raise DataError(
                f"the positive label '{text(positive)}' is neither in target nor in prediction; name another"
            )
        people, groups = group_codes(sensitive, len(truth), levels)
        sizes = [*(len(attribute.levels) for attribute in people), 2, 2]
        return cls(people, (negative, text(positive)), state.Counts.of([*groups.T, truth, decided], sizes))

    def merge(self, other: Counts, /) -> Counts:
        """The counts of both parts; levels are united by their names, in order of the name.

        Raises:
            DataError: the parts have other attributes or another positive label.
        """
        mine, theirs = [a.name for a in self.people], [a.name for a in other.people]
        if mine != theirs or self.classes[1] != other.classes[1]:
            raise DataError(
                f"counts of {mine} with positive '{self.classes[1]}' and of {theirs} with '{other.classes[1]}' "
                f"do not merge; count the same attributes and the same label"
            )
        pairs = zip(self.people, other.people, strict=True)
        people = tuple(a if a == b else Attribute(a.name, _united(a.levels, b.levels)) for a, b in pairs)
        classes = self.classes if self.classes == other.classes else (f"not {self.classes[1]}", self.classes[1])
        return Counts(people, classes, _moved(self, people).merge(_moved(other, people)))

    def measures(self, level: float = 0.95, *, intersections: bool = True) -> tuple[Measure, ...]:
        """Every rate and every gap, with intervals at that level."""
        found = rates.measures(self.people, self.classes, self.table, Levels(level), intersections=intersections)
        return tuple(found)

    def frame(self, level: float = 0.95) -> pandas.DataFrame:
        """The measures as a tidy frame: a row a measure, the columns of `Measure`."""
        import pandas

        rows = [asdict(measure) for measure in self.measures(level)]
        return pandas.DataFrame(rows, columns=list(Measure.__dataclass_fields__))


def _positive(name: str, values: Any, positive: object) -> tuple[NDArray[np.int64], str]:
    """[n] 1 where a label is the positive one, 0 where it is another, `UNKNOWN` where there is none."""
    coded = code(name, values, most=None)
    wanted = text(positive)
    table = np.array([*(int(level == wanted) for level in coded.levels), UNKNOWN], dtype=np.int64)
    others = [level for level in coded.levels if level != wanted]
    return table[coded.codes], others[0] if len(others) == 1 else f"not {wanted}"


def _united(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*mine, *theirs}))


def _moved(counts: Counts, people: tuple[Attribute, ...]) -> state.Counts:
    """The same counts over the united levels; what is not known stays last."""
    codes = [np.array(axis) for axis in np.unravel_index(counts.table.keys, counts.table.shape)]
    for axis, (old, new) in enumerate(zip(counts.people, people, strict=True)):
        places = np.array([*(new.levels.index(level) for level in old.levels), len(new.levels)])
        codes[axis] = places[codes[axis]]
    shape = tuple(len(attribute.levels) + 1 for attribute in people) + counts.table.shape[len(people) :]
    keys = np.ravel_multi_index(codes, shape).astype(np.int64)
    order = np.argsort(keys)
    return state.Counts(shape, keys[order], counts.table.counts[order])
