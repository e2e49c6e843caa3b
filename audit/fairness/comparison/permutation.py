"""Whether a metric is the same in every group: tests on counts with their margins fixed. Loads no torch.

Shuffling the groups' names among the rows that a metric looks at (among the positives for a true positive rate) leaves
each group its number of rows and all of them together their successes: a draw from the multivariate hypergeometric
distribution, whatever the number of rows [good2005].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from ...measure import Measure, undefined
from ...messages import Message
from ..table.groups import Groups
from ..table.metrics import Metric, total
from ..table.plan import Plan
from .multiplicity import benjamini_hochberg, holm
from .pool import seeded

MOST_GROUPS = 1_000  # beyond which shuffling would take minutes
DRAWS = 500_000  # numbers drawn for one test: shuffles are fewer where there are more than 50 groups …
FEWEST = 999  # … but not fewer than these, of those asked for
SMALLEST = -700.0  # logarithm of a p-value: smaller ones are no numbers any more
Margins = tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A p-value, how it was found, and how many shuffles stand behind it (0: none, it is exact)."""

    p: float
    method: str
    shuffles: int = 0


def measures(groups: Groups, metrics: tuple[Metric, ...], plan: Plan) -> Iterator[Measure]:
    """The p-value of each metric across the groups, adjusted for how many there are.

    Two groups: Fisher's exact test. More: shuffles, where any are asked for. Weighted or clustered rows have no test
    here; their intervals tell. Metrics that are each other's complement are one test, and count as one of the family.
    """
    if plan.replicates or len(groups) == 2:
        if groups.weighted or groups.clustered:
            yield from (_lost(groups, metric, Message("not_independent")) for metric in metrics)
        elif len(groups) <= MOST_GROUPS:
            yield from _family(groups, metrics, plan)


def homogeneity(
    successes: NDArray[np.int64], rows: NDArray[np.int64], shuffles: int, rng: np.random.Generator
) -> Outcome:
    """Whether groups with some successes among some rows each share one rate.

    The statistic is Pearson's Σ (x − m X/M)² / m, which orders tables of fixed margins as chi-square does;
    p = (b + 1) / (B + 1), never 0 [phipson2010].

    Args:
        successes: [groups]; rows: [groups], above 0.
    """
    if len(rows) == 2:
        return Outcome(fisher(successes, rows), "fisher exact")
    everyone, hits = int(rows.sum()), int(successes.sum())
    own = _pearson(successes, rows, hits / everyone)
    drawn = rng.multivariate_hypergeometric(rows, hits, size=shuffles, method="marginals")
    beyond = np.count_nonzero(_pearson(drawn, rows, hits / everyone) >= own * (1 - 1e-9))
    return Outcome((beyond + 1) / (shuffles + 1), "permutation", shuffles)


def fisher(successes: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Fisher's exact two-sided p-value [fisher1935]: all tables that are no likelier than the one observed. Never 0.

    >>> round(fisher(np.array([8, 1]), np.array([10, 6])), 6)
    0.034965
    """
    m, everyone, hits = int(rows[0]), int(rows.sum()), int(successes.sum())
    x = _likely(int(successes[0]), m, everyone, hits).astype(float)
    weight, at = np.zeros(len(x)), x[:-1]
    # each table's chance as a multiple of the one's before
    np.cumsum(np.log((m - at) * (hits - at) / ((at + 1) * (everyone - m - hits + at + 1))), out=weight[1:])
    own = weight[int(successes[0] - x[0])]
    return float(np.exp(min(0.0, max(_log_sum(weight[weight <= own + 1e-7]) - _log_sum(weight), SMALLEST))))


def _log_sum(logarithms: Floats) -> float:
    top = logarithms.max()
    return float(top + np.log(np.exp(logarithms - top).sum()))


def _likely(own: int, m: int, everyone: int, hits: int) -> NDArray[np.int64]:
    """Successes of the first group that matter: those left out are together below 10⁻²⁰ of the p-value, or 10⁻³⁰⁰.

    Tables as unlikely as the one observed lie on the other side at most e − 1 times as far from the middle.
    """
    middle = m * hits / everyone
    off, sd = abs(own - middle), np.sqrt(middle * (1 - hits / everyone) * (1 - m / everyone))
    far = min(off + 40 * sd, 1.75 * off + 12 * sd) + 40
    return np.arange(max(0, hits + m - everyone, int(middle - far)), min(m, hits, int(middle + far) + 1) + 1)


def _pearson(successes: NDArray[np.int64], rows: NDArray[np.int64], rate: float) -> Any:
    return ((successes - rows * rate) ** 2 / rows).sum(-1)


def _family(groups: Groups, metrics: tuple[Metric, ...], plan: Plan) -> Iterator[Measure]:
    tests: dict[Margins, Outcome | None] = {}
    for metric in metrics:
        key = _margins(metric)
        if key not in tests:
            tests[key] = _test(groups, metric, plan)
    keys = [key for key, test in tests.items() if test is not None]
    p = [test.p for test in tests.values() if test is not None]
    adjusted = {key: both for key, *both in zip(keys, holm(p), benjamini_hochberg(p), strict=True)}
    for metric in metrics:
        key = _margins(metric)
        test = tests[key]
        if test is None:
            if metric.other is None or plan.replicates:
                yield _lost(groups, metric, Message("one_level", {"attribute": groups.name, "of": metric.of}))
            continue
        details = {
            "exact": True,
            "holm": float(adjusted[key][0]),
            "benjamini_hochberg": float(adjusted[key][1]),
            "family": len(keys),
        }
        details |= {"shuffles": test.shuffles} if test.shuffles else {}
        have = _have(groups, metric, plan)
        if not have.all():
            details["undefined"] = [label for label, there in zip(groups.labels, have, strict=True) if not there]
        n = int(sum(total(groups.rows, bottom)[have].sum() for _, bottom, _ in metric.parts))
        where, level = groups.gap, plan.level(metric.name, "p_value", groups.gap)
        yield Measure(
            analysis="fairness",
            metric=metric.name,
            statistic="p_value",
            where=where,
            value=test.p,
            level=level,
            method=test.method,
            n=n,
            details=details,
        )


def _margins(metric: Metric) -> Margins:
    """What is fixed and what is counted, alike for a metric and its complement."""
    found = []
    for top, bottom, _ in metric.parts:
        rest = tuple(cell for cell in bottom if cell not in top)
        found += [tuple(sorted(bottom)), min(tuple(sorted(top)), tuple(sorted(rest)))]
    return tuple(found)


def _test(groups: Groups, metric: Metric, plan: Plan) -> Outcome | None:
    """The test of a metric; None where fewer than two groups have it, or it needs draws and none are asked for."""
    parts = [(total(groups.rows, top), total(groups.rows, bottom)) for top, bottom, _ in metric.parts]
    have = _have(groups, metric, plan)
    if have.sum() < 2:
        return None
    shuffles = min(plan.replicates, max(FEWEST, DRAWS // len(groups)))
    rng = seeded(plan.seed, "shuffle", groups.name, *groups.where.values(), *map(str, _margins(metric)))
    if len(parts) == 1:
        (successes, rows), *_ = parts
        return homogeneity(successes[have], rows[have], shuffles, rng)
    return _of_means([(x[have], n[have]) for x, n in parts], shuffles, rng) if shuffles else None


def _have(groups: Groups, metric: Metric, plan: Plan) -> NDArray[np.bool_]:
    """[groups] whether a group has the rows that the metric is told from, and as many as are asked for."""
    least = max(plan.minimum, 1)
    return np.all([total(groups.rows, bottom) >= least for _, bottom, _ in metric.parts], axis=0)


def _of_means(
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]], shuffles: int, rng: np.random.Generator
) -> Outcome:
    """Whether the mean of two shares is the same: each share's rows are shuffled among themselves."""
    rates = [x.sum() / n.sum() for x, n in parts]
    spread = sum((p * (1 - p) / n for p, (_, n) in zip(rates, parts, strict=True)), np.zeros(len(parts[0][1])))
    if not spread.any():
        return Outcome(1.0, "permutation", shuffles)

    def beyond(each: list[Floats]) -> Any:
        mean = sum(each[1:], each[0])
        centre = (mean / spread).sum(-1, keepdims=True) / (1 / spread).sum()
        return ((mean - centre) ** 2 / spread).sum(-1)

    own = beyond([x / n for x, n in parts])
    drawn = beyond(
        [rng.multivariate_hypergeometric(n, int(x.sum()), size=shuffles, method="marginals") / n for x, n in parts]
    )
    return Outcome((np.count_nonzero(drawn >= own * (1 - 1e-9)) + 1) / (shuffles + 1), "permutation", shuffles)


def _lost(groups: Groups, metric: Metric, why: Message) -> Measure:
    n = int(sum(total(groups.rows, bottom).sum() for _, bottom, _ in metric.parts))
    return undefined(why, analysis="fairness", metric=metric.name, statistic="p_value", where=groups.gap, n=n)
