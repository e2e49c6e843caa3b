"""Joules as grams of CO2 equivalent: what a grid emits for a kilowatt-hour, with its range. Loads no torch."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import MeterError
from ..measure import Measure
from . import tables

JOULES_PER_KWH = 3.6e6
SOURCES_DIFFER = 1.54  # the most by which another source differs upwards, or from dirty grids at all (see `grid`)
LOW_CARBON_DIFFERS = 7.2  # the most downwards on clean grids, Sweden: there the boundary decides
LOW_CARBON = 200.0  # gCO2e/kWh under which imports and plant construction weigh as much as the plants' own fuel
ALSO_KNOWN_AS = {  # what people say, and ISO 3166 does not
    **dict.fromkeys(("uk", "britain", "great britain", "england", "scotland", "wales", "northern ireland"), "GBR"),
    **dict.fromkeys(("america", "u.s.", "u.s.a."), "USA"),
    **dict.fromkeys(("xk", "xkx", "kosovo"), "XKX"),
    "holland": "NLD",
    "el": "GRC",
}
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
    confidence interval: it says how far published sources differ. Green Algorithms [lannelongue2021] and EcoLogits
    [rince2025] have 22 figures for 11 of its countries. From 200 g/kWh up they differ from it by a factor of 1.06 in
    the median and 1.53 at worst, for Australia; on cleaner grids they are the lower ones, by 7.14 at worst, for Sweden.
    So the range is [g / 1.54, g · 1.54] from 200 g/kWh up, and [g / 7.2, g · 1.54] below. It was set to hold all 22,
    and holds 98 % of Ember's latest 207, a year or two younger than the table's [ember2025].

    The world's 475 g/kWh is the IEA's [iea2019]; its range holds the middle 90 % of the world's generation, each
    country at its own average: anywhere is possible, so the range is nearly the whole.

    Raises:
        MeterError: no such country in the table, or no figure for it; the message suggests the nearest name.
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
        "how far sources differ: holds all 22 figures of two others for 11 countries; no 95 % interval",
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
        method=f"energy × {grid.boundary} factor",
        details={
            **origin,
            "grams_without_pue": energy.value / JOULES_PER_KWH * grid.grams_per_kwh,
            "energy_method": energy.method,
            **({"interval": "bounds"} if energy.low is not None else {}),
            **({"undefined": lost} if (lost := energy.details.get("undefined")) else {}),
        },
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
    rows = [row for row in _known().values() if row.get("total_TWh")]
    grams = np.array([float(r["carbon_intensity"]) for r in rows])
    order = np.argsort(grams)
    share = np.cumsum(np.array([float(r["total_TWh"]) for r in rows])[order])
    low, high = (grams[order][np.searchsorted(share / share[-1], at)] for at in SHARE_OF_GENERATION)
    return float(low), float(high)


def _code(country: str) -> str:
    said = country.strip()
    known, names = _known(), _names()
    code = said.upper() if said.upper() in known else names.get(said.casefold())
    if code in known:
        return code
    if code is not None or said.upper() in tables.countries():
        raise MeterError(
            f"the table of grids has no figure for '{country}'; leave the country out for the world average, or give "
            f"one whose grid is alike"
        )
    raise MeterError(
        f"country '{country}' is not in the table of grids; {_nearest(said)}"
        f"give an ISO code such as FRA or FR, or an English name"
    )


def _known() -> dict[str, Mapping[str, Any]]:
    """The table's rows that have a factor: no grid emits 0 over its plants' lives, so 0 stands for a missing figure."""
    return {code: row for code, row in tables.countries().items() if (row.get("carbon_intensity") or 0) > 0}


def _names() -> dict[str, str]:
    """English names, usual other names, alpha-2 and alpha-3 codes, casefolded, to alpha-3 codes."""
    import pycountry

    names = {str(row["country_name"]).casefold(): code for code, row in tables.countries().items()}
    names.update(ALSO_KNOWN_AS)
    for entry in pycountry.countries:
        for name in (entry.alpha_2, entry.alpha_3, entry.name, getattr(entry, "common_name", entry.name)):
            names.setdefault(name.casefold(), entry.alpha_3)
    return names


def _nearest(said: str) -> str:
    known, wanted = _known(), said.casefold()
    names = {name: code for name, code in _names().items() if code in known}
    starts = [name for name in names if len(wanted) > 2 and len(name) > 3 and name.startswith(wanted)]
    # a name and a code are alike by chance: each is compared with its own sort, a code's three letters less strictly
    short = len(wanted) <= 3
    alike = [name for name in names if (len(name) <= 3) == short]
    near = starts or difflib.get_close_matches(wanted, alike, n=1, cutoff=0.6 if short else 0.8)
    if not near:
        return ""
    code = names[near[0]]
    return f"did you mean {code} ({known[code]['country_name']})? "
