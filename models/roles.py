"""What the columns of a table of predictions are for: checked before the table is read. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from .errors import DataError

Kind = Literal["binary", "multiclass", "regression", "ranking"]
Every = Literal["day", "week", "month", "quarter", "year"]

KINDS: tuple[Kind, ...] = get_args(Kind)
PERIODS: tuple[Every, ...] = get_args(Every)

_TOGETHER = {frozenset({"cluster", "query"})}  # the rows of a query may well hang together


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column plays which part.

    Attributes:
        target: true labels, values or relevances; None where nothing is known of them.
        prediction: decisions; in a regression predicted values.
        score: probabilities of the positive label; in a ranking what orders the rows.
        sensitive: the sensitive attributes.
        weight: how many rows of the population each row stands for.
        cluster: what rows hang together in.
        control: what comparisons are held fixed in.
        window: when each row was: a period, or a time that `every` cuts into periods.
        every: how long a window is, where `window` holds times.
        query: which list of a ranking each row belongs to.
        kind: what the model does, never inferred.
        modelled: whether a model runs, so that no column holds what it says.

    Raises:
        DataError: a column plays two parts, a part is missing, or one is given that this kind of task has no use for.
    """

    target: str | None = None
    prediction: str | None = None
    score: str | None = None
    sensitive: tuple[str, ...] = ()
    weight: str | None = None
    cluster: str | None = None
    control: tuple[str, ...] = ()
    window: str | None = None
    every: str | None = None
    query: str | None = None
    kind: str = "binary"
    modelled: bool = False

    def __post_init__(self) -> None:
        _one_of("task", self.kind, KINDS)
        if self.every is not None:
            _one_of("every", self.every, PERIODS)
            if self.window is None:
                raise DataError(
                    "--every says how long windows are, but no column of times is named; pass --window COLUMN"
                )
        if self.query is not None and self.kind != "ranking":
            raise DataError(
                f"--query is for --task ranking, and the task is {self.kind}; leave it out, or name the task"
            )
        self._played_once()
        if not self.modelled:
            self._decided()

    @property
    def columns(self) -> list[str]:
        """Every column that is needed, once each."""
        return list(dict.fromkeys(name for _, name in self._all()))

    def _all(self) -> Iterator[tuple[str, str]]:
        for part in ("target", "prediction", "score", "weight", "cluster", "window", "query"):
            name = getattr(self, part)
            if name is not None:
                yield part, name
        yield from (("sensitive", name) for name in self.sensitive)
        yield from (("control", name) for name in self.control)

    def _played_once(self) -> None:
        parts: dict[str, str] = {}
        for part, name in self._all():
            other = parts.setdefault(name, part)
            if other != part and frozenset({other, part}) not in _TOGETHER:
                raise DataError(f"column '{name}' is named as --{other} and as --{part}; name a column for one of them")

    def _decided(self) -> None:
        if self.prediction is None and self.score is None:
            raise DataError("neither predictions nor scores are named; pass --prediction COLUMN or --score COLUMN")
        if self.kind in ("multiclass", "regression") and (self.prediction is None or self.score is not None):
            what = "the class decided on" if self.kind == "multiclass" else "the number predicted"
            raise DataError(
                f"a {self.kind} task reads {what} from --prediction COLUMN alone; name it there, without --score"
            )
        if self.kind == "ranking" and (self.score is None or self.prediction is not None):
            raise DataError("a ranking task reads what orders the rows from --score COLUMN alone; name it there")


def _one_of(option: str, given: str, choices: Sequence[str]) -> None:
    if given not in choices:
        raise DataError(f"--{option} must be {', '.join(choices[:-1])} or {choices[-1]}, got '{given}'")
