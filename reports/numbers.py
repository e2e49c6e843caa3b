"""How a measure becomes text: rounding that does not lie, digits that fit the interval, units a person can read."""

from __future__ import annotations

import math

from ..audit.measure import Measure
from .plain import plain
from .words import LEVELS, POINTS, YES_OR_NO, metric

GAP = "\u00a0"  # between a number and its unit: no line breaks there
MINUS = "\u2212"
SCALES: dict[str, tuple[tuple[float, str], ...]] = {  # largest first; below the last, the last
    "J": ((3.6e6, "kWh"), (1e3, "kJ"), (1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")),
    "W": ((1e3, "kW"), (1.0, "W"), (1e-3, "mW")),
    "gCO2e": ((1e3, "kg CO₂e"), (1.0, "g CO₂e"), (1e-3, "mg CO₂e"), (1e-6, "µg CO₂e")),
    "g": ((1e3, "kg"), (1.0, "g"), (1e-3, "mg"), (1e-6, "µg")),
    "s": ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes")),
}
MANY = 1e6  # an e-value from which on nobody counts
UNITS = {"1": "", "": "", "1/s": f"{GAP}per{GAP}second"}


def value(measure: Measure) -> str:
    """The measure's value with its unit, or why there is none: "18.9 %", "3.42 mJ", "not measured: no labels"."""
    if measure.value is None:
        return f"not measured: {plain(measure.reason, 200)}"
    half = half_width(measure)
    if measure.metric in ("rows", "duplicate_rows") or measure.unit in ("rows", "count"):
        return count(measure.value)
    if is_share(measure):
        return points(measure.value, half) if measure.statistic in POINTS else percent(measure.value, half)
    if measure.statistic.endswith("p_value"):
        return chance(measure.value)
    if measure.statistic == "e_value":
        return significant(measure.value) if measure.value < MANY else f"over{GAP}{count(MANY)}"
    if measure.metric in YES_OR_NO and measure.value in (0, 1) and measure.statistic == "value":
        return YES_OR_NO[measure.metric][int(measure.value)]
    if measure.unit in SCALES:
        return quantity(measure.value, measure.unit)
    unit = UNITS.get(measure.unit, GAP + plain(measure.unit, 24))
    return decimal(measure.value, half, metric(measure.metric).bounded and measure.statistic == "value") + unit


def interval(measure: Measure) -> str:
    """The interval in the unit and digits of the value: "5.6 to 8.6", "at least 1.2"; empty where there is none."""
    if measure.value is None or (measure.low is None and measure.high is None):
        return ""
    low, high = (None if end is None else _end(end, measure) for end in (measure.low, measure.high))
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at most {high}" if low is None else f"at least {low}"


def _end(end: float, measure: Measure) -> str:
    """One end of the interval, without its unit."""
    half = half_width(measure)
    if is_share(measure):
        shown = (percent if measure.statistic in LEVELS else points)(end, half)
        return shown.removesuffix(GAP + "%").removesuffix(GAP + "points")
    if measure.unit in SCALES:
        factor, _ = scale(measure.value or 0.0, measure.unit)
        return significant(end / factor)
    return _fixed(end, decimal_digits(half))


def cell(measure: Measure) -> str:
    """The interval as a table shows it: with its unit, and named where it is a range; a dash where there is none."""
    span = interval(measure)
    if not span or measure.value is None:
        return "–"
    unit = ""
    if is_share(measure):
        unit = GAP + ("%" if measure.statistic in LEVELS else "points")
    elif measure.unit in SCALES:
        unit = GAP + scale(measure.value, measure.unit)[1]
    return span + unit + (", range" if is_range(measure) else "")


def is_range(measure: Measure) -> bool:
    """Whether low and high are the bounds of a model or sensor, which no confidence level belongs to."""
    return measure.details.get("interval") == "bounds"


def spread(measure: Measure) -> str:
    """What low and high are: "95 % interval", or "range"."""
    return "range" if is_range(measure) else f"{level(measure.level)} interval"


def level(confidence: float) -> str:
    """A confidence level: "95 %", "99.9 %"."""
    return f"{100 * confidence:.6g}{GAP}%"


def percent(share: float, half: float | None = None) -> str:
    """A share as a percentage that never rounds to all or nothing unless it is.

    >>> percent(0.9996).replace(GAP, " "), percent(0.0002).replace(GAP, " "), percent(1.0).replace(GAP, " ")
    ('>99.9 %', '<0.1 %', '100 %')
    """
    if share in (0.0, 1.0):
        return f"{100 * share:.0f}{GAP}%"
    digits = share_digits(half)
    step = 10.0**-digits
    text = f"{100 * share:.{digits}f}"
    if 0 < share < 1 and float(text) >= 100:
        text = f">{100 - step:.{digits}f}"
    elif 0 < share < 1 and float(text) <= 0:
        text = f"<{step:.{digits}f}"
    elif share < 0 and float(text) == 0:
        text = f">-{step:.{digits}f}"
    return text.replace("-", MINUS) + f"{GAP}%"


def chance(p: float) -> str:
    """A p-value: "0.034", "<0.001"; never 0.

    >>> chance(0.0341), chance(0.00002), chance(0.62)
    ('0.034', '<0.001', '0.62')
    """
    return "<0.001" if p < 0.001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def p_value(p: float) -> str:
    """A p-value in a sentence: "p = 0.034", "p < 0.001"; no line breaks within.

    >>> p_value(0.0341).replace(GAP, " "), p_value(0.00002).replace(GAP, " ")
    ('p = 0.034', 'p < 0.001')
    """
    told = chance(p)
    return f"p{GAP}<{GAP}{told[1:]}" if told.startswith("<") else f"p{GAP}={GAP}{told}"


def points(difference: float, half: float | None = None) -> str:
    """A difference of shares in percentage points: "19.5 points"; with no more digits than its interval supports."""
    digits = share_digits(half)
    text = _fixed(100 * difference, digits)
    if half is None and difference and _read(text) == 0:
        text = significant(100 * difference)
    return f"{text}{GAP}points"


def quantity(amount: float, unit: str) -> str:
    """An amount at the scale where a person reads it, to three significant digits.

    >>> quantity(0.00342, "J").replace(GAP, " "), quantity(540_000, "J").replace(GAP, " ")
    ('3.42 mJ', '540 kJ')
    """
    if unit not in SCALES:
        return f"{significant(amount)}{'' if unit in ('1', '') else GAP + plain(unit, 24)}"
    factor, name = scale(amount, unit)
    return f"{significant(amount / factor)}{GAP}{name}"


def scale(amount: float, unit: str) -> tuple[float, str]:
    """The factor and the name of the scale at which an amount is shown."""
    scales = SCALES[unit]
    size = float(f"{abs(amount):.3g}")  # 999.9 J rounds to 1000: show it as 1 kJ
    if size == 0:
        return next(s for s in scales if s[0] == 1.0)
    return next((s for s in scales if size >= s[0]), scales[-1])


def decimal(number: float, half: float | None = None, bounded: bool = False) -> str:
    """A pure number with the digits that its interval supports; a bounded one never rounds up to 1 or down to 0."""
    digits = decimal_digits(half)
    text = _fixed(number, digits)
    if bounded and 0 < number < 1 and _read(text) in (0.0, 1.0):
        step = 10.0**-digits
        return f">{1 - step:.{digits}f}" if number > 0.5 else f"<{step:.{digits}f}"
    if number and _read(text) == 0:
        return significant(number)
    return text


def count(number: float) -> str:
    """A number of things, with separators: 48,842."""
    return f"{number:,.0f}".replace("-", MINUS)


def significant(number: float, digits: int = 3) -> str:
    """A number to so many significant digits, written out: never 1e+03."""
    if number == 0:
        return "0"
    rounded = float(f"{number:.{digits}g}")
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{places}f}".replace("-", MINUS)


def half_width(measure: Measure) -> float | None:
    """Half of the interval, or how far its only end is from the value; None where there is none."""
    if measure.low is not None and measure.high is not None:
        return (measure.high - measure.low) / 2
    end = measure.high if measure.low is None else measure.low
    return None if end is None or measure.value is None else abs(measure.value - end)


def is_share(measure: Measure) -> bool:
    """Whether the measure is a share (or a difference of shares), shown in percent or percentage points."""
    return measure.unit == "1" and measure.statistic in LEVELS | POINTS and metric(measure.metric).share


def share_digits(half: float | None) -> int:
    """Decimals of a percentage whose interval reaches `half` (a share) to either side."""
    if half is None or half == 0:
        return 1
    return 0 if half >= 0.1 else 1 if half >= 0.001 else 2 if half >= 0.0001 else 3


def decimal_digits(half: float | None) -> int:
    """Decimals of a pure number whose interval reaches `half` to either side: 0 to 5, two digits of the half-width."""
    if not half:
        return 3
    return min(5, max(0, 1 - math.floor(math.log10(half))))


def _fixed(number: float, digits: int) -> str:
    text = f"{number:,.{digits}f}"
    return (text if _read(text) else text.lstrip("-")).replace("-", MINUS)


def _read(text: str) -> float:
    return float(text.replace(",", "").replace(MINUS, "-"))
