"""What was asked for beforehand: a metric, a place, a tolerance, and why. Loads no torch."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import yaml

from .errors import CriteriaError
from .measure import UNKNOWN_LEVEL, Measure, Where

BOUNDS = ("at_most", "at_least", "between")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A tolerance for the measures that answer to (analysis, metric, statistic, where).

    Attributes:
        analysis: needed only where two analyses measure the same metric.
        where: {"sex": "*"} asks for each level of sex; None for the one measure that fits.
        bounds: (at least, at most), either None. The measure's whole interval must lie inside.
        level: the interval's level; None for the audit's own.
        why: the rationale, printed beside the verdict.
    """

    id: str
    metric: str
    statistic: str = "value"
    analysis: str | None = None
    where: Where | None = None
    bounds: tuple[float | None, float | None]
    level: float | None = None
    severity: Literal["high", "medium", "low", "info"] = "high"
    clauses: tuple[str, ...] = ()
    why: str = ""

    @property
    def many(self) -> bool:
        """Whether it asks for each level of something."""
        return self.where is not None and "*" in self.where.values()

    def asks_for(self, measure: Measure) -> bool:
        return self.matches(measure.analysis, measure.metric, measure.statistic, measure.where)

    def matches(self, analysis: str, metric: str, statistic: str, where: Where) -> bool:
        if (self.metric, self.statistic) != (metric, statistic) or self.analysis not in (None, analysis):
            return False
        if self.where is None:
            return True
        return self.where.keys() == where.keys() and all(_fits(v, where[k]) for k, v in self.where.items())

    def sets_level_of(self, statistic: str, where: Where) -> bool:
        """Whether its level is meant for that place: without a place, for everyone or for the gap over an attribute."""
        return self.where is not None or not where or statistic != "value"

    def describe(self) -> str:
        place = "" if self.where is None else " where " + ", ".join(f"{k} = {v}" for k, v in self.where.items())
        return f"{self.analysis + ' ' if self.analysis else ''}{self.metric} ({self.statistic}){place}"


def _fits(asked: str, level: str) -> bool:
    return asked == level or (asked == "*" and level != UNKNOWN_LEVEL)


@dataclass(frozen=True, slots=True)
class Criteria:
    """All criteria of an audit, read before it runs; the digest is of the file's bytes."""

    items: tuple[Criterion, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Levels:
    """At which confidence level each interval is asked for: the criteria's, else the audit's own."""

    default: float = 0.95
    criteria: tuple[Criterion, ...] = field(default=())

    def of(self, analysis: str, metric: str, statistic: str = "value", where: Where | None = None) -> float:
        """Raises CriteriaError where two criteria ask for different levels of one measure."""
        if not self.criteria:
            return self.default
        place = where or {}
        asked = {
            c.level
            for c in self.criteria
            if c.level and c.matches(analysis, metric, statistic, place) and c.sets_level_of(statistic, place)
        }
        if len(asked) > 1:
            raise CriteriaError(
                f"criteria ask for {metric} ({statistic}) at levels {' and '.join(map(str, sorted(asked)))}; "
                f"a measure has one interval, so give them one level"
            )
        return asked.pop() if asked else self.default


def load(path: Path | str) -> Criteria:
    """Read criteria from YAML: a list, or a mapping with the one key `criteria`.

    Raises:
        CriteriaError: unreadable, malformed, an unknown key (with the nearest known one), an id used twice.
    """
    path = Path(path)
    try:
        text = path.read_bytes()
        document = yaml.safe_load(text)
    except OSError as error:
        raise CriteriaError(f"cannot read criteria {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CriteriaError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    return Criteria(parse(document, str(path)), "sha256:" + hashlib.sha256(text).hexdigest())


def parse(document: Any, source: str = "criteria") -> tuple[Criterion, ...]:
    """Criteria from what YAML or a Python list says.

    >>> parse([{"id": "gap", "metric": "selection_rate", "statistic": "difference", "at_most": 0.1}])[0].bounds
    (None, 0.1)
    """
    if isinstance(document, dict):
        _known(document, ("criteria",), source)
        document = document.get("criteria")
    if not isinstance(document, list) or not document:
        raise CriteriaError(f"{source}: expected a list of criteria, or 'criteria:' with a list under it")
    found = tuple(_criterion(item, f"{source}, criterion {place}") for place, item in enumerate(document, 1))
    seen: set[str] = set()
    for criterion in found:
        if criterion.id in seen:
            raise CriteriaError(f"{source}: two criteria have the id '{criterion.id}'; ids must differ")
        seen.add(criterion.id)
    for one, other in combinations(found, 2):
        _compatible(one, other, source)
    return found


def _compatible(one: Criterion, other: Criterion, source: str) -> None:
    """One measure has one interval: criteria that ask for the same place may not ask for two levels."""
    same = (one.metric, one.statistic, one.where) == (other.metric, other.statistic, other.where)
    same = same and (one.analysis == other.analysis or None in (one.analysis, other.analysis))
    if same and one.level != other.level and None not in (one.level, other.level):
        raise CriteriaError(
            f"{source}: '{one.id}' and '{other.id}' ask for {one.describe()} at levels {one.level} and {other.level}; "
            f"a measure has one interval, so give them one level"
        )


def _criterion(item: Any, source: str) -> Criterion:
    if not isinstance(item, dict):
        raise CriteriaError(f"{source}: expected a mapping with id, metric and a bound, got {item!r}")
    own = [f.name for f in fields(Criterion) if f.name != "bounds"]
    _known(item, (*own, *BOUNDS), source)
    for key in ("id", "metric"):
        if not isinstance(item.get(key), str) or not item[key]:
            raise CriteriaError(f"{source}: '{key}' is missing or not a text")
    source = f"{source} ('{item['id']}')"
    level = item.get("level")
    if level is not None and not (_number(level, source, "level") and 0 < level < 1):
        raise CriteriaError(f"{source}: level must be between 0 and 1, got {level!r}")
    where = item.get("where")
    if where is not None and not isinstance(where, dict):
        raise CriteriaError(f"{source}: 'where' must be a mapping such as {{attribute: sex}}, got {where!r}")
    clauses = item.get("clauses") or []
    if not isinstance(clauses, list):
        raise CriteriaError(f"{source}: 'clauses' must be a list such as [\"AI Act Art. 15\"], got {clauses!r}")
    severity = item.get("severity", "high")
    if severity not in ("high", "medium", "low", "info"):
        raise CriteriaError(f"{source}: severity must be high, medium, low or info, got {severity!r}")
    return Criterion(
        id=item["id"],
        metric=item["metric"],
        statistic=_text(item, "statistic", source) or "value",
        analysis=_text(item, "analysis", source) or None,
        where=None if where is None else {str(k): str(v) for k, v in where.items()},
        bounds=_bounds(item, source),
        level=level,
        severity=severity,
        clauses=tuple(map(str, clauses)),
        why=_text(item, "why", source),
    )


def _bounds(item: dict[str, Any], source: str) -> tuple[float | None, float | None]:
    given = [key for key in BOUNDS if key in item]
    if not given or ("between" in given and len(given) > 1):
        raise CriteriaError(f"{source}: give at_most, at_least, both, or between: [low, high]; got {given or 'none'}")
    if "between" in given:
        pair = item["between"]
        if not isinstance(pair, list) or len(pair) != 2:
            raise CriteriaError(f"{source}: between must be [low, high], got {pair!r}")
        low, high = (_number(x, source, "between") for x in pair)
    else:
        low = _number(item["at_least"], source, "at_least") if "at_least" in item else None
        high = _number(item["at_most"], source, "at_most") if "at_most" in item else None
    if low is not None and high is not None and low > high:
        raise CriteriaError(f"{source}: nothing lies between {low} and {high}; swap them")
    return low, high


def _number(value: Any, source: str, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise CriteriaError(f"{source}: '{key}' must be a number, got {value!r}")
    return float(value)


def _text(item: dict[str, Any], key: str, source: str) -> str:
    value = item.get(key, "")
    if not isinstance(value, str):
        raise CriteriaError(f"{source}: '{key}' must be a text, got {value!r}")
    return value


def _known(item: dict[Any, Any], known: Sequence[str], source: str) -> None:
    for key in item:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
            raise CriteriaError(f"{source}: unknown key '{key}'; {hint}")
