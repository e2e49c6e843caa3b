"""What a recorded forward pass says against which methods."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from ...messages import Message
from ..catalogue import METHODS
from .checkup import Ailment, Shape
from .operations import INPLACE_ACTIVATIONS, NORMS, RANDOM
from .recording import Recording, Step
from .supported import BENDS, MIXES

ALL = tuple(METHODS)
GRADIENTS = tuple(name for name, method in METHODS.items() if method.gradient)
NOT_LINEAR = ("kink", "curve", "bent_curve", "step", "decision", "unknown")
IN_QUANTITY = "(the explained quantity)"
MODULE_OF = {
    "relu": "nn.ReLU", "sigmoid": "nn.Sigmoid", "tanh": "nn.Tanh", "elu": "nn.ELU", "leaky_relu": "nn.LeakyReLU",
    "softplus": "nn.Softplus", "max_pool2d_with_indices": "nn.MaxPool2d", "max_pool3d_with_indices": "nn.MaxPool3d",
}  # fmt: skip
"""The module that does what an operation does, where DeepLift has a rule for it."""


def shape_of(steps: Iterable[Step]) -> Shape:
    """How the output depends on the inputs, by what happened to their data."""
    kinds = {step.kind for step in steps}
    if not kinds or kinds & {"unknown", "step", "decision", "random"}:
        return "unknown"
    curved, bent = bool(kinds & {"curve", "bent_curve"}), bool(kinds & {"kink", "bent_curve"})
    return "mixed" if curved and bent else "smooth" if curved else "piecewise_linear"


def of_training(recording: Recording) -> Iterator[Ailment]:
    """Dropout and batch norm at work as in training; they make every method wrong."""
    for step in _first_of_each(recording.steps, lambda step: step.operation in RANDOM):
        if step.module is not None and step.module.training:
            where = recording.where(step.module)
            yield Ailment("dropout_active", where, Message("doctor_dropout", {"where": place_of(where)}), ALL)
    for step in _first_of_each(recording.steps, lambda step: step.operation in NORMS and step.kind == "curve"):
        if not isinstance(step.module, _InstanceNorm):
            where = recording.where(step.module)
            key = "doctor_batch_norm" if step.module is not None and step.module.training else "doctor_batch_statistics"
            yield Ailment("batch_norm_active", where, Message(key, {"where": place_of(where)}), ALL)


def of_structure(recording: Recording) -> Iterator[Ailment]:
    """What rules that go from module to module miss: operations outside modules, modules without a rule, reuse."""
    yield from _bends(recording)
    yield from _reuses(recording)
    yield from _mixes(recording)
    for step in _first_of_each(recording.steps, lambda s: s.inplace and s.operation in INPLACE_ACTIVATIONS):
        where = recording.where(step.module)
        why = Message("doctor_inplace", {"operation": step.operation, "where": place_of(where)})
        yield Ailment("inplace_activation", where, why, _wrong_with("inplace_activation"))


def _bends(recording: Recording) -> Iterator[Ailment]:
    """Kinks and curves that a method has no rule for."""
    for step in _first_of_each(recording.steps, lambda step: step.kind in NOT_LINEAR and not _of_batch(step)):
        lost = [name for name in BENDS if type(step.module) not in BENDS[name]]
        if not lost:
            continue
        where = IN_QUANTITY if step.module is None else recording.where(step.module)
        kind = type(step.module)
        if kind.__module__.startswith("torch.nn") and not kind.__module__.endswith("container"):
            why = Message(
                "doctor_unsupported", {"module": kind.__name__, "where": place_of(where), "methods": ", ".join(lost)}
            )
            yield Ailment("unsupported_module", where, why, tuple(lost))
        else:
            cure = MODULE_OF.get(step.operation)
            said = {"operation": step.operation, "where": place_of(where), "module": cure}
            why = Message("doctor_functional" if cure else "doctor_functional_without_rule", said)
            guided = ["guided_grad_cam"] if step.operation == "relu" else []  # the only rule that it has
            yield Ailment("functional_activation", where, why, (*lost, *guided))


def _reuses(recording: Recording) -> Iterator[Ailment]:
    """Modules without children that data goes through more than once."""
    calls: dict[int, set[int]] = {}
    for step in recording.steps:
        if step.kind != "move" and step.module is not None and not any(True for _ in step.module.children()):
            calls.setdefault(id(step.module), set()).add(step.call)
    several = {id(s.module): s for s in recording.steps if len(calls.get(id(s.module), ())) > 1}
    for step in several.values():
        bends = any(s.kind in NOT_LINEAR for s in recording.steps if s.module is step.module)
        where, times = recording.where(step.module), len(calls[id(step.module)])
        refused = _wrong_with("reused_module") if bends else ("lrp",)
        yield Ailment(
            "reused_module", where, Message("doctor_reused", {"where": place_of(where), "times": times}), refused
        )


def _mixes(recording: Recording) -> Iterator[Ailment]:
    """Linear operations where LRP has no rule: it would hand on relevance by the bare gradient."""
    for method, known in MIXES.items():
        lost: dict[str, list[str]] = {}
        for step in recording.steps:
            if (
                step.kind == "linear"
                and type(step.module) not in known | BENDS[method]
                and not isinstance(step.module, _DropoutNd)
            ):
                lost.setdefault(recording.where(step.module) if step.module else IN_QUANTITY, []).append(step.operation)
        for where, operations in lost.items():
            said = {"operations": ", ".join(dict.fromkeys(operations)), "where": place_of(where), "method": method}
            yield Ailment("unsupported_module", where, Message("doctor_no_rule", said), (method,))


def _of_batch(step: Step) -> bool:
    """A norm over the batch is not a matter of rules."""
    return step.operation in NORMS and not isinstance(step.module, _InstanceNorm)


def place_of(where: str) -> str:
    """A place in words."""
    return f"'{where}'" if where and where != IN_QUANTITY else where or "the top of the model"


def _wrong_with(key: str) -> tuple[str, ...]:
    return tuple(name for name, method in METHODS.items() if key in method.wrong_with)


def _first_of_each(steps: Iterable[Step], wanted: Callable[[Step], bool]) -> Iterator[Step]:
    """One step for each operation and module, of those that are wanted."""
    seen: set[tuple[str, int]] = set()
    for step in steps:
        if wanted(step) and (step.operation, id(step.module)) not in seen:
            seen.add((step.operation, id(step.module)))
            yield step
