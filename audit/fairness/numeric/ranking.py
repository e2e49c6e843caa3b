"""Whom a ranking shows: attention, places at the top and quality of the order, by group. Loads no torch.

Of many queries the interval holds for further queries like these: their lists are what varies. Of one list it holds for
further rows like these, ranked anew: leave-one-out, in which the rows below move up [efron1993].
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ...analysis import Section
from ...intervals import Floats, wilson
from ...measure import Measure
from ...messages import Message
from ...ranking import Lists, attention, exposure, ndcg, selected, without
from ...state import Columns
from ..table.plan import Plan
from . import members as groups_of
from .chance import by_chance
from .estimates import Estimates, student
from .members import Members
from .quantities import Quantity, gaps, values
from .sample import DENSE, Sample, Spread

LABELLED = "rows with a relevance"
ROOM = 20_000_000  # numbers of leave-one-out estimates kept at once; of more groups only their own variances are taken

EXPOSURE = Quantity("exposure", positive=True, headline=True, permuted=True)
SELECTED = Quantity("top_k_selection_rate", positive=True, headline=True, permuted=True)
QUALITY = Quantity("ndcg", LABELLED)
DESERVED = Quantity("exposure_per_relevance", LABELLED, positive=True)


@dataclass(frozen=True)
class Ranked:
    """The rows of some lists.

    Attributes:
        score: [n]; relevance: [n], NaN = unknown; groups: [n, attributes]; query: [n] codes of the lists.
        cluster: [n] what hangs together: the lists, unless something larger was named.
    """

    score: Floats
    relevance: Floats
    groups: NDArray[np.int64]
    query: NDArray[np.int64]
    cluster: NDArray[np.int64]
    top: int

    @classmethod
    def of(cls, columns: dict[str, Any], top: int) -> Ranked:
        n = len(columns["score"])
        query = _codes(columns["query"]) if "query" in columns else np.zeros(n, np.int64)
        cluster = _codes(columns["cluster"]) if "cluster" in columns and "query" in columns else query
        return cls(columns["score"], columns["truth"], columns["groups"], query, cluster, top)

    def __len__(self) -> int:
        return len(self.score)

    @cached_property
    def lists(self) -> Lists:
        return Lists.of(self.score, self.query)

    @cached_property
    def exposure(self) -> Floats:
        """[n], 1 on average in each list."""
        return exposure(self.lists)

    @cached_property
    def selected(self) -> Floats:
        """[n], 1 for those at the top; of a tie the share that is."""
        return selected(self.lists, self.top)

    @property
    def single(self) -> bool:
        """Whether all rows are one list, or in lists of one cluster."""
        return not len(self) or not self.cluster.any()

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """[n], rows whose relevance is known, in lists where any is above 0."""
        known = ~np.isnan(self.relevance)
        some = np.bincount(self.query, np.where(known, self.relevance, 0.0)) > 0
        return known & some[self.query]

    @cached_property
    def judged(self) -> Ranked:
        """Those rows, ranked among themselves."""
        kept = self.kept
        picked = {name: getattr(self, name)[kept] for name in ("score", "relevance", "groups")}
        query, cluster = _codes(self.query[kept]), _codes(self.cluster[kept])
        return replace(self, query=query, cluster=cluster, **picked)


def section(people: Sequence[Attribute], rows: Columns, plan: Plan, top: int = 0) -> Section:
    """Exposure, places at the top, NDCG and exposure per relevance of each group; and the gaps.

    Args:
        people: the sensitive attributes.
        rows: score [n], truth [n] (relevance; NaN = unknown), groups [n, attributes] and, where there are any, query,
            cluster.
        plan: how the numbers are asked for.
        top: how many of each list count as selected; 0 for a tenth of it.
    """
    _, columns = rows.sorted()
    if not columns:
        return Section()
    return Section(measures=tuple(_measures(people, Ranked.of(columns, top), plan)))


def _measures(people: Sequence[Attribute], ranked: Ranked, plan: Plan) -> Iterator[Measure]:
    everyone = groups_of.everyone(len(ranked))
    yield from values(SELECTED, everyone, _selection(ranked, everyone.code, everyone), plan)
    for members in groups_of.groupings(people, ranked.groups, plan.depth):
        for quantity, e in _estimates(ranked, members):
            yield from values(quantity, members, e, plan)
            yield from gaps(quantity, members, e, plan)
        for quantity, amount in ((EXPOSURE, ranked.exposure), (SELECTED, ranked.selected)):
            yield from by_chance(quantity, members, amount, ranked.query, plan)
    for members in groups_of.unknown(people, ranked.groups):
        for quantity, e in _estimates(ranked, members):
            yield from values(quantity, members, e, plan)


def _estimates(ranked: Ranked, members: Members) -> Iterator[tuple[Quantity, Estimates]]:
    yield EXPOSURE, _exposure(ranked, members)
    yield SELECTED, _selection(ranked, members.code, members)
    judged = ranked.judged
    if len(judged):
        code = members.code[ranked.kept]
        yield QUALITY, _quality(judged, code, members)
        yield DESERVED, _deserved(judged, code, members)


def _exposure(ranked: Ranked, members: Members) -> Estimates:
    """The mean exposure of each group's rows."""
    sample, inside = _sample(ranked, members.code, len(members))
    amount = ranked.exposure[inside]
    value = sample.mean(amount)
    if not ranked.single:
        spread = sample.spread(amount - value[sample.code])
        return _told(sample, value, spread, "student-t over lists", EXPOSURE.of)
    spread = _leave_one_out(ranked, members.code, sample.n, None)
    return _told(sample, value, spread, "jackknife of rows", EXPOSURE.of)


def _selection(ranked: Ranked, code: NDArray[np.int64], members: Members) -> Estimates:
    """The share of each group's rows that stand at the top, with Wilson's interval."""
    sample, inside = _sample(ranked, code, len(members))
    amount = ranked.selected[inside]
    value = sample.mean(amount)
    nothing = np.full(len(members), np.nan)
    spread, rows, method = Spread(nothing, nothing), sample.n.astype(float), "wilson"
    if not ranked.single:
        spread, method = sample.spread(amount - value[sample.code]), "wilson over lists"
        with np.errstate(divide="ignore", invalid="ignore"):
            rows = value * (1 - value) / spread.variance
        rows = np.minimum(np.where(np.isfinite(rows), rows, np.nan_to_num(spread.freedom) + 1), sample.n)

    def ends(level: float) -> tuple[Floats, Floats]:
        return wilson(np.nan_to_num(value) * rows, rows, level)

    why = _why(sample, SELECTED.of)
    effective = None if ranked.single else rows
    return Estimates(value, spread, sample.n, effective, why, ends, method, joined=True, shares=True)


def _quality(judged: Ranked, code: NDArray[np.int64], members: Members) -> Estimates:
    """NDCG of each group's own rows among themselves, in the order of the whole list; the mean over lists.

    Lists in which the group has fewer than two rows, or none that is relevant, say nothing of it. Where every list is
    about one group alone (queries of different people), this is the NDCG of its lists [ekstrand2018].
    """
    kept = code >= 0
    key = code[kept] * (int(judged.query.max()) + 1) + judged.query[kept]
    _, first, own = np.unique(key, return_index=True, return_inverse=True)
    found = ndcg(Lists.of(judged.score[kept], own), judged.relevance[kept])
    told = np.isfinite(found)
    group, cluster = code[kept][first][told], judged.cluster[kept][first][told]
    sample = Sample(group, len(members), cluster=cluster.astype(np.uint64))
    value = sample.mean(found[told])
    rows = np.bincount(code[kept], np.isfinite(found)[own].astype(float), minlength=len(members)).astype(np.int64)
    spread = sample.spread(found[told] - value[group])
    why = tuple(None if n else Message("no_list_to_order") for n in rows)
    method = "student-t over lists"
    if judged.single:
        spread, method = _orders_without_one(judged, code, len(members)), "jackknife of rows"
    return Estimates(value, spread, rows, None, why, student(value, spread, 0.0, 1.0), method)


def _orders_without_one(judged: Ranked, code: NDArray[np.int64], groups: int) -> Spread:
    """The jackknife's spread of the NDCG of each group in one list: (n−1)/n Σ (θ₍₋ᵢ₎ − θ̄)² over its own rows."""
    kept = code >= 0
    relevance, own = judged.relevance[kept], _codes(code[kept])
    best = without(Lists.of(relevance, own), relevance)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = without(Lists.of(judged.score[kept], own), relevance) / best
    sample = Sample(code[kept], groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(sample.n > 2, sample.n - 1.0, np.nan)
        # a group whose only relevant row is left out has no order to speak of: NaN, and no interval
        return Spread(freedom / sample.n * sample.total((each - sample.mean(each)[sample.code]) ** 2), freedom)


def _deserved(judged: Ranked, code: NDArray[np.int64], members: Members) -> Estimates:
    """A group's exposure over its relevance, each as a multiple of the list's mean [singh2018, biega2018].

    1 is attention in proportion to relevance; the ratio of two groups is their disparate treatment ratio.
    """
    sample, inside = _sample(judged, code, len(members))
    amount = judged.exposure[inside]
    mean = np.bincount(judged.query, judged.relevance) / np.bincount(judged.query)
    relevance = (judged.relevance / mean[judged.query])[inside]
    merit = sample.mean(relevance)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(merit > 0, sample.mean(amount) / merit, np.nan)
        influence = (amount - value[sample.code] * relevance) / merit[sample.code]
    why = tuple(
        old or (None if merit[k] > 0 else Message("no_relevance")) for k, old in enumerate(_why(sample, LABELLED))
    )
    if not judged.single:
        spread = sample.spread(np.nan_to_num(influence))
        return _told(sample, value, spread, "student-t over lists", LABELLED, why)
    spread = _leave_one_out(judged, code, sample.n, judged.relevance)
    return _told(sample, value, spread, "jackknife of rows", LABELLED, why)


def _leave_one_out(ranked: Ranked, code: NDArray[np.int64], n: NDArray[np.int64], relevance: Floats | None) -> Spread:
    """The jackknife's spread of exposure, or of exposure per relevance, of groups in one list.

    V = (n−1)/n Σ (θ₍₋ᵢ₎ − θ̄)² [efron1993], each θ₍₋ᵢ₎ exact: without a row, those below it move up by one.
    """
    rows, groups = len(ranked), len(n)
    lists, merit = ranked.lists, np.ones(rows) if relevance is None else relevance
    if rows < 3:
        return Spread(np.full(groups, np.nan), np.full(groups, np.nan))
    mean = attention(np.arange(rows - 1)).sum() / (merit.sum() - merit)  # attention there is, over what earns it
    freedom = np.where(n > 1, n - 1.0, np.nan)
    variance, kept = np.full(groups, np.nan), groups <= DENSE and rows * groups <= ROOM
    scores = np.zeros((rows if kept else 0, groups))
    for k in range(groups):
        mine = (code == k).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            each = without(lists, mine) / ((mine * merit).sum() - mine * merit) / mean
        if not np.isfinite(each).all():  # without one row nothing would be left
            continue
        off = (each - each.mean()) * np.sqrt((rows - 1) / rows)
        variance[k] = (off**2).sum()
        if kept:
            scores[:, k] = off
    return Spread(variance, freedom, scores.T @ scores if kept else None)


def _sample(ranked: Ranked, code: NDArray[np.int64], groups: int) -> tuple[Sample, NDArray[np.bool_]]:
    inside = code >= 0
    return Sample(code[inside], groups, cluster=ranked.cluster[inside].astype(np.uint64)), inside


def _told(
    sample: Sample, value: Floats, spread: Spread, method: str, of: str, why: tuple[Message | None, ...] = ()
) -> Estimates:
    why = why or _why(sample, of)
    value = np.where([reason is None for reason in why], value, np.nan)
    return Estimates(value, spread, sample.n, None, why, student(value, spread, 0.0), method)


def _why(sample: Sample, of: str) -> tuple[Message | None, ...]:
    return tuple(None if n else Message("empty_denominator", {"of": of}) for n in sample.n)


def _codes(names: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
