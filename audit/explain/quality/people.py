"""Explanation quality by group: each group's mean, and whether two groups differ more than chance makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from ...fairness.comparison.multiplicity import holm
from ...messages import Message
from ..errors import ExplanationError
from .score import Floats, Score, of_hits, of_rows

PAIRED = 6  # groups of which every pair is tested; of more, each against all others
OTHERS = "(all others)"


@dataclass(frozen=True, slots=True)
class Test:
    """Welch's test of two groups' means [welch1947]."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    n: int


def coded(people: Mapping[str, Any] | None, n: int) -> dict[str, NDArray[np.object_]]:
    """{attribute: [n] level or None}; −1, NaN, None and "" are unknown.

    Raises:
        ExplanationError: not one for each row.
    """
    found = {}
    for name, given in (people or {}).items():
        values = np.asarray(given.tolist() if hasattr(given, "tolist") else list(given), dtype=object)
        if values.shape != (n,):
            raise ExplanationError(Message("quality_people", {"attribute": name, "given": len(values), "n": n}))
        found[name] = np.array([_level(value) for value in values], dtype=object)
    return found


def by_group(score: Score, people: Mapping[str, NDArray[np.object_]]) -> list[Score]:
    """The score of each group, and of each attribute the difference; p-values are not adjusted yet."""
    if score.values is None or score.rows is None:
        return []
    found: list[Score] = []
    for attribute, levels in people.items():
        own = levels[score.rows]
        parts = {level: own == level for level in sorted({level for level in levels if level is not None})}
        found += [_of_level(score, attribute, level, rows) for level, rows in parts.items()]
        if len(parts) > 1:
            found.append(_difference(score, attribute, parts))
    return found


def adjusted(scores: Sequence[Score], level: float) -> list[Score]:
    """Differences with their p-values adjusted over all pairs of all methods and metrics of an attribute [holm1979].

    The pair that is shown is the one with the smallest.
    """
    attributes = {score.where["attribute"] for score in scores if "pairs" in score.details}
    found = list(scores)
    for attribute in sorted(attributes):
        at = [k for k, s in enumerate(found) if "pairs" in s.details and s.where["attribute"] == attribute]
        corrected = holm([pair["p"] for k in at for pair in found[k].details["pairs"]]).tolist()
        for k in at:
            pairs = [{**pair, "p_holm": corrected.pop(0)} for pair in found[k].details["pairs"]]
            best = min(pairs, key=lambda pair: pair["p"])
            more = {"pairs": pairs, "p": best["p"], "p_holm": best["p_holm"], "differ": best["p_holm"] <= 1 - level}
            found[k] = replace(found[k], details={**found[k].details, **more})
    return found


def welch(first: str, a: Floats, second: str, b: Floats, level: float) -> Test:
    """ā − b̄ with Welch's interval and p-value; two groups without any variance differ surely, or not at all."""
    difference = float(a.mean() - b.mean())
    parts = [float(x.var(ddof=1)) / len(x) for x in (a, b)]
    error = np.sqrt(sum(parts))
    if error == 0:
        return Test(first, second, difference, difference, difference, float(difference == 0), len(a) + len(b))
    freedom = sum(parts) ** 2 / sum(part**2 / (len(x) - 1) for part, x in zip(parts, (a, b), strict=True))
    half = float(stdtrit(freedom, (1 + level) / 2) * error)
    p = float(2 * stdtr(freedom, -abs(difference) / error))
    return Test(first, second, difference, difference - half, difference + half, p, len(a) + len(b))


def _of_level(score: Score, attribute: str, level: str, rows: NDArray[np.bool_]) -> Score:
    assert score.values is not None
    assert score.rows is not None
    values = score.values[rows]
    hits = score.interval == "wilson"
    value, low, high = (of_hits if hits else of_rows)(values, score.level)
    interval = "" if low is None else "wilson" if hits else "t over rows"
    reason = None if len(values) else Message("quality_no_rows_of_group", {"group": level})
    return replace(
        score, where={**score.where, attribute: level}, values=values if len(values) else None, rows=score.rows[rows],
        value=value, low=low, high=high, n=len(values), interval=interval,
        reason=reason, left_out=(), details={},
    )  # fmt: skip


def _difference(score: Score, attribute: str, parts: Mapping[str, NDArray[np.bool_]]) -> Score:
    assert score.values is not None
    where = {**score.where, "attribute": attribute}
    samples = {level: score.values[rows] for level, rows in parts.items() if rows.sum() > 1}
    empty = replace(score, where=where, statistic="difference", values=None, rows=None, value=None, low=None, high=None,
                    n=0, interval="", left_out=(), details={})  # fmt: skip
    if len(samples) < 2:
        return replace(empty, reason=Message("quality_one_group", {"attribute": attribute}))
    tests = _tests(samples, score.level)
    best = min(tests, key=lambda test: test.p)
    pairs = [{"groups": [t.first, t.second], "difference": t.difference, "low": t.low, "high": t.high, "p": t.p}
             for t in tests]  # fmt: skip
    return replace(
        empty, value=best.difference, low=best.low, high=best.high, n=best.n, interval="welch",
        details={"groups": [best.first, best.second], "pairs": pairs},
    )  # fmt: skip


def _tests(samples: Mapping[str, Floats], level: float) -> list[Test]:
    if len(samples) <= PAIRED:
        return [welch(a, samples[a], b, samples[b], level) for a, b in combinations(samples, 2)]
    rest = {a: np.concatenate([samples[b] for b in samples if b != a]) for a in samples}
    return [welch(a, samples[a], OTHERS, rest[a], level) for a in samples]


def _level(value: Any) -> str | None:
    unknown = value is None or value == "" or value == -1 or value != value
    return None if unknown else str(value)
