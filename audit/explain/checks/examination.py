"""The examination itself: a few rows are sent through the model before anything is attributed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from ...messages import Message
from ..catalogue import METHODS
from ..core.function import Function, told
from ..core.problem import Tensors
from ..errors import FailedError
from .ailments import ALL, GRADIENTS, of_structure, of_training, place_of, shape_of
from .checkup import Ailment, Checkup
from .gradient_path import gradient_path
from .operations import RANDOM
from .probing import Probe
from .recording import Recording, record
from .states import buffers_set_aside, kept_for


def examine(function: Function, inputs: Tensors) -> Checkup:
    """What the doctor finds on a model in its present state; kept until that state changes.

    A few of the rows are sent through the model, in copies, a handful of times; none of it is counted as cost. What the
    model writes into its buffers meanwhile is forgotten.

    Args:
        function: the explained number.
        inputs: each [n, ...], of which the first rows are used.
    """
    return kept_for(function, inputs, lambda: _examined(replace(function), inputs))


def _examined(function: Function, inputs: Tensors) -> Checkup:
    with buffers_set_aside(function.model), warnings.catch_warnings(action="ignore"):
        probe = Probe.of(function, inputs)
        recording = _recorded(probe)
        if recording is None:
            lost, unable = _unwatched(probe)
            return Checkup((*_of_answers(probe, None), *lost), "unknown", _unable(function, unable))
        found = [*_of_inputs(inputs, recording), *of_training(recording)]
        if not any(ailment.refuses == ALL for ailment in found):
            found += _of_answers(probe, recording)
        lost, unable = gradient_path(probe, recording)
        found += lost
    if function.module is None:
        return Checkup(tuple(found), "unknown", _unable(function, unable))
    return Checkup((*found, *of_structure(recording)), shape_of(recording.steps), _unable(function, unable))


def _recorded(probe: Probe) -> Recording | None:
    """One forward pass in detail; None where the model cannot be watched (compiled ones, some borrowed kernels)."""
    try:
        return record(lambda given: probe.function(given, probe.rows), probe.function.module, probe.inputs)
    except Exception:
        return None


def _unwatched(probe: Probe) -> tuple[list[Ailment], dict[str, Message]]:
    """Inputs whose gradient is missing, and methods that cannot work, told from a pass that nobody watches."""
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in probe.inputs]
    try:
        with torch.enable_grad():
            output = probe.function([x.clone() for x in leaves], probe.rows)
    except FailedError as error:
        why = Message("doctor_no_gradients_taken", told(error.__cause__ or error))
        return [], dict.fromkeys(GRADIENTS, why)
    return gradient_path(probe, Recording({}, output=output, given=tuple(leaves)))


def _of_answers(probe: Probe, recording: Recording | None) -> Iterator[Ailment]:
    """Outputs that are random, or that depend on the rows beside."""
    if probe.random():
        steps = [step for step in recording.steps if step.operation in RANDOM] if recording else []
        where = recording.where(steps[0].module) if recording and steps else ""
        yield Ailment("random_output", where, Message("doctor_random", {"where": place_of(where)}), ALL)
    elif probe.rows_meet():
        yield Ailment("batch_dependent", "", Message("doctor_batch_dependent", {}), ALL)


def _of_inputs(inputs: Tensors, recording: Recording) -> Iterator[Ailment]:
    """Inputs that are written into, and inputs that have no gradient by nature."""
    for number in recording.overwritten:
        yield Ailment("inplace_input", f"input {number}", Message("doctor_inplace_input", {"input": number}), ALL)
    integers = [number for number, x in enumerate(inputs) if not x.is_floating_point()]
    none_else = len(integers) == len(inputs)
    refused = tuple(name for name in GRADIENTS if not METHODS[name].codes) if none_else else ()
    for number in integers:
        yield Ailment("integer_input", f"input {number}", Message("doctor_integers", {"input": number}), refused)


def _unable(function: Function, found: Mapping[str, Message]) -> dict[str, Message]:
    """Methods that cannot work here, and why."""
    inside = {name: Message("no_module", {}) for name, method in METHODS.items() if method.module}
    return {**found, **(inside if function.module is None else {})}
