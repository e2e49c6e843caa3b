"""A table of any length counted in constant memory: pieces are counted as they come, and united by label. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ....models.batch import UNKNOWN
from ....models.errors import DataError
from ....models.labels import MOST_LEVELS, cluster_names, listed, order_of
from ....models.pieces import Pieces
from ....models.places import Places, places, text
from ....models.positive import Positive
from ....models.roles import Roles
from ....models.spec import Attribute
from ....models.windows import filled, periods
from ... import state
from .arrays import require_known, require_probability
from .context import Axes

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch

FOLDED = 64  # tables of pieces that are kept before they are added up
BELOW, REACHED = "\0below", "\0reached"  # decisions that scores make: no label is called so
BINS = 1024  # of scores: a power of two, so that their edges are exact in binary


def count(
    path: Path | str,
    roles: Roles,
    *,
    levels: Mapping[str, Sequence[str]] | None = None,
    positive: object = 1,
    threshold: float = 0.5,
    threads: int = 0,
) -> tuple[Axes, state.Counts, state.Columns]:
    """Count a file; memory grows with the cells that occur (and with distinct weights and clusters), not with rows.

    Scores are counted in 1,024 bins of equal width, of unweighted rows without clusters and a binary task. Each bin
    comes back as one row with the score of its middle and a column `count`: thresholds at the bins' edges b/1024 part
    the rows exactly, and no score is off by more than 1/2048.

    Args:
        path: a Parquet, CSV or TSV file.
        roles: which column is what; a binary or multiclass task.
        levels: attribute -> its levels, where they are declared.
        positive: the positive label, or several; None: every label is a class of its own.
        threshold: from which score on a decision is positive.
        threads: how many pieces are counted at once; 0 for one a processor.

    Raises:
        DataError: the file cannot be read so.
    """
    if roles.kind not in ("binary", "multiclass"):
        raise DataError(f"a {roles.kind} task needs every row and cannot be counted in pieces; read the whole table")
    require_probability(threshold)
    numeric = tuple(name for name in (roles.score, roles.weight) if name is not None)
    several = positive is None or roles.kind == "multiclass"
    ask = _Ask(roles, None if several else Positive.of(positive), threshold)
    parts = Pieces(Path(path), tuple(roles.columns), numeric, threads).fold(lambda: _Part.of(ask), _Part.add)
    parts = [part for part in parts if part.rows]
    if not parts:
        raise DataError(f"{path}: the table has no rows; give at least one")
    if roles.weight is not None and not any(part.heavy for part in parts):
        raise DataError(
            f"column '{roles.weight}' weighs every row 0, so nothing is left to measure; give positive weights"
        )
    return _joined(ask, parts, levels or {})


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is counted; `positive` is None where every label is a class."""

    roles: Roles
    positive: Positive | None
    threshold: float

    @property
    def binned(self) -> bool:
        """Whether scores are an axis too, the one before labels and decisions."""
        alone = self.roles.weight is None and self.roles.cluster is None
        return self.roles.score is not None and self.positive is not None and alone

    @property
    def coded(self) -> list[str]:
        """The columns that are axes, in their order; labels and decisions come after them."""
        window = () if self.roles.window is None else (self.roles.window,)
        return [*self.roles.sensitive, *self.roles.control, *window]


@dataclass(slots=True)
class _Names:
    """The names found in a column so far; a code is a name's place among them."""

    code_of: dict[str, int] = field(default_factory=dict)
    last: tuple[Any, NDArray[Any]] | None = None

    @property
    def room(self) -> int:
        """A size that changes seldom: the next power of two."""
        return 1 << max(1, (len(self.code_of) - 1).bit_length())

    def table(self, names: list[str]) -> NDArray[Any]:
        """The code of each name, and of none after them."""
        for name in names:
            if name:
                self.code_of.setdefault(name, len(self.code_of))
        codes = [*(self.code_of[name] if name else UNKNOWN for name in names), UNKNOWN]
        return np.array(codes, np.int8 if len(self.code_of) < 128 else np.int32)

    def codes(self, column: str, array: Array, most: int | None = MOST_LEVELS) -> NDArray[Any]:
        """[n] codes of a piece of the column."""
        found = _dictionary(array)
        if found is None:
            told = places(column, _plain(array))
            return self._looked_up(self.table(told.names), told.places)
        names, index = found
        if self.last is None or not names.equals(self.last[0]):
            self.last = names, self.table([text(name) if name is not None else "" for name in names.to_pylist()])
        if most is not None and len(self.code_of) > most:
            raise DataError(
                f"column '{column}' has more than {most:,} different values, and groups may have {most:,}; group the "
                f"values into bands in the table first"
            )
        return self._looked_up(self.last[1], index)

    @staticmethod
    def _looked_up(table: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
        return index if np.array_equal(table[:-1], np.arange(len(table) - 1)) else table[index]


@dataclass(slots=True)
class _Part:
    """What one thread has counted."""

    ask: _Ask
    names: dict[str, _Names]
    labels: _Names
    tables: list[tuple[state.Counts, tuple[int, ...]]] = field(default_factory=list)
    rows: int = 0
    heavy: bool = False

    @classmethod
    def of(cls, ask: _Ask) -> _Part:
        return cls(ask, {name: _Names() for name in ask.coded}, _Names())

    def add(self, piece: RecordBatch) -> None:
        """Count a piece."""
        if not piece.num_rows:
            return
        roles, columns = self.ask.roles, {name: piece.column(name) for name in piece.schema.names}
        codes = [self._axis(name, columns[name]) for name in self.ask.coded]
        blank = np.full(piece.num_rows, UNKNOWN, np.int8)
        truth = blank if roles.target is None else self.labels.codes(roles.target, columns[roles.target], None)
        sizes = [names.room for names in self.names.values()]
        score = None if roles.score is None else self._scores(roles.score, columns[roles.score])
        decided = self._decided(columns, score)
        weights = None if roles.weight is None else self._weights(roles.weight, columns[roles.weight])
        clusters = None if roles.cluster is None else cluster_names(roles.cluster, _plain(columns[roles.cluster]))
        if score is not None and self.ask.binned:
            codes.append(np.minimum((score * BINS).astype(np.int16), BINS - 1))  # · 2^k is exact
            sizes.append(BINS)
        sizes += [self.labels.room] * 2
        found = state.Counts.of([*codes, truth, decided], sizes, weights, clusters)
        self.tables.append((found, tuple(sizes)))
        self.rows += piece.num_rows
        if len(self.tables) >= FOLDED:
            self.tables = self._folded()

    def _axis(self, name: str, array: Array) -> NDArray[Any]:
        if name != self.ask.roles.window or self.ask.roles.every is None:
            return self.names[name].codes(name, array)
        found = periods(name, _plain(array), self.ask.roles.every)
        return self.names[name].table(list(found.levels))[found.codes]

    def _decided(self, columns: Mapping[str, Array], score: NDArray[np.float64] | None) -> NDArray[Any]:
        roles = self.ask.roles
        if roles.prediction is not None:
            array = columns[roles.prediction]
            decided = self.labels.codes(roles.prediction, array, None)
            if decided.min(initial=0) < 0:
                raise DataError(f"column '{roles.prediction}' is blank in some rows; every row needs a decision")
            return decided
        assert score is not None
        table = self.labels.table([BELOW, REACHED])
        return table[(score >= self.ask.threshold).view(np.int8)]

    @staticmethod
    def _scores(name: str, array: Array) -> NDArray[np.float64]:
        score = np.asarray(_plain(array), np.float64)
        bad = ~((score >= 0) & (score <= 1))
        if bad.any():
            raise DataError(
                f"column '{name}' holds {score[bad][0]:g}, which is no probability; scale scores to 0 to 1 and leave "
                f"none blank"
            )
        return score

    def _weights(self, name: str, array: Array) -> NDArray[np.float64]:
        weights = np.asarray(_plain(array), np.float64)
        bad = ~(np.isfinite(weights) & (weights >= 0))
        if bad.any():
            raise DataError(f"column '{name}' holds {weights[bad][0]:g}; give every row a weight of 0 or more")
        self.heavy = self.heavy or bool(weights.any())
        return weights

    def _folded(self) -> list[tuple[state.Counts, tuple[int, ...]]]:
        """Tables of one shape added up."""
        shapes = dict.fromkeys(sizes for _, sizes in self.tables)
        return [(_sum([table for table, other in self.tables if other == sizes]), sizes) for sizes in shapes]


def _joined(
    ask: _Ask, parts: list[_Part], levels: Mapping[str, Sequence[str]]
) -> tuple[Axes, state.Counts, state.Columns]:
    """The parts over the levels of all, in the order of the levels."""
    attributes = [Attribute(name, _order(name, [p.names[name] for p in parts], levels.get(name))) for name in ask.coded]
    if ask.roles.every is not None:  # the window is the last
        attributes[-1] = Attribute(attributes[-1].name, filled(attributes[-1].levels, ask.roles.every))
    classes = _classes(ask, parts)
    people, controls = len(ask.roles.sensitive), len(ask.roles.control)
    axes = Axes(
        tuple(attributes[:people]),
        classes,
        tuple(attributes[people : people + controls]),
        *attributes[people + controls :],
    )
    bins = [np.arange(BINS + 1)] if ask.binned else []
    sizes = [*axes.sizes[:-2], *([BINS] if ask.binned else []), *axes.sizes[-2:]]
    tables = []
    for part in parts:
        moves = [
            _moves(names, attribute.levels) for names, attribute in zip(part.names.values(), attributes, strict=True)
        ]
        label = _label_moves(part.labels, classes, ask.positive)
        for table, _ in part._folded():
            tables.append(_moved(table, [*moves, *bins, label, label], sizes))
    whole = _sum(tables)
    if not ask.binned:
        return axes, whole, state.Columns()
    return axes, whole.without(len(attributes)), _bins(whole, people, len(attributes))


def _bins(table: state.Counts, people: int, axis: int) -> state.Columns:
    """The bins of scores as rows that stand for many: each group, bin, label and decision once, with its count."""
    table = table.without(*range(people, axis))
    *groups, place, truth, decision = table.codes()
    known = [np.where(code == size - 1, UNKNOWN, code) for code, size in zip(groups, table.shape, strict=False)]
    return state.Columns.of(
        np.arange(len(place)),
        score=(place + 0.5) / BINS,
        truth=np.where(truth == 2, UNKNOWN, truth),
        decision=decision,
        groups=np.stack(known, 1) if known else np.empty((len(place), 0), np.int64),
        count=table.counts,
    )


def _order(name: str, found: list[_Names], declared: Sequence[str] | None) -> tuple[str, ...]:
    names = list(dict.fromkeys(name for part in found for name in part.code_of))
    order, _ = order_of(name, Places(names, np.arange(len(names))), declared)
    if not order:
        raise DataError(f"column '{name}' has no value in any row; leave it out of the sensitive columns")
    return order


def _classes(ask: _Ask, parts: list[_Part]) -> tuple[str, ...]:
    found = {name for part in parts for name in part.labels.code_of}
    if ask.positive is not None:
        said = found - {BELOW, REACHED}
        others = {name for name in said if not ask.positive.holds(name)}
        if others == said and (said or ask.roles.prediction is not None):
            require_known(ask.positive, others)
        return ask.positive.negative(others), ask.positive.name
    if len(found) < 2:
        raise DataError(f"only the class {listed(sorted(found)) or 'blank'} occurs; a comparison needs two")
    return order_of("classes", Places(list(found), np.arange(len(found))), None)[0]


def _moves(names: _Names, order: Sequence[str]) -> NDArray[np.int64]:
    """[room + 1] the place of each code among the final levels; what is not known stays last."""
    place = {text(level): k for k, level in enumerate(order)}
    moves = np.full(names.room + 1, len(order))
    for name, code in names.code_of.items():
        moves[code] = place[name]
    return moves


def _label_moves(names: _Names, classes: tuple[str, ...], positive: Positive | None) -> NDArray[np.int64]:
    if positive is None:
        return _moves(names, classes)
    moves = np.full(names.room + 1, 2)
    for name, code in names.code_of.items():
        moves[code] = int(name == REACHED or positive.holds(name))
    return moves


def _moved(table: state.Counts, moves: list[NDArray[np.int64]], sizes: Sequence[int]) -> state.Counts:
    """A table over the final levels; it may have been counted when less room was needed."""
    codes = []
    for code, size, move in zip(table.codes(), table.shape, moves, strict=True):
        codes.append(np.where(code == size - 1, move[-1], move[np.minimum(code, len(move) - 1)]))
    shape = tuple(size + 1 for size in sizes)
    keys = np.ravel_multi_index(codes, shape).astype(np.int64)
    return replace(table, shape=shape, keys=keys).sorted()


def _sum(tables: list[state.Counts]) -> state.Counts:
    """Tables of one shape as one, halves first, so that none is copied often."""
    while len(tables) > 1:
        tables = [a.merge(b) for a, b in zip(tables[::2], tables[1::2], strict=False)] + tables[len(tables) & ~1 :]
    return tables[0]


def _dictionary(array: Array) -> tuple[Any, NDArray[Any]] | None:
    """The words of a column of text and the place of each row's; None of other columns."""
    from pyarrow import types

    if types.is_string(array.type) or types.is_large_string(array.type):
        array = array.dictionary_encode()
    if not types.is_dictionary(array.type):
        return None
    index = array.indices
    index = index.fill_null(UNKNOWN) if index.null_count else index
    return array.dictionary, index.to_numpy()


def _plain(array: Array) -> Any:
    """A column as numpy has it, or where values are missing as pandas has it."""
    if array.null_count == 0 and (str(array.type).startswith(("int", "uint", "float", "double", "bool"))):
        return array.to_numpy(zero_copy_only=False)
    return array.to_pandas()
