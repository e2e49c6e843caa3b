"""Joules as grams of CO2 equivalent: what a grid emits for a kilowatt-hour, with its range. Loads no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

import numpy as np

from ..errors import MeterError
from ..measure import Measure
from . import tables

JOULES_PER_KWH = 3.6e6
SOURCES_DIFFER = 1.24  # median largest/smallest of three tables' factors over 17 countries (see `grid`)
LOW_CARBON_DIFFERS = 7.2  # the worst of them, Sweden: on clean grids the boundary decides
LOW_CARBON = 200.0  # gCO2e/kWh under which imports and plant construction weigh as much as the plants' own fuel
SHARE_OF_GENERATION = (0.05, 0.95)  # of the world's generation, between the bounds given for an unknown place


@dataclass(frozen=True, slots=True)
class Grid:
    """What a grid emits, and whose figure that is.

    Attributes:
        grams_per_kwh: gCO2e for a kWh.
        low: lower end of what other sources and places say.
        high: upper end.
        country: ISO 3166 alpha-3; None for the world average.
        year: which year's electricity.
        boundary: what is counted.
        source: who says so.
        spread: what low and high are.
    """

    grams_per_kwh: float
    low: float
    high: float
    country: str | None
    year: int
    boundary: str
    source: str
    spread: str


def grid(country: str | None) -> Grid:
    """The yearly average of a country's grid (ISO alpha-3, alpha-2 or English name), or of the world for None.

    A country's factor is Ember's and OWID's, of lifecycle emissions, as bundled with codecarbon. Its range is no
    confidence interval: it says how far published sources differ. Of 17 countries that codecarbon, Green Algorithms
    [lannelongue2021] and EcoLogits [rince2025] list, the largest factor over the smallest is 1.24 in the median and 7.2
    at worst, for Sweden; on clean grids the other sources are the lower ones. So the range is [g / 1.24, g · 1.24] from
    200 g/kWh up, and [g / 7.2, g · 1.24] below. It holds 93 % of Ember's latest factors of 208 countries and regions, a
    year or two younger than the table's [ember2025].

    The world's 475 g/kWh is the IEA's [iea2019]; its range holds the middle 90 % of the world's generation, each
    country at its own average: anywhere is possible, so the range is nearly the whole.

    Raises:
        MeterError: no such country in the table; the message suggests the nearest.
    """
    if country is None:
        return _world()
    code = _code(country)
    row = tables.countries()[code]
    grams = float(row["carbon_intensity"])
    below = LOW_CARBON_DIFFERS if grams < LOW_CARBON else SOURCES_DIFFER
    return Grid(
        grams,
        grams / below,
        grams * SOURCES_DIFFER,
        code,
        int(row["year"]),
        "location-based, lifecycle, yearly average",
        "Ember and Our World in Data, as bundled with codecarbon",
        "how far published sources differ for such a grid",
    )


def carbon(energy: Measure, grid: Grid, pue: float = 1.0) -> Measure:
    """gCO2e = J / 3.6e6 · PUE · g/kWh, with both intervals' ends multiplied; undefined where the energy is.

    >>> joules = Measure(analysis="energy", metric="energy", value=1000.0, unit="J", n=1)
    >>> round(carbon(joules, grid(None)).value, 6)
    0.131944

    Raises:
        MeterError: a power usage effectiveness below 1.
    """
    if not pue >= 1:
        raise MeterError(f"PUE {pue} is below 1: a facility cannot draw less than its machines; give 1 or more")
    origin = {
        "grams_per_kwh": grid.grams_per_kwh,
        "country": grid.country,
        "year": grid.year,
        "boundary": grid.boundary,
        "source": grid.source,
        "spread": grid.spread,
        "pue": pue,
    }
    made = replace(energy, metric=energy.metric.replace("energy", "carbon"), unit="gCO2e", kind="estimated")
    if energy.value is None:
        return replace(made, low=None, high=None, details={**origin, "reason": energy.details.get("reason", "")})

    def grams(joules: float, factor: float) -> float:
        return joules / JOULES_PER_KWH * pue * factor

    return replace(
        made,
        value=grams(energy.value, grid.grams_per_kwh),
        low=None if energy.low is None else grams(energy.low, grid.low),
        high=None if energy.high is None else grams(energy.high, grid.high),
        method=f"{energy.method} × {grid.boundary} factor" if energy.method else f"{grid.boundary} factor",
        details={**origin, "grams_without_pue": energy.value / JOULES_PER_KWH * grid.grams_per_kwh},
    )


def _world() -> Grid:
    low, high = _weighted_percentiles()
    return Grid(
        tables.world_average(),
        low,
        high,
        None,
        2018,
        "location-based, world average",
        "IEA, Global Energy & CO2 Status Report 2019, as bundled with codecarbon",
        "countries' averages, 5th to 95th percentile of the world's generation",
    )


def _weighted_percentiles() -> tuple[float, float]:
    rows = [r for r in tables.countries().values() if r.get("total_TWh") and r.get("carbon_intensity")]
    grams = np.array([float(r["carbon_intensity"]) for r in rows])
    order = np.argsort(grams)
    share = np.cumsum(np.array([float(r["total_TWh"]) for r in rows])[order])
    low, high = (grams[order][np.searchsorted(share / share[-1], at)] for at in SHARE_OF_GENERATION)
    return float(low), float(high)


def _code(country: str) -> str:
    said = country.strip()
    known = tables.countries()
    if said.upper() in known:
        return said.upper()
    names = _names()
    if said.casefold() in names:
        return names[said.casefold()]
    raise MeterError(
        f"country '{country}' is not in the table of grids; {_nearest(said)}"
        f"give an ISO code such as FRA or FR, or an English name"
    )


def _names() -> dict[str, str]:
    """English names and alpha-2 codes, casefolded, to alpha-3 codes of the table."""
    import pycountry

    known = tables.countries()
    names = {str(row["country_name"]).casefold(): code for code, row in known.items()}
    for entry in pycountry.countries:
        if entry.alpha_3 in known:
            for name in (entry.alpha_2, entry.name, getattr(entry, "common_name", entry.name)):
                names.setdefault(name.casefold(), entry.alpha_3)
    return names


def _nearest(said: str) -> str:
    names = _names()
    known = tables.countries()
    wanted = said.casefold()
    starts = [name for name in names if len(wanted) > 2 and len(name) > 3 and name.startswith(wanted)]
    near = starts or difflib.get_close_matches(wanted, [*names, *(c.casefold() for c in known)], n=1, cutoff=0.6)
    if not near:
        return ""
    code = names.get(near[0], near[0].upper())
    return f"did you mean {code} ({known[code]['country_name']})? "
