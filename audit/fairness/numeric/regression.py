"""Errors and predictions of a regression by group. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Attribute
from ...analysis import Section
from ...intervals import Floats
from ...measure import Measure
from ...messages import Message
from ...state import Columns
from ..table.plan import Plan
from . import bounds
from . import members as groups_of
from .bounds import Amounts
from .estimates import Estimates, student
from .members import Members
from .quantiles import Ordered, quantile
from .quantities import MANY, Quantity, gaps, values
from .sample import Sample

ROWS, LABELLED = "rows", "rows with a label"
NEEDED = 2  # rows of a group; one alone does not tell how far the next would differ
QUANTILES = {"quantile_10": 0.1, "median": 0.5, "quantile_90": 0.9}


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of some groups, each with its prediction and, of labelled ones, its target.

    Attributes:
        why: for each group why its rows tell nothing, or None.
    """

    sample: Sample
    prediction: Floats
    target: Floats
    why: tuple[Message | None, ...]


Measured = Callable[[Facts], Estimates]


def section(people: Sequence[Attribute], rows: Columns, plan: Plan, unit: str = "1") -> Section:
    """Every quantity of everyone, of each group, of rows whose level is not known; and the gaps.

    Args:
        people: the sensitive attributes.
        rows: score [n], truth [n] (NaN = no label), groups [n, attributes] and, where there are any, weight, cluster.
        plan: how the numbers are asked for.
        unit: of prediction and target.
    """
    _, columns = rows.sorted()
    if not columns:
        return Section()
    return Section(measures=tuple(_measures(people, columns, plan, unit)))


def _measures(people: Sequence[Attribute], columns: dict[str, Any], plan: Plan, unit: str) -> Iterator[Measure]:
    asked = tuple(_quantities(columns, unit))
    elsewhere = frozenset() if {"weight", "cluster"} & columns.keys() else ELSEWHERE
    for quantity, measured in asked:
        if quantity.name not in elsewhere:
            everyone = groups_of.everyone(len(columns["score"]))
            yield from values(quantity, everyone, measured(_facts(columns, everyone, quantity)), plan)
    for members in groups_of.groupings(people, columns["groups"], plan.depth):
        for quantity, measured in asked:
            e = measured(_facts(columns, members, quantity))
            yield from values(quantity, members, e, plan)
            yield from gaps(quantity, members, e, plan)
            if (members.code < 0).any() and (len(members) <= MANY or quantity.headline):
                yield from bounds.measures(quantity, members, _amounts(columns, members, quantity), plan)
    for members in groups_of.unknown(people, columns["groups"]):
        for quantity, measured in asked:
            yield from values(quantity, members, measured(_facts(columns, members, quantity)), plan)


def _amounts(columns: dict[str, Any], members: Members, quantity: Quantity) -> Amounts | None:
    """What a number of a group is the mean of; None where it is none."""
    kept = np.ones(len(columns["score"]), bool) if quantity.of == ROWS else ~np.isnan(columns["truth"])
    prediction, target = columns["score"][kept], columns["truth"][kept]
    weight = columns["weight"][kept] if "weight" in columns else np.ones(len(prediction))
    codes, member = columns["groups"][kept][:, list(members.axes)], members.code[kept]
    match quantity.name:
        case "mean_prediction":
            return Amounts(codes, member, prediction, weight)
        case "mean_target":
            return Amounts(codes, member, target, weight)
        case "mean_error" | "calibration_in_the_large":
            return Amounts(codes, member, prediction - target, weight)
        case "mean_absolute_error":
            return Amounts(codes, member, np.abs(prediction - target), weight)
        case "root_mean_squared_error":
            return Amounts(codes, member, (prediction - target) ** 2, weight, root=True)
        case "observed_to_expected" if (prediction > 0).all():
            # Σ y / Σ ŷ is the mean of y / ŷ weighed by ŷ
            return Amounts(codes, member, target / prediction, weight * prediction)
        case _:
            return None


ELSEWHERE = frozenset({"mean_error", "mean_absolute_error", "root_mean_squared_error", "r_squared"})
"""What the analysis of performance tells of everyone, of rows that each stand for themselves."""


def _quantities(columns: dict[str, Any], unit: str) -> Iterator[tuple[Quantity, Measured]]:
    """What can be measured of these rows: without labels only what needs none."""
    prediction, target = columns["score"], columns["truth"]
    above = bool((prediction > 0).all())
    yield Quantity("mean_prediction", ROWS, unit, positive=above, headline=True), _mean(_prediction)
    for name, share in QUANTILES.items():
        yield Quantity(f"{name}_prediction", ROWS, unit, deep=False), _quantile(_prediction, share)
    known = ~np.isnan(target)
    if known.any():
        least = float(target[known].min())
        yield Quantity("mean_target", LABELLED, unit, positive=least > 0), _mean(_target)
        yield from _of_errors(unit)
        if least >= 0:
            yield Quantity("observed_to_expected", LABELLED, positive=True), _observed_to_expected


def _of_errors(unit: str) -> Iterator[tuple[Quantity, Measured]]:
    yield Quantity("mean_error", LABELLED, unit, headline=True), _mean(_error)
    yield Quantity("mean_absolute_error", LABELLED, unit, positive=True, headline=True), _absolute
    yield Quantity("root_mean_squared_error", LABELLED, unit, positive=True), _root_mean_square
    yield Quantity("r_squared", LABELLED), _r_squared
    # the same number as the mean error, under the name by which a criterion for any task asks for it
    yield Quantity("calibration_in_the_large", LABELLED, unit, deep=False), _mean(_error)
    for name, share in QUANTILES.items():
        yield Quantity(f"{name}_error", LABELLED, unit, deep=False), _quantile(_error, share)


def _prediction(facts: Facts) -> Floats:
    return facts.prediction


def _target(facts: Facts) -> Floats:
    return facts.target


def _error(facts: Facts) -> Floats:
    return facts.prediction - facts.target


def _facts(columns: dict[str, Any], members: Members, quantity: Quantity) -> Facts:
    kept = members.code >= 0
    if quantity.of == LABELLED:
        kept = kept & ~np.isnan(columns["truth"])
    picked: dict[str, NDArray[Any]] = {name: column[kept] for name, column in columns.items()}
    sample = Sample(members.code[kept], len(members), picked.get("weight"), picked.get("cluster"))
    why = tuple(_why(sample, k, quantity.of) for k in range(len(members)))
    return Facts(sample, picked["score"], picked["truth"], why)


def _why(sample: Sample, k: int, of: str) -> Message | None:
    n = int(sample.n[k])
    if not n:
        return Message("empty_denominator", {"of": of})
    if sample.whole[k] <= 0:
        return Message("no_weight", {"of": of})
    return Message("too_few_rows", {"n": n, "needed": NEEDED}) if n < NEEDED else None


def _estimates(
    facts: Facts,
    value: Floats,
    influence: Floats,
    method: str = "student-t",
    least: float = -np.inf,
    most: float = np.inf,
    why: tuple[Message | None, ...] = (),
) -> Estimates:
    """Estimates from influence functions at the rows [hampel1974]."""
    sample, why = facts.sample, why or facts.why
    value = np.where([reason is None for reason in why], value, np.nan)
    spread = sample.spread(np.nan_to_num(influence))
    effective = None if sample.weight is None else sample.effective
    suffix = "-cluster" if sample.cluster is not None else "-kish" if sample.weight is not None else ""
    return Estimates(value, spread, sample.n, effective, why, student(value, spread, least, most), method + suffix)


def _mean(of: Callable[[Facts], Floats]) -> Measured:
    def measured(facts: Facts) -> Estimates:
        mean = facts.sample.mean(of(facts))
        return _estimates(facts, mean, of(facts) - mean[facts.sample.code])

    return measured


def _absolute(facts: Facts) -> Estimates:
    size = np.abs(_error(facts))
    mean = facts.sample.mean(size)
    return _estimates(facts, mean, size - mean[facts.sample.code], least=0.0)


def _root_mean_square(facts: Facts) -> Estimates:
    """√ of the mean square; its interval is the root of the mean square's."""
    square = _error(facts) ** 2
    mean = facts.sample.mean(square)
    root = np.sqrt(mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        influence = (square - mean[facts.sample.code]) / (2 * root[facts.sample.code])
    e = _estimates(facts, root, influence, "student-t of the squares")
    of_squares = student(mean, facts.sample.spread(square - mean[facts.sample.code]), least=0.0)

    def ends(level: float) -> tuple[Floats, Floats]:
        low, high = of_squares(level)
        return np.sqrt(low), np.sqrt(high)

    return Estimates(e.value, e.spread, e.n, e.effective, e.why, ends, e.method)


def _r_squared(facts: Facts) -> Estimates:
    """1 − Σ e² / Σ (y − ȳ)², the mean ȳ being the group's own."""
    sample, square = facts.sample, _error(facts) ** 2
    off = (facts.target - sample.mean(facts.target)[sample.code]) ** 2
    spread = sample.mean(off)
    level = np.bincount(sample.code, facts.target**2, minlength=sample.groups) / np.maximum(sample.n, 1)
    flat = ~(spread > 1e-24 * level)  # rounding of a constant's mean is no spread
    why = tuple(old or (Message("constant_target") if flat[k] else None) for k, old in enumerate(facts.why))
    with np.errstate(divide="ignore", invalid="ignore"):
        left = sample.mean(square) / spread
        influence = -(square - left[sample.code] * off) / spread[sample.code]
    influence = np.where(flat[sample.code], 0.0, influence)
    return _estimates(facts, 1 - left, influence, "influence function", most=1.0, why=why)


def _observed_to_expected(facts: Facts) -> Estimates:
    """Σ y / Σ ŷ: above 1 more came than was predicted [steyerberg2010]."""
    sample, mean = facts.sample, facts.sample.mean(facts.prediction)
    why = tuple(old or (None if mean[k] > 0 else Message("no_positive_prediction")) for k, old in enumerate(facts.why))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = sample.mean(facts.target) / mean
        influence = (facts.target - value[sample.code] * facts.prediction) / mean[sample.code]
    return _estimates(facts, value, influence, "influence function", least=0.0, why=why)


def _quantile(of: Callable[[Facts], Floats], share: float) -> Measured:
    def measured(facts: Facts) -> Estimates:
        return quantile(facts.sample, Ordered.of(facts.sample, of(facts)), of(facts), share, facts.why)

    return measured
