"""Groups over time: rates and gaps by time window, and a test that may be read after every one. Loads no torch."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ....models.windows import left_out
from ...analysis import Section, joined
from ...findings import Finding
from ...measure import Measure, Where, undefined
from ...messages import Message
from ...record import Exhibit
from ..comparison import gaps, rates
from ..table.context import Context
from ..table.groups import Groups, Stratum, View, everyone, group
from ..table.metrics import Metric, total
from .betting import Wealth, average, wealth

HEADLINE = ("selection_rate", "true_positive_rate", "false_positive_rate")
WINDOWS = 60  # that are tabulated, the last ones
LEVELS = 50  # of an attribute that is tabulated by window
WINDOW = "window"  # the key of a window in `where`


def section(context: Context) -> Section:
    """Rates, gaps and the test by betting; nothing where rows have no time."""
    if context.axes.window is None:
        return Section()
    return joined([_tabulated(context), *(part for part in _tests(context)), Section(limitations=_limits(context))])


def _tabulated(context: Context) -> Section:
    """Headline rates of everyone and of each group in each window, and their gaps."""
    return Section(tuple(_by_window(context)))


def _by_window(context: Context) -> Iterator[Measure]:
    for code, label in _shown(context):
        stratum = Stratum(context.axes.time, code, {WINDOW: label})
        for view in context.views:
            own = _headline(context, view)
            if own is None:
                continue
            inside = _everyone_in(context, own, stratum)
            yield from rates.measures(inside, context.plan)
            if not inside.rows.any():  # that is said once, and not of every group
                continue
            for axis, attribute in enumerate(context.axes.people):
                if len(attribute.levels) <= LEVELS:
                    groups = group(context.table, context.axes.people, (axis,), own, stratum)
                    yield from rates.measures(groups, context.plan)
                    told = gaps.measures(groups, replace(context.plan, replicates=0))
                    yield from (m for m in told if m.statistic in ("difference", "ratio"))


def _everyone_in(context: Context, view: View, stratum: Stratum) -> Groups:
    kept = stratum.rows(context.table)
    table = context.table
    columns = {name: getattr(table, name) for name in ("keys", "counts", "weights", "clusters")}
    inside = {name: None if values is None else values[kept] for name, values in columns.items()}
    found = everyone(replace(table, **inside), view)
    return replace(found, places=tuple({**place, **stratum.where} for place in found.places))


def _shown(context: Context) -> list[tuple[int, str]]:
    """The windows that are tabulated, as code and name."""
    assert context.axes.window is not None
    return list(enumerate(context.axes.window.levels))[-WINDOWS:]


def _headline(context: Context, view: View) -> View | None:
    """The view with headline metrics alone; None where it has none."""
    metrics = tuple(m for m in view.metrics if m.name in _names(context))
    return replace(view, metrics=metrics) if metrics else None


def _names(context: Context) -> tuple[str, ...]:
    return HEADLINE if context.labelled else HEADLINE[:1]


def _tests(context: Context) -> Iterator[Section]:
    for view in context.views:
        own = _headline(context, view)
        for axis, attribute in enumerate(context.axes.people):
            for metric in () if own is None else own.metrics:
                yield _test(context, own or view, axis, attribute, metric)


def _test(context: Context, view: View, axis: int, attribute: Attribute, metric: Metric) -> Section:
    """The bettor's wealth against equal rates of an attribute's levels, of which each is held against the rest."""
    where = {"attribute": attribute.name, **view.where}
    level = context.plan.level(metric.name, "e_value", where)
    part, whole = _counted(context, view, axis, metric)  # [windows, levels]
    n = int(whole.sum())
    common: dict[str, Any] = {"analysis": "fairness", "metric": metric.name, "statistic": "e_value", "where": where}
    common |= {"n": n, "level": level, "method": "betting"}
    if context.table.weights is not None or context.table.clusters is not None:
        return Section((undefined(Message("not_independent"), **common),))
    both = ((whole > 0).sum(1) > 1).sum()
    if both < 2:
        return Section((undefined(Message("no_windows"), **common),))
    found = _wealth(context, part, whole, attribute, metric)
    told = _told(context, found, level)
    data = {**_rates_by_window(context, part, whole, attribute), **told}
    measure = Measure(value=found.final, details={"exact": True, **_short(told)}, **common)
    finding = _finding(where, metric, attribute, measure, told, (part, whole))
    exhibit = Exhibit("fairness", "monitoring", {"metric": metric.name, **data}, where)
    return Section((measure,), (exhibit,), tuple(finding))


def _counted(context: Context, view: View, axis: int, metric: Metric) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[windows, levels] numerators and denominators of a metric; rows of no known level or window left out."""
    window = context.axes.window
    assert window is not None
    codes, counts = context.table.codes(), context.table.counts
    levels = len(context.axes.people[axis].levels)
    known = (codes[axis] < levels) & (codes[context.axes.time] < len(window.levels))
    cell = view.cell[codes[-2], codes[-1]]
    place = (codes[context.axes.time] * levels + codes[axis]) * 6 + cell
    flat = np.bincount(place[known], counts[known], minlength=len(window.levels) * levels * 6)
    table = flat.reshape(len(window.levels), levels, 3, 2).round().astype(np.int64)
    return total(table, metric.top), total(table, metric.bottom)


def _wealth(
    context: Context, part: NDArray[np.int64], whole: NDArray[np.int64], attribute: Attribute, metric: Metric
) -> Wealth:
    """Of two levels their own wealth; of more the mean over each level against the rest."""
    seen = np.flatnonzero(whole.sum(0))
    if len(seen) == 2:
        return _against(context, part, whole, attribute, metric, int(seen[0]), int(seen[1]))
    return average([_against(context, part, whole, attribute, metric, int(k), None) for k in seen])


def _against(
    context: Context,
    part: NDArray[np.int64],
    whole: NDArray[np.int64],
    attribute: Attribute,
    metric: Metric,
    one: int,
    other: int | None,
) -> Wealth:
    x0, n0 = part[:, one], whole[:, one]
    rest = (part.sum(1) - x0, whole.sum(1) - n0) if other is None else (part[:, other], whole[:, other])
    name = f"{attribute.name}\x1f{attribute.levels[one]}\x1f{metric.name}"
    seed = [context.plan.seed, zlib.crc32(name.encode("utf-8", "surrogatepass"))]
    counts = np.stack([x0, n0, *rest], 1).tolist()
    return wealth([(a, b, c, d) for a, b, c, d in counts], seed)


def _told(context: Context, found: Wealth, level: float) -> dict[str, Any]:
    assert context.axes.window is not None
    first = found.rejects(1 - level)
    return {
        "log10_wealth": (found.log / np.log(10)).round(6).tolist(),
        "threshold": round(1 / (1 - level), 6),
        "rejected_in": None if first is None else context.axes.window.levels[first],
        "p_value": found.p_value,
        "bets": found.bets,
    }


def _short(told: dict[str, Any]) -> dict[str, Any]:
    """What a measure says of the test: all but the whole course of the wealth."""
    return {key: value for key, value in told.items() if key != "log10_wealth"}


def _rates_by_window(
    context: Context, part: NDArray[np.int64], whole: NDArray[np.int64], attribute: Attribute
) -> dict[str, Any]:
    """Rates by window of the levels with most rows, for a picture."""
    assert context.axes.window is not None
    largest = np.sort(np.argsort(-whole.sum(0), kind="stable")[:10])
    return {
        "windows": list(context.axes.window.levels),
        "groups": [attribute.levels[k] for k in largest],
        "rates": [
            [x / n if n else None for x, n in zip(*rows, strict=True)] for rows in _columns(part, whole, largest)
        ],
        "n": [whole[:, k].tolist() for k in largest],
    }


def _columns(
    part: NDArray[np.int64], whole: NDArray[np.int64], places: NDArray[np.intp]
) -> Iterator[tuple[list[int], list[int]]]:
    return ((part[:, k].tolist(), whole[:, k].tolist()) for k in places)


def _finding(
    where: Where,
    metric: Metric,
    attribute: Attribute,
    measure: Measure,
    told: dict[str, Any],
    counted: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Iterator[Finding]:
    """What the test over time says of the headline metric, and of any other that it rejects."""
    if told["rejected_in"] is None and metric.name != HEADLINE[0]:
        return
    part, whole = (counts.sum(0) for counts in counted)
    rate = np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
    pair = [attribute.levels[int(np.nanargmin(rate))], attribute.levels[int(np.nanargmax(rate))]]
    parameters = {"where": where, "metric": metric.name, "e_value": measure.value, "level": measure.level}
    parameters |= {"rejected_in": told["rejected_in"], "p_value": told["p_value"], "n": measure.n, "pair": pair}
    parameters |= {"threshold": told["threshold"], "windows": int((counted[1].sum(1) > 0).sum())}
    place = ", ".join(f"{key}={value}" for key, value in sorted(where.items()))
    severity = "medium" if told["rejected_in"] is not None and metric.name == HEADLINE[0] else "low"
    name = f"fairness.over_time[{metric.name}, {place}]"
    yield Finding(name, "over_time", parameters, severity=severity, evidence=(0,))


def _limits(context: Context) -> tuple[Message, ...]:
    """What is left out of the tables."""
    window = context.axes.window
    assert window is not None
    by_window = context.table.marginal(context.axes.time)
    found: list[Message] = []
    if by_window[-1]:
        found.append(Message("unknown_window", {"count": int(by_window[-1]), "n": int(by_window.sum())}))
    empty, between = int((by_window[:-1] == 0).sum()), left_out(window.levels)
    if empty or between:
        ends = {"first": window.levels[0], "last": window.levels[-1]}
        told = {"count": empty + between, "windows": len(window.levels) + between, **ends}
        found.append(Message("windows_without_rows", told))
    if len(window.levels) > WINDOWS:
        found.append(Message("windows_left_out", {"windows": len(window.levels), "shown": WINDOWS}))
    for attribute in context.axes.people:
        if len(attribute.levels) > LEVELS:
            levels = {"attribute": attribute.name, "levels": len(attribute.levels)}
            found.append(Message("groups_left_out_over_time", levels))
    return tuple(found)
