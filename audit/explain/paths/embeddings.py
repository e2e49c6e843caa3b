"""Codes that a model looks up: which lookup reads which place of the inputs, and other vectors in a lookup's place.

A code has no points between it and another code, but the vector that is looked up for it has. So a path from the
baseline to a row leads through the looked-up vectors. Hooks live only inside a call, and go away on exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...messages import Message
from ..core.function import Function
from ..core.problem import Problem, Tensors
from ..errors import ExplanationError

NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """One call of an embedding within the model, that reads codes of the inputs.

    Attributes:
        module: the embedding.
        call: the number of this call among those of the watched modules, in one run of the model.
        starts: its codes at the starts of the paths, [m, ...] int.
        ends: at their ends.
        owner: [codes of a row] int64: the place of the inputs that each code is read from; places are counted over all
            inputs, flattened; -1 = none, the code does not move.
    """

    module: nn.Module
    call: int
    starts: Tensor
    ends: Tensor
    owner: Tensor

    def vectors(self, codes: Tensor) -> Tensor:
        """What the embedding looks up for these codes [k, ...]: [k, ..., dimension]; a bag's vectors before pooling."""
        with torch.no_grad():
            if isinstance(self.module, nn.EmbeddingBag):
                return nn.functional.embedding(codes, self.module.weight).detach()
            return self.module(codes).detach()

    def at(self, index: Tensor) -> Lookup:
        """The same call, of some paths."""
        return replace(self, starts=self.starts[index], ends=self.ends[index])


def watched(problem: Problem) -> tuple[nn.Module, ...]:
    """The modules whose lookups stand for codes: the one that was named, or every embedding."""
    if isinstance(problem.embedding, nn.Module):
        return (problem.embedding,)
    module = problem.function.module
    if module is None:
        raise ExplanationError(Message("no_module", {}))
    return tuple(part for part in module.modules() if isinstance(part, (nn.Embedding, nn.EmbeddingBag)))


def over_vectors(function: Function, modules: Sequence[nn.Module], calls: Sequence[int]) -> Function:
    """f as a function of the inputs and, after them, of the vectors that these calls look up.

    Evaluations are counted by the given function.
    """

    def forward(model: Any, given: Tensors) -> Any:
        n = len(given) - len(calls)
        inputs, vectors = given[:n], given[n:]
        function.evaluations += len(given[0])
        named = inputs if function.keywords is None else dict(zip(function.keywords, inputs, strict=True))
        with _lookups(modules, dict(zip(calls, vectors, strict=True))):
            return function.forward(model, named)

    return replace(function, keywords=None, forward=forward)


def lookups_of(problem: Problem, starts: Tensors, ends: Tensors, rows: Tensor) -> tuple[Lookup, ...]:
    """The lookups that read the inputs' codes, and which places each of them reads.

    A lookup that reads an input as it stands owns its places; others (shared tables with offsets, columns cut up inside
    the model) are found by trying: one place after the other goes to its start, and the codes that change are its own.

    Raises:
        ExplanationError: the embedding is not used, does not look up row by row, or a code depends on two places.
    """
    modules = watched(problem)
    after, before = _watch(problem, modules, ends, rows), _watch(problem, modules, starts, rows)
    if not after:
        raise ExplanationError(Message("embedding_unused", {}))
    moving = _moving(before, after)
    direct = {call: _same(call, before, after, starts, ends) for call in range(len(after))}
    tried = [call for call in moving if direct[call] is None]
    owners = _by_trying(problem, modules, tried, after, (starts, ends, rows)) if tried else {}
    found = []
    for call in sorted({*moving, *(call for call, owner in direct.items() if owner is not None)}):
        owner, start, end = direct[call], before[call].codes, after[call].codes
        assert start is not None
        assert end is not None
        found.append(Lookup(after[call].module, call, start, end, owners[call] if owner is None else owner))
    return tuple(found)


@dataclass(slots=True)
class _Call:
    """What one call of a run looked up, piece by piece."""

    module: nn.Module
    pieces: list[Tensor] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    @property
    def codes(self) -> Tensor | None:
        """[m, ...]; None where the codes do not come row by row."""
        if any(len(piece) != size for piece, size in zip(self.pieces, self.sizes, strict=True)):
            return None
        return torch.cat(self.pieces)


@contextmanager
def _lookups(modules: Sequence[nn.Module], instead: Mapping[int, Tensor]) -> Iterator[list[tuple[nn.Module, Tensor]]]:
    """Watch what these modules look up; vectors that `instead` has for a call's number take its place."""
    seen: list[tuple[nn.Module, Tensor]] = []

    def hook(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], vectors: Tensor) -> Tensor:
        number = len(seen)
        seen.append((module, args[0] if args else next(iter(named.values()))))
        given = instead.get(number)
        if isinstance(module, nn.EmbeddingBag):
            _check_pooling(module, args, named)
            return vectors if given is None else given.sum(1) if module.mode == "sum" else given.mean(1)
        return vectors if given is None else given.reshape(vectors.shape)

    handles = [module.register_forward_hook(hook, with_kwargs=True) for module in modules]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _check_pooling(bag: nn.EmbeddingBag, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Raise where a bag does more than add up a row's vectors, or take their mean.

    Raises:
        ExplanationError: it takes their maximum, leaves some out, weighs them, or its bags are no rows.
    """
    codes, *others = (*args, *named.values())
    plain = bag.mode in ("sum", "mean") and bag.padding_idx is None and codes.ndim == 2
    if not plain or any(other is not None for other in others):
        raise ExplanationError(Message("embedding_pools", {"kind": "EmbeddingBag"}))


def _watch(problem: Problem, modules: Sequence[nn.Module], inputs: Tensors, rows: Tensor) -> list[_Call]:
    """The codes that each call looks up for these inputs."""

    def piece(at: slice) -> tuple[int, list[tuple[nn.Module, Tensor]]]:
        with torch.no_grad(), _lookups(modules, {}) as seen:
            problem.function(tuple(x[at] for x in inputs), rows[at])
        return len(rows[at]), seen

    found: list[_Call] = []
    for number, (size, seen) in enumerate(problem.chunks.over(len(rows), piece)):
        if not number:
            found = [_Call(module) for module, _ in seen]
        if len(seen) != len(found):
            raise ExplanationError(Message("codes_not_by_row", {}))
        for call, (_, codes) in zip(found, seen, strict=True):
            call.pieces.append(codes)
            call.sizes.append(size)
    return found


def _moving(before: list[_Call], after: list[_Call]) -> list[int]:
    """The calls whose codes differ."""
    if len(before) != len(after):
        raise ExplanationError(Message("codes_not_by_row", {}))
    found = []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        pairs = list(zip(old.pieces, new.pieces, strict=True))
        if any(a.shape != b.shape for a, b in pairs):
            raise ExplanationError(Message("codes_not_by_row", {}))
        if all(torch.equal(a, b) for a, b in pairs):
            continue
        if old.codes is None or new.codes is None:
            raise ExplanationError(Message("codes_not_by_row", {}))
        found.append(number)
    return found


def _same(call: int, before: list[_Call], after: list[_Call], starts: Tensors, ends: Tensors) -> Tensor | None:
    """[codes of a row] places, where the call looks up one of the inputs as it stands; else None."""
    place = 0
    for start, end in zip(starts, ends, strict=True):
        width = end[0].numel()
        if not end.is_floating_point() and _equal(before[call].codes, start) and _equal(after[call].codes, end):
            return torch.arange(place, place + width, device=end.device)
        place += width
    return None


def _equal(codes: Tensor | None, given: Tensor) -> bool:
    return codes is not None and codes.shape == given.shape and bool((codes == given).all())


def _by_trying(
    problem: Problem,
    modules: Sequence[nn.Module],
    calls: list[int],
    after: list[_Call],
    path: tuple[Tensors, Tensors, Tensor],
) -> dict[int, Tensor]:
    """{call: [codes of a row] place or -1}; each place is tried on the first path on which it moves."""
    starts, ends, rows = path
    found: dict[int, Tensor] = {}
    for call in calls:
        codes = after[call].codes
        assert codes is not None
        found[call] = torch.full((codes[0].numel(),), NOBODY, dtype=torch.int64, device=codes.device)
    first = 0
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if not end.is_floating_point():
            places, pairs = _first_moves(start, end)
            moved = _one_moved(number, places, pairs, starts, ends)
            for call, seen in enumerate(_watch(problem, modules, moved, rows[pairs])):
                if call in found:
                    _own(found[call], seen.codes, after[call].codes, pairs, first + places)
        first += end[0].numel()
    return found


def _first_moves(start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """The places of a row that move on any path, and the first path on which each does."""
    differs = (start != end).reshape(len(start), -1)
    places = differs.any(0).nonzero()[:, 0]
    return places, differs[:, places].int().argmax(0)


def _one_moved(number: int, places: Tensor, pairs: Tensor, starts: Tensors, ends: Tensors) -> Tensors:
    """The ends of these paths, with one place of one input at its start."""
    moved = [end[pairs] for end in ends]
    flat = moved[number].reshape(len(pairs), -1).clone()
    at = torch.arange(len(places), device=places.device)
    flat[at, places] = starts[number].reshape(len(starts[number]), -1)[pairs, places]
    moved[number] = flat.view_as(moved[number])
    return tuple(moved)


def _own(owner: Tensor, seen: Tensor | None, codes: Tensor | None, pairs: Tensor, places: Tensor) -> None:
    """Write into `owner` which codes changed when a place moved."""
    if seen is None or codes is None:
        raise ExplanationError(Message("codes_not_by_row", {}))
    changed = (seen != codes[pairs]).reshape(len(pairs), -1)
    if bool((changed.sum(0) > 1).any()) or bool((owner[changed.any(0)] != NOBODY).any()):
        shared = changed.sum(0) > 1 if bool((changed.sum(0) > 1).any()) else changed.any(0)
        place = int(places[changed[:, shared.nonzero()[0, 0]].nonzero()[0, 0]])
        raise ExplanationError(Message("codes_shared", {"place": place}))
    number, at = changed.nonzero(as_tuple=True)
    owner[at] = places[number]
