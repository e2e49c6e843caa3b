"""Is there a path by which gradients come back from the output to each input, and do they tell the truth?"""

from __future__ import annotations

import torch
from torch import Tensor

from ...messages import Message
from ..core.function import told
from .ailments import GRADIENTS, place_of
from .checkup import Ailment
from .probing import Probe
from .recording import Recording


def gradient_path(probe: Probe, recording: Recording) -> tuple[list[Ailment], dict[str, Message]]:
    """Inputs whose gradient is missing or wrong; and the methods that cannot work at all, with the reason."""
    floats = [number for number, x in enumerate(recording.given) if x.is_floating_point()]
    if not floats or recording.output is None:
        return [], {}
    if not recording.output.requires_grad:
        return [], dict.fromkeys(GRADIENTS, Message("detached", {}))
    try:
        leaves = [recording.given[number] for number in floats]
        gradients = torch.autograd.grad(recording.output.sum(), leaves, allow_unused=True)
    except RuntimeError as error:
        why = Message("doctor_no_backward", told(error))
        return [], dict.fromkeys(GRADIENTS, why)
    found = [_of_input(probe, recording, number, g) for number, g in zip(floats, gradients, strict=True)]
    return [ailment for ailment in found if ailment is not None], {}


def _of_input(probe: Probe, recording: Recording, number: int, gradient: Tensor | None) -> Ailment | None:
    """What is wrong with one input's gradient."""
    place = f"input {number}"
    stepped = any(step.kind == "step" for step in recording.steps)
    if gradient is None or (not bool(gradient.any()) and stepped):
        if not probe.matters(number):
            return None
        return Ailment("not_differentiable", place, Message("doctor_steps", {"input": number}), GRADIENTS)
    if recording.cuts and not probe.slope_is(gradient, number):
        where = recording.cuts[0]
        return Ailment(
            "not_differentiable", where, Message("doctor_cut", {"input": number, "where": place_of(where)}), GRADIENTS
        )
    return None
