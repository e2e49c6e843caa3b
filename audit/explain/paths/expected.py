"""Expected gradients: integrated gradients averaged over a background, by drawing [erion2021]."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...messages import Message
from ..core.problem import Found, Problem, Tensors, finite
from ..errors import ExplanationError

BLOCK = 32  # draws in one block, at least where there is room: strata of α
ROUND = 128  # rows of a background that one block goes through as a whole, at most
FEWEST = 8  # blocks before standard errors decide anything: below, they are themselves uncertain by more than a quarter
MOST = 2048  # draws where no budget says more or less
ENOUGH = 0.01  # standard error that ends the drawing, over a row's summed absolute attribution


def expected_gradients(problem: Problem) -> Found:
    """E (x − b) ∂f/∂x (b + α (x − b)) over rows b of the background and α uniform in 0 … 1 [erion2021].

    Rows of the background are drawn without replacement, and all again when all were drawn, so each is used equally
    often; in each block of draws every stratum of α has one. All explained rows share the draws, so that a row's answer
    depends on no other row. Blocks are repetitions: their spread gives the standard errors, which are too large rather
    than too small where a block is not a whole round of the background.

    Options: `samples`, the number of draws. Without it and without a budget, drawing for a row ends when its largest
    standard error is at most 1 % of its summed absolute attribution (or the tolerance, where that is larger), or after
    2,048 draws.

    Raises:
        ExplanationError: there is room for fewer than 2 blocks.
    """
    assert problem.background is not None
    plan = _Plan.of(problem)
    draws = _Draws(len(problem.background[0]), plan.size, problem.generator)
    sums = _Sums.of(problem)
    while len(sums.rows) and plan.goes_on(problem, sums.blocks):
        with problem.spending.step():
            sums.add(_block(problem, sums.rows, *draws.block()))
        if plan.stops and sums.blocks >= FEWEST:
            sums.drop_settled(max(ENOUGH, problem.tolerance))
    return _found(problem, plan, sums)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How many draws make a block, and when there are enough.

    Attributes:
        size: draws in one block.
        most: draws a row.
        stops: a row with a small standard error is left before.
    """

    size: int
    most: int
    stops: bool

    @classmethod
    def of(cls, problem: Problem) -> _Plan:
        budget, samples = problem.spending.budget, problem.options.get("samples")
        if samples is not None and (not isinstance(samples, int) or isinstance(samples, bool) or samples < 1):
            raise ExplanationError(Message("bad_draws", {"given": repr(samples)}))
        timed = budget.seconds is not None or budget.joules is not None
        limits = [limit for limit in (budget.evaluations, samples) if limit is not None]
        most = min(limits) if limits else MOST
        if most < 4:
            given = {"given": most, "method": "expected_gradients", "needed": 4}
            raise ExplanationError(Message("budget_too_small", given))
        return cls(_size(len((problem.background or problem.inputs)[0]), most), most, not limits and not timed)

    def goes_on(self, problem: Problem, blocks: int) -> bool:
        """Whether there is room for one block more."""
        draws = (blocks + 1) * self.size
        timed = (
            problem.options.get("samples") is None and not self.stops and problem.spending.budget.evaluations is None
        )
        return blocks < 2 or ((timed or draws <= self.most) and problem.spending.room(draws))


def _size(background: int, most: int) -> int:
    """Whole rounds of the background where 8 blocks of them fit, for those repeat each other; else a part of one."""
    rounds = background * max(1, BLOCK // background)
    for size in (rounds, background):
        if size <= ROUND and size * FEWEST <= most:
            return size
    return min(BLOCK, most // FEWEST if most >= FEWEST else most // 2)


@dataclass(slots=True)
class _Draws:
    """Which row of the background and which α, block by block.

    Attributes:
        count: rows of the background.
        size: draws in one block.
        left: rows of the present round that were not drawn yet, in their order.
    """

    count: int
    size: int
    generator: torch.Generator
    left: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))

    def block(self) -> tuple[Tensor, Tensor]:
        """[size] int64 and [size] float64, on the processor.

        The strata are cut into as many parts as the block has rounds, and a round has one part: a row of the background
        that comes several times in a block has an α in each.
        """
        width = self.count if self.size % self.count == 0 else self.size
        rows, strata = [], []
        for number in range(self.size // width):
            rows.append(self._rows(width))
            strata.append(number * width + torch.randperm(width, generator=self.generator))
        within = torch.rand(self.size, generator=self.generator, dtype=torch.float64)
        return torch.cat(rows), (torch.cat(strata) + within) / self.size

    def _rows(self, width: int) -> Tensor:
        while len(self.left) < width:
            self.left = torch.cat([self.left, torch.randperm(self.count, generator=self.generator)])
        taken, self.left = self.left[:width], self.left[width:]
        return taken


def _block(problem: Problem, rows: Tensor, which: Tensor, alpha: Tensor) -> Tensors:
    """The mean over one block's draws of (x − b) ∂f/∂x, for these rows: each [rows, ...] float64."""
    assert problem.background is not None
    background, size = problem.background, len(which)
    which, alpha = which.to(rows.device), alpha.to(rows.device)
    sums = [torch.zeros((len(rows), *x.shape[1:]), dtype=torch.float64, device=x.device) for x in problem.inputs]

    def ends(at: slice) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        number = torch.arange(at.start, at.stop, device=rows.device)
        place, draw = number // size, number % size
        pairs = zip(background, problem.inputs, strict=True)
        return place, alpha[draw], [(b[which[draw]], x[rows[place]]) for b, x in pairs]

    def make(at: slice) -> tuple[Tensors, Tensor]:
        place, share, given = ends(at)
        points = (torch.lerp(b, x, share.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))) for b, x in given)
        return tuple(points), rows[place]

    def take(at: slice, _: Tensor, gradients: Tensors) -> None:
        place, _, given = ends(at)
        for total, (b, x), gradient in zip(sums, given, gradients, strict=True):
            total.index_add_(0, place, (x.double() - b.double()) * gradient.double())

    problem.gradients(len(rows) * size, make, take)
    found = tuple(total / size for total in sums)
    for values in found:
        finite(values, "gradient")
    return found


@dataclass(slots=True, eq=False)
class _Sums:
    """Means of blocks so far, and their spread, by the update of Welford.

    Attributes:
        rows: [k] int64, the rows that still draw.
        blocks: that were drawn.
        count: [n] int64, blocks of each row.
        mean: each [n, ...].
        spread: each [n, ...], squared deviations from the mean, added up.
    """

    rows: Tensor
    count: Tensor
    mean: Tensors
    spread: Tensors
    blocks: int = 0

    @classmethod
    def of(cls, problem: Problem) -> _Sums:
        n, device = len(problem), problem.inputs[0].device
        mean, spread = (tuple(torch.zeros_like(x, dtype=torch.float64) for x in problem.inputs) for _ in range(2))
        return cls(torch.arange(n, device=device), torch.zeros(n, dtype=torch.int64, device=device), mean, spread)

    def add(self, block: Tensors) -> None:
        """One block's means for the rows that still draw."""
        self.blocks += 1
        self.count[self.rows] = self.blocks
        for mean, spread, new in zip(self.mean, self.spread, block, strict=True):
            off = new - mean[self.rows]
            mean[self.rows] += off / self.blocks
            spread[self.rows] += off * (new - mean[self.rows])

    def stderr(self) -> Tensors:
        """Standard errors of the means, each [n, ...]."""
        return tuple(
            (spread / (c * (c - 1)).clamp(min=1)).sqrt()
            for spread in self.spread
            for c in [self.count.reshape(-1, *[1] * (spread.ndim - 1))]
        )

    def drop_settled(self, share: float) -> None:
        """Rows whose largest standard error is a small share of their summed attribution draw no more."""
        largest = torch.stack([error[self.rows].reshape(len(self.rows), -1).amax(1) for error in self.stderr()]).amax(0)
        summed = torch.stack([mean[self.rows].reshape(len(self.rows), -1).abs().sum(1) for mean in self.mean]).sum(0)
        self.rows = self.rows[largest > share * summed]


def _found(problem: Problem, plan: _Plan, sums: _Sums) -> Found:
    samples = sums.count * plan.size
    low, high = int(samples.min()), int(samples.max())
    drawn = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    assert problem.background is not None
    said = f"{drawn} draws a row from {len(problem.background[0]):,} rows of background, α in strata of 1/{plan.size}"
    if plan.stops and len(sums.rows):
        said += f"; in {len(sums.rows)} of {len(problem)} rows the standard error is still above {ENOUGH:.0%}"
    return Found(
        sums.mean,
        said,
        stderr=sums.stderr(),
        output=problem.outputs(),
        baseline_output=_background_output(problem),
        details={"samples": samples},
    )


def _background_output(problem: Problem) -> Tensor:
    """Mean f of the background, [n] float64, for each row's target."""
    assert problem.background is not None
    background, target, n = problem.background, problem.function.target, len(problem)
    m, device = len(background[0]), problem.inputs[0].device
    same = torch.zeros(n, dtype=torch.int64, device=device)
    kinds = torch.unique(target, return_inverse=True)[1].to(device) if isinstance(target, Tensor) else same
    found = torch.zeros(n, dtype=torch.float64, device=device)
    for kind in kinds.unique():
        mine = (kinds == kind).nonzero()[:, 0]
        found[mine] = problem.outputs(background, mine[:1].expand(m)).mean()
    return found
