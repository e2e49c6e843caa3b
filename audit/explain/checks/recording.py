"""A record of one forward pass: which operation touched the inputs' data, in which module, and what it did to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .operations import EMPTY, RANDOM, Kind, kind_of


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on data that was computed from the inputs.

    Attributes:
        operation: by aten's name, "relu".
        kind: what it does to the data.
        module: the innermost module that it ran in; None = outside the model.
        call: the number of that module's call.
        inplace: it overwrote the data.
    """

    operation: str
    kind: Kind
    module: nn.Module | None
    call: int
    inplace: bool


@dataclass(slots=True, eq=False)
class Recording:
    """One forward pass.

    Attributes:
        steps: in the order in which they ran.
        names: each module's path in the model, by its id.
        output: what was computed, [m], with its graph.
        given: the inputs that it was computed from; floating-point ones have gradients.
        overwritten: numbers of the inputs that the model wrote into.
        cuts: paths of the modules that took data out of the graph: `detach`, `.data`, `no_grad`.
    """

    names: dict[int, str]
    steps: list[Step] = field(default_factory=list)
    output: Tensor | None = None
    given: tuple[Tensor, ...] = ()
    overwritten: tuple[int, ...] = ()
    cuts: list[str] = field(default_factory=list)

    def where(self, module: nn.Module | None) -> str:
        """The path of a module in the model; "" outside it and for the model itself."""
        return "" if module is None else self.names.get(id(module), "")


def record(
    function: Callable[[Sequence[Tensor]], Tensor], model: nn.Module | None, inputs: Sequence[Tensor]
) -> Recording:
    """Run a function once and write down what happens to its inputs' data.

    Args:
        function: of the inputs.
        model: whose modules the operations are placed in; None = a plain callable.
        inputs: each [m, ...]; copies of them are used.
    """
    found = Recording({id(module): name for name, module in model.named_modules()} if model is not None else {})
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    with torch.enable_grad():
        given = [x.clone() for x in leaves]  # not leaves, so that a model that overwrites its inputs can be watched
        versions = [x._version for x in given]
        with _placing(found) as stack, _Cuts(found, stack), _Watch(found, stack, given):
            found.output = function(given)
    found.given = tuple(leaves)
    found.overwritten = tuple(i for i, (x, v) in enumerate(zip(given, versions, strict=True)) if x._version != v)
    return found


@contextmanager
def _placing(found: Recording) -> Iterator[list[tuple[nn.Module, int]]]:
    """The modules that are under way, outermost first, each with the number of its call."""
    stack: list[tuple[nn.Module, int]] = []
    calls = iter(range(1, 2**62))

    def enter(module: nn.Module, _: Any) -> None:
        if id(module) in found.names:
            stack.append((module, next(calls)))

    def leave(module: nn.Module, *_: Any) -> None:
        if stack and stack[-1][0] is module:
            stack.pop()

    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        yield stack
    finally:
        for hook in hooks:
            hook.remove()


class _Cuts(TorchFunctionMode):
    """Sees what is called by name, before autograd adds its own copies."""

    def __init__(self, found: Recording, stack: list[tuple[nn.Module, int]]) -> None:
        super().__init__()
        self._found, self._stack = found, stack

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        off = func is torch._C._set_grad_enabled and not args[0]
        if off or func in _CUTS:
            self._found.cuts.append(self._found.where(self._stack[-1][0] if self._stack else None))
        return func(*args, **(kwargs or {}))


_CUTS = (Tensor.detach, Tensor.detach_, torch.detach, Tensor.data.__get__)  # type: ignore[attr-defined]


class _Watch(TorchDispatchMode):
    """Sees every operation, and knows by the memory they share which tensors were computed from the inputs.

    Three kinds of them are told apart: numbers that change smoothly with the inputs or not at all ("floats"), what was
    decided by such numbers (comparisons, indices), and codes, whose numbers mean nothing before they are looked up.
    """

    def __init__(self, found: Recording, stack: list[tuple[nn.Module, int]], given: Sequence[Tensor]) -> None:
        super().__init__()
        self._found, self._stack = found, stack
        # The tensors themselves are kept, so that their memory is not used again for something else.
        self._floats = {_memory(x): x for x in given if _is_float(x)}
        self._codes = {_memory(x): x for x in given if not _is_float(x)}
        self._decided: dict[int, Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        every = (*args, *(kwargs or {}).values())
        inplace = func._schema.is_mutable
        name = func.overloadpacket.__name__
        came = [[_memory(x) for x in tree_leaves(arg) if isinstance(x, Tensor)] for arg in every]
        out = func(*args, **(kwargs or {}))
        made = [x for x in tree_leaves(out) if isinstance(x, Tensor)]
        self._note(name.rstrip("_") if inplace else name, every, came, made, inplace)
        return out

    def _note(self, name: str, args: Sequence[Any], came: list[list[int]], made: list[Tensor], inplace: bool) -> None:
        floats = [any(m in self._floats for m in part) for part in came]
        decided = [any(m in self._decided for m in part) for part in came]
        if name in EMPTY:
            return
        if any(floats) or any(decided) or name in RANDOM:
            self._of_floats(name, args, floats, decided, made, inplace)
        elif any(m in self._codes for part in came for m in part):
            self._of_codes(name, made, inplace)

    def _of_floats(
        self, name: str, args: Sequence[Any], floats: list[bool], decided: list[bool], made: list[Tensor], inplace: bool
    ) -> None:
        touched = any(floats) or any(decided)
        numbers = [x for x in made if _is_float(x)]
        if touched:
            self._floats.update({_memory(x): x for x in numbers})
            self._decided.update({_memory(x): x for x in made if not _is_float(x)})
        if not any(floats) and numbers and name not in RANDOM:
            self._add(name, "step", inplace)
        elif numbers or not made:
            both = [a or b for a, b in zip(floats, decided, strict=True)]
            self._add(name, kind_of(name, args, both, not any(decided)) if made else "decision", inplace)

    def _of_codes(self, name: str, made: list[Tensor], inplace: bool) -> None:
        """Codes stay codes until they are looked up; other numbers made of them (masks, lengths) are constants."""
        self._codes.update({_memory(x): x for x in made if not _is_float(x)})
        if "embedding" in name:
            self._floats.update({_memory(x): x for x in made if _is_float(x)})
            self._add(name, "linear", inplace)

    def _add(self, name: str, kind: Kind, inplace: bool) -> None:
        module, call = self._stack[-1] if self._stack else (None, 0)
        self._found.steps.append(Step(name, kind, module, call, inplace))


def _is_float(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


def _memory(x: Tensor) -> int:
    """What tells tensors that share their numbers from those that do not."""
    return x.untyped_storage()._cdata if x.layout == torch.strided and not x.is_mkldnn else id(x)
