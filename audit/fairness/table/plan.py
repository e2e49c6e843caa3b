"""How the numbers of group fairness are asked for. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...criteria import Levels
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
        posterior: whether rates get the credible interval of a Dirichlet posterior in place of Wilson's.
        standard: the rule whose tables are asked for: "nyc-ll144"; empty for none.
        mitigate: methods of mitigation to try and measure; empty for none.
        top: how many of a ranking count as selected; 0 for a tenth of it.
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

    def level(self, metric: str, statistic: str, where: Where) -> float:
        """The confidence level of one measure."""
        return self.levels.of("fairness", metric, statistic, where)
