"""What codecarbon's bundled tables say of grids and processors: its one door.

The tables are read as files. codecarbon itself is never imported: its trackers ask the network who and where the user
is, read CODECARBON_* and configuration files, log, write emissions.csv and start at a cost of 1.5 s; a table does none
of that. Loads no torch.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import MeterError

VERSION_NEEDED = "3.3.2"  # the first whose tables and factor vintages were checked


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor that the table knows, and its thermal design power in W."""

    name: str
    watts: float


@cache
def countries() -> Mapping[str, Mapping[str, Any]]:
    """By ISO 3166 alpha-3 code: country_name, carbon_intensity (gCO2e/kWh, lifecycle), total_TWh, year."""
    return json.loads(_text("data/private_infra/global_energy_mix.json"))


@cache
def world_average() -> float:
    """gCO2e/kWh of the world's electricity: the IEA's figure for 2018 [iea2019]."""
    return float(json.loads(_text("data/private_infra/carbon_intensity_per_source.json"))["world_average"])


@cache
def processors() -> Mapping[frozenset[str], Processor]:
    """Thermal design powers, by the words of the processors' names."""
    rows = csv.DictReader(_text("data/hardware/cpu_power.csv").splitlines())
    numbers = re.compile(r"\d+(\.\d+)?")  # a few rows hold no number ("27.29.5"): no one can say what they mean
    good = (row for row in rows if numbers.fullmatch(row["TDP"] or ""))
    return {_words(row["Name"]): Processor(row["Name"], float(row["TDP"])) for row in good}


@cache
def processor(name: str) -> Processor | None:
    """The table's processor whose name's words all occur in `name`; of several the longest; None in doubt.

    >>> processor("Intel(R) Xeon(R) CPU E5-2620 v3 @ 2.40GHz").watts
    85.0
    >>> processor("AMD EPYC") is None
    True
    """
    asked = _words(name)
    found = [(len(words), entry) for words, entry in processors().items() if words <= asked and _is_model(words)]
    most = max((size for size, _ in found), default=0)
    best = [entry for size, entry in found if size == most]
    return best[0] if len(best) == 1 else None


def _words(name: str) -> frozenset[str]:
    plain = re.sub(r"\((r|tm)\)|@.*$", " ", name.lower())
    return frozenset(re.findall(r"[a-z0-9.-]+", plain)) - {"cpu", "processor"}


def _is_model(words: frozenset[str]) -> bool:
    """Whether the words name a model, not a family alone: some word has a digit, and there are two."""
    return len(words) > 1 and any(any(c.isdigit() for c in word) for word in words)


def _text(inside: str) -> str:
    spec = find_spec("codecarbon")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise MeterError(f"codecarbon's tables are not installed; pip install 'codecarbon>={VERSION_NEEDED}'")
    try:
        return (Path(folders[0]) / inside).read_text("utf-8")
    except OSError as error:
        raise MeterError(
            f"codecarbon has no table {inside} ({error.strerror}); pip install 'codecarbon>={VERSION_NEEDED}'"
        ) from error
