"""How the numbers of group fairness are asked for. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...criteria import Levels
from ...errors import CriteriaError
from ...measure import Where

REPLICATES = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What every part of the fairness analysis is told.

    Attributes:
        levels: at which confidence level each interval is asked for.
        replicates: resamples behind an interval that has no closed form; 0 for closed forms only.
        seed: of the resamples.
        minimum: a rate with a smaller denominator is shown as not measured; 0 for none.
        depth: how many attributes a group may combine.
        posterior: whether rates and gaps get credible intervals, of Jeffreys' posterior, in place of Wilson's.
        standard: the rule whose tables are asked for: "nyc-ll144"; empty for none.
        mitigate: methods of mitigation to try and measure; empty for none.
        top: how many of a ranking count as selected; 0 for a tenth of it.

    Raises:
        CriteriaError: a level that is none, or a number below 0.
    """

    levels: Levels = field(default_factory=Levels)
    replicates: int = REPLICATES
    seed: int = 0
    minimum: int = 0
    depth: int = 2
    posterior: bool = False
    standard: str = ""
    mitigate: tuple[str, ...] = ()
    top: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.levels.default < 1:
            raise CriteriaError(f"the level is {self.levels.default}; give one between 0 and 1: 0.95 is usual")
        for name in ("replicates", "seed", "minimum", "depth", "top"):
            if getattr(self, name) < 0:
                raise CriteriaError(f"{name} is {getattr(self, name)}; give a whole number of 0 or more")

    def level(self, metric: str, statistic: str, where: Where) -> float:
        """The confidence level of one measure."""
        return self.levels.of("fairness", metric, statistic, where)
