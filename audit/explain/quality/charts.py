"""Mean deletion and insertion curves with bands, as plain lists, for a chart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .curves import Curve, Random, Ways, curve_rows
from .score import of_rows
from .trial import Trial

GRID = 21  # points from nothing to all
RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Mean:
    """One curve, the mean over rows.

    Attributes:
        method: whose; "random" for random orders.
        metric: "deletion" or "insertion".
        share: of the places that were taken away, or put in, from 0 to 1.
        value: the output above the baseline's, in units of the row's scale.
        low, high: Student's interval of the mean at each point; None where there is a single row.
        n: rows.
    """

    method: str
    metric: str
    share: list[float]
    value: list[float]
    low: list[float | None]
    high: list[float | None]
    n: int


def mean_curves(trial: Trial, level: float) -> Iterator[Mean]:
    """The curves that metrics have asked for; none where no metric did."""
    drawn = trial.shared.get("random orders")
    if not isinstance(drawn, Random):
        return
    rows = curve_rows(trial)
    for candidate in trial.candidates:
        found = trial.shared.get(("ways", candidate.name))
        if isinstance(found, Ways):
            yield _mean(candidate.name, "deletion", [found.deletion], rows, level)
            yield _mean(candidate.name, "insertion", [found.insertion], rows, level)
    away = _mean(RANDOM, "deletion", drawn.curves, rows, level)
    yield away
    # Put in, a random order is one that is taken away, walked backwards.
    yield replace(away, metric="insertion", value=away.value[::-1], low=away.low[::-1], high=away.high[::-1])


def _mean(method: str, metric: str, curves: list[Curve] | tuple[Curve, ...], rows: Tensor, level: float) -> Mean:
    shares = torch.linspace(0, 1, GRID, dtype=torch.float64, device=rows.device)
    heights = torch.stack([curve.on(shares) for curve in curves]).mean(0)[rows].cpu().numpy()
    points = [of_rows(column, level) for column in heights.T]
    value = [point[0] for point in points if point[0] is not None]
    return Mean(
        method, metric, shares.tolist() if value else [], value, [p[1] for p in points], [p[2] for p in points],
        len(heights),
    )  # fmt: skip
