"""What the audit itself took, phase by phase: joules, watts, seconds and grams. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from ..criteria import Levels
from ..measure import Kind, Measure, Where, undefined
from ..messages import Message
from ..record import Cost
from .carbon import Grid, carbon

NO_JOULES = Message("no_energy", {"error": "no sensor that was read gave joules for this phase"})


def measures(costs: Sequence[Cost], grid: Grid, pue: float, levels: Levels) -> tuple[Measure, ...]:
    """Energy, power, duration and carbon of the whole audit (where = {}) and of each phase within it."""
    inner = [cost for cost in costs if "/" in cost.phase]
    lines: list[tuple[Where, Cost]] = [({}, whole(costs)), *(({"phase": cost.phase}, cost) for cost in inner)]
    return tuple(measure for where, cost in lines for measure in _line(where, cost, grid, pue, levels))


def whole(costs: Iterable[Cost]) -> Cost:
    """The outermost phases together; a rest of the path is inside one of them."""
    outer = [cost for cost in costs if "/" not in cost.phase]
    known = [cost for cost in outer if cost.joules is not None]
    seconds = fsum(cost.seconds for cost in outer)
    lost = {component: why for cost in outer for component, why in cost.undefined.items()}
    if not known:
        return Cost("", seconds, undefined=lost)
    joules = fsum(cost.joules or 0.0 for cost in known)
    measured = fsum((cost.joules or 0.0) * (cost.measured or 0.0) for cost in known)
    low = fsum(cost.joules_low or 0.0 for cost in known)
    high = fsum(cost.joules_high or 0.0 for cost in known)
    return Cost("", seconds, joules, low, high, measured / joules if joules else 0.0, lost)


def _line(where: Where, cost: Cost, grid: Grid, pue: float, levels: Levels) -> tuple[Measure, ...]:
    energy = _energy(where, cost, 1.0, "energy", "J", levels)
    power = _energy(where, cost, cost.seconds, "power", "W", levels)
    duration = Measure(
        analysis="energy",
        metric="duration",
        where=where,
        value=cost.seconds,
        method="monotonic clock",
        unit="s",
        n=1,
        details={"exact": True},
    )
    return energy, power, duration, carbon(energy, grid, pue)


def _energy(where: Where, cost: Cost, seconds: float, metric: str, unit: str, levels: Levels) -> Measure:
    """Joules, or joules a second, with the bounds of the sensors that were read."""
    level = levels.of("energy", metric, where=where)
    if cost.joules is None or seconds <= 0:
        said = "; ".join(dict.fromkeys(cost.undefined.values()))
        why = Message("no_energy", {"error": said}) if said else NO_JOULES
        return undefined(why, analysis="energy", metric=metric, n=0, where=where, unit=unit, level=level)
    share = cost.measured or 0.0
    kind: Kind = "measured" if share >= 1 else "estimated"
    return Measure(
        analysis="energy",
        metric=metric,
        where=where,
        value=cost.joules / seconds,
        low=None if cost.joules_low is None else cost.joules_low / seconds,
        high=None if cost.joules_high is None else cost.joules_high / seconds,
        level=level,
        method=f"meter around the phase, {100 * share:.3g} % of it measured",
        kind=kind,
        unit=unit,
        n=1,
        details={
            "share_measured": share,
            **({"interval": "bounds"} if cost.joules_low is not None else {}),
            **({"undefined": cost.undefined} if cost.undefined else {}),
        },
    )
