"""The breakpoints of a piecewise-linear network along paths, found exactly [sotoudeh2019].

Between two breakpoints everything inside the network is linear in α. So the model runs at both ends of a segment; where
a pre-activation changes its sign between them, α = lo − z_lo (hi − lo) / (z_hi − z_lo) is a breakpoint. The segment is
cut there, and its parts go on with the operation after. A segment that no operation cuts is a piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .kinks import Ends, Kinks
from .line import Line


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Pieces of paths, ordered by path and α.

    Attributes:
        pair: [pieces] int64, the path's number.
        low: [pieces] float64.
        high: [pieces] float64.
        within: [m] bool: the path's pieces are all here; a path that has more than the most allowed has none.
    """

    pair: Tensor
    low: Tensor
    high: Tensor
    within: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Segments:
    """Parts of paths, each with the number of the first operation that has not cut it yet."""

    pair: Tensor
    low: Tensor
    high: Tensor
    operation: Tensor

    def __len__(self) -> int:
        return len(self.pair)

    def __getitem__(self, index: Tensor | slice) -> _Segments:
        return _Segments(self.pair[index], self.low[index], self.high[index], self.operation[index])

    @staticmethod
    def joined(parts: Sequence[_Segments]) -> _Segments:
        names = ("pair", "low", "high", "operation")
        return _Segments(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def pieces(line: Line, most: Tensor) -> Pieces:
    """The pieces of every path that has no more than `most`, [m] int64."""
    m, device = len(line), line.rows.device
    zero = torch.zeros(m, dtype=torch.float64, device=device)
    todo = _Segments(torch.arange(m, device=device), zero, zero + 1, zero.long())
    whole: list[_Segments] = [todo[:0]]
    within = torch.ones(m, dtype=torch.bool, device=device)
    while len(todo):
        cut: list[_Segments] = []
        for uncut, parts in line.problem.chunks.over(len(todo), lambda at, todo=todo: _run(line, todo[at]), each=2):
            whole.append(uncut)
            cut.append(parts)
        done, todo = _Segments.joined(whole), _Segments.joined(cut)
        within &= torch.bincount(torch.cat([done.pair, todo.pair]), minlength=m) <= most
        whole, todo = [done[within[done.pair]]], todo[within[todo.pair]]
    found = whole[0]
    found = found[torch.argsort(found.low, stable=True)]
    found = found[torch.argsort(found.pair, stable=True)]
    return Pieces(found.pair, found.low, found.high, within)


def _run(line: Line, segments: _Segments) -> tuple[_Segments, _Segments]:
    """One run of the model on both ends of segments: those that nothing cuts, and the parts of the others."""
    pair = segments.pair.repeat(2)
    points = line.at(pair, torch.cat([segments.low, segments.high]))
    cuts = _Cuts(segments, 4 * max(torch.finfo(x.dtype).eps for x in points if x.is_floating_point()))
    given = [x.detach().requires_grad_(x.is_floating_point()) for x in points]
    with torch.enable_grad(), Kinks(len(segments), cuts.see):  # without gradients some poolings hide what they do
        line.problem.function(given, line.rows[pair])
    return cuts.parted()


class _Cuts:
    """Where one run cuts its segments: each by the first operation that does."""

    def __init__(self, segments: _Segments, least: float) -> None:
        """For these segments; a part shorter than `least` is rounding error, not a piece."""
        self.segments, self.least = segments, least
        self.number = 0
        self.next = segments.operation.clone()
        self.open = torch.ones(len(segments), dtype=torch.bool, device=segments.pair.device)
        self.at: list[tuple[Tensor, Tensor]] = []

    def see(self, ends: Ends, again: bool) -> None:
        """Take note of the signs that change between the ends."""
        low, high = ends
        eligible = self.open & (self.segments.operation <= self.number)
        if bool(eligible.any()):
            segment, unit = ((low.sign() * high.sign() < 0) & eligible[:, None]).nonzero(as_tuple=True)
            self._note(segment, low[segment, unit].double(), high[segment, unit].double(), again)
        self.number += 1

    def _note(self, segment: Tensor, low: Tensor, high: Tensor, again: bool) -> None:
        start, end = self.segments.low[segment], self.segments.high[segment]
        alpha = start + low / (low - high) * (end - start)
        inside = (alpha - start > self.least) & (end - alpha > self.least)
        segment, alpha = segment[inside], alpha[inside]
        self.at.append((segment, alpha))
        self.open[segment] = False
        self.next[segment] = self.number if again else self.number + 1

    def parted(self) -> tuple[_Segments, _Segments]:
        """The segments that nothing cuts; and the parts of those that were cut."""
        whole = self.segments[self.open]
        if not self.at:
            return whole, self.segments[:0]
        segment, alpha = (torch.cat(parts) for parts in zip(*self.at, strict=True))
        cut = (~self.open).nonzero()[:, 0]
        segment, alpha = torch.cat([segment, cut]), torch.cat([alpha, self.segments.low[cut]])
        order = torch.argsort(alpha, stable=True)
        order = order[torch.argsort(segment[order], stable=True)]
        segment, low = segment[order], alpha[order]
        last = torch.ones_like(segment, dtype=torch.bool)
        last[:-1] = segment[1:] != segment[:-1]
        high = torch.where(last, self.segments.high[segment], low.roll(-1))
        parts = _Segments(self.segments.pair[segment], low, high, self.next[segment])
        parts = parts[high - low > self.least]  # shorter ones are several kinks at one place
        finished = parts.operation >= self.number
        return _Segments.joined([whole, parts[finished]]), parts[~finished]
