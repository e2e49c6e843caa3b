"""The doctor's results, kept as long as the model is as it was. Telling whether it is takes tens of microseconds."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..core.function import Function
from ..core.problem import Tensors
from .checkup import Checkup

KEPT = 8  # states of one model
_known: weakref.WeakKeyDictionary[Any, dict[Any, Checkup]] = weakref.WeakKeyDictionary()


def kept_for(function: Function, inputs: Tensors, examine: Callable[[], Checkup]) -> Checkup:
    """The checkup of the model in its present state; a new one where the state is not known."""
    model = getattr(function.model, "__self__", function.model)  # a bound method lives no longer than its mention
    try:
        states = _known.setdefault(model, {})
        state = (_call(function, inputs), tuple(_signature(module) for module in modules_of(function.model)))
        if state in states:
            return states[state]
    except (TypeError, KeyError):  # no weak reference to it, or a module of another make
        return examine()
    found = examine()
    if len(states) >= KEPT:
        states.pop(next(iter(states)))
    states[state] = found
    return found


def modules_of(model: Any) -> list[nn.Module]:
    """The modules that a model consists of; for a function those that it mentions (its object, cells, globals)."""
    if isinstance(model, nn.Module):
        return [model]
    mentioned = [getattr(model, "__self__", None), getattr(model, "func", None)]
    for cell in getattr(model, "__closure__", None) or ():
        try:
            mentioned.append(cell.cell_contents)
        except ValueError:  # a cell that is not filled yet
            continue
    code = getattr(model, "__code__", None)
    spread = getattr(model, "__globals__", {})
    mentioned += [spread.get(name) for name in getattr(code, "co_names", ())]
    return [value for value in mentioned if isinstance(value, nn.Module)]


@contextmanager
def buffers_set_aside(model: Any) -> Iterator[None]:
    """Whatever the model writes into its buffers (running means) inside is forgotten."""
    places = [
        (module._buffers, name, buffer)
        for whole in modules_of(model)
        for module in whole.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        for buffers, name, buffer in places:
            buffers[name] = buffer.clone()
        yield
    finally:
        for buffers, name, buffer in places:
            buffers[name] = buffer


def _call(function: Function, inputs: Tensors) -> tuple[Any, ...]:
    """What is asked of the model, but for the numbers: a target for each row counts as any other such."""
    target = "rows" if isinstance(function.target, Tensor) else _itself(function.target)
    form = tuple((x.shape[1:], x.dtype, x.device, len(x) > 1) for x in inputs)
    method = getattr(function.model, "__func__", None)
    return method, target, function.quantity, function.keywords, _itself(function.forward), form


def _itself(value: Any) -> Any:
    """What stands for a function here: its code, for the function itself may hold the model and keep it alive."""
    return getattr(value, "__code__", None) or (id(value) if callable(value) else value)


def _signature(module: nn.Module) -> tuple[Any, ...]:
    """What changes with the model's state: its modules, their modes, and which versions of which tensors they hold."""
    found: list[Any] = []
    modules = [module]
    for here in modules:  # which grows meanwhile
        values = here.__dict__
        found += (id(here), type(here), values["training"], len(values["_forward_hooks"]))
        for name in ("_parameters", "_buffers"):
            for tensor in values[name].values() if values[name] else ():
                if tensor is not None:
                    found += (id(tensor), _version(tensor))
        if values["_modules"]:
            modules += [child for child in values["_modules"].values() if child is not None]
    return tuple(found)


def _version(tensor: Tensor) -> int:
    """How often it was written into; a tensor made in inference mode does not count."""
    try:
        return tensor._version
    except RuntimeError:
        return 0
