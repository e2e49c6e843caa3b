"""How the numbers of group fairness are asked for. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ...criteria import Levels
from ...errors import CriteriaError
from ...measure import Where

REPLICATES = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked of group fairness, whatever the confidence level.

    Attributes:
        replicates: resamples behind an interval that has no closed form; 0 for closed forms only.
        seed: of the resamples.
        minimum: a rate with a smaller denominator is shown as not measured; 0 for none.
        depth: how many attributes a group may combine.
        posterior: whether rates and gaps get credible intervals, of Jeffreys' posterior, in place of Wilson's.
        standard: the rule whose tables are asked for: "nyc-ll144"; empty for none.
        mitigate: methods of mitigation to try and measure; empty for none.
        top: how many of a ranking count as selected; 0 for a tenth of it.
        complete: whether of more than 1,000 groups too every metric of each is listed, and not the headlines alone.

    Raises:
        CriteriaError: a number below 0.
    """

    replicates: int = REPLICATES
    seed: int = 0
    minimum: int = 0
    depth: int = 2
    posterior: bool = False
    standard: str = ""
    mitigate: tuple[str, ...] = ()
    top: int = 0
    complete: bool = False

    def __post_init__(self) -> None:
        for name in ("replicates", "seed", "minimum", "depth", "top"):
            if getattr(self, name) < 0:
                raise CriteriaError(f"{name} is {getattr(self, name)}; give a whole number of 0 or more")

    @property
    def own(self) -> dict[str, Any]:
        """The settings by name, without what a class made of them adds."""
        return {setting.name: getattr(self, setting.name) for setting in fields(Settings)}


@dataclass(frozen=True, slots=True)
class Plan(Settings):
    """What every part of the fairness analysis is told: the settings, and how sure it is to be.

    Attributes:
        levels: at which confidence level each interval is asked for.

    Raises:
        CriteriaError: a level that is none, or a number below 0.
    """

    levels: Levels = field(default_factory=Levels, kw_only=True)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if not 0 < self.levels.default < 1:
            raise CriteriaError(f"the level is {self.levels.default}; give one between 0 and 1: 0.95 is usual")

    def level(self, metric: str, statistic: str, where: Where) -> float:
        """The confidence level of one measure."""
        return self.levels.of("fairness", metric, statistic, where)

    def wants(self, metric: str, statistic: str, places: Sequence[Where]) -> bool:
        """Whether a criterion asks for a statistic of a metric at one of some places, and names the place."""
        asked = [
            c for c in self.levels.criteria if c.where is not None and (c.metric, c.statistic) == (metric, statistic)
        ]
        return any(c.matches("fairness", metric, statistic, place) for c in asked for place in places)
