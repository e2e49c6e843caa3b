"""One function for all methods: `attribute`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from ...models.subject import unpack
from ..energy.meter import Meter
from ..messages import Message
from .catalogue import METHODS, Method
from .checks.checkup import Checkup
from .checks.examination import examine
from .core.asked import Asked, generator_of, quantity_of, target_of, tolerance_of
from .core.baselines import compared, unmoved, where_owned
from .core.budget import Budget, Cost, Spending, meter_here
from .core.chunks import Chunks
from .core.function import Function, Quantity, Target
from .core.groups import Groups, groups_of
from .core.kept import kept
from .core.problem import Found, Problem, Tensors
from .core.result import Attributions, Shaped, like
from .errors import ExplanationError, IncompleteError

ENUMERABLE = 12  # groups whose 4,096 coalitions `method="auto"` goes through one by one
SAMPLED = 512  # groups that sampled Shapley values still tell apart; beyond, each is taken away once
NOISE = {torch.float64: 1e-10}  # of the output: what sums of rounding errors come to
FLOAT_NOISE = 1e-4


def attribute(
    model: nn.Module | Callable[..., Any],
    inputs: Shaped,
    *,
    method: str = "auto",
    target: Target = None,
    baselines: Any = None,
    tolerance: float = 1e-3,
    budget: int | str | None = None,
    feature_groups: Any = None,
    generator: torch.Generator | None = None,
    quantity: Quantity = "output",
    background: Any = None,
    layer: nn.Module | str | None = None,
    embedding: nn.Module | str | None = None,
    forward: Callable[[Any, Any], Any] = unpack,
    meter: Meter | None = None,
    strict: bool = True,
    **options: Any,
) -> Attributions:
    """Why f(inputs) and not f(baselines): the output, handed out to the inputs, with its error and its cost.

    The model is examined first, and a method that would be wrong on it is refused. It is run in the mode it is in, and
    left as it was found.

    Args:
        model: a module, or any callable on tensors. Rows must not meet in it.
        inputs: [n, ...]; or several inputs as a tuple, or by keyword as a dict.
        method: a name of `catalogue.METHODS`; "auto" takes integrated gradients where the model has gradients, else
            exact Shapley values where all coalitions can be tried, else sampled ones.
        target: which output is explained: a column for all rows, one for each row ([n]), None for outputs [n] or
            [n, 1], or a callable from the raw output to [n].
        baselines: what the inputs are compared with: a number, a row, one row for each; for several inputs one of these
            each. 0 where nothing is given. A method that needs many rows to compare with reads them here: [m, ...].
        tolerance: of numerical error, relative to a row's summed absolute attribution. A method that promises that its
            attributions add up and misses by more raises.
        budget: evaluations of the model a row (an int) for methods that sample; or "2s", or "50J", for the whole call.
        feature_groups: places of the inputs that go together; see `core.groups.groups_of`.
        generator: of random numbers; one with seed 0 if None.
        quantity: what of the output is explained; see `core.function.Quantity`.
        background: many rows [m, ...] to compare with, for Shapley values averaged over them.
        layer: for methods that look at a layer: the module, or its name in the model.
        embedding: integer inputs are explained by the vectors this module (or name) looks up for them; "auto" finds the
            lookups of each group.
        forward: called as forward(model, inputs), returns the output.
        meter: of joules; this machine's sensors if None.
        strict: raise where attributions that promise to add up do not; otherwise the residuals alone tell it.
        **options: what the method takes beside: see its own docstring.

    Raises:
        ExplanationError: one line that says what is wrong, and the cure.

    Example:
        >>> found = attribute(lambda x: x[:, 0] * 2 + x[:, 1], torch.tensor([[3.0, 4.0]]))
        >>> found.values.round(decimals=9)
        tensor([[6., 4.]], dtype=torch.float64)
    """
    asked = Asked.of(model, inputs)
    tolerance, generator, quantity = tolerance_of(tolerance), generator_of(generator), quantity_of(quantity)
    state = generator.get_state()
    spending = Spending(Budget.of(budget), meter or meter_here())
    function = Function(model, target_of(target, asked.inputs, quantity), quantity, asked.keywords, forward)
    with kept(model, asked.inputs[0].device), spending.whole():
        checkup = examine(function, asked.inputs)
        groups = groups_of(asked.inputs, feature_groups)
        chosen, because = _choose(method, checkup, asked, groups, embedding, options)
        given, rows = compared(baselines, background, chosen, asked)
        still = asked.codes() if chosen.gradient and embedding is None else ()
        given = unmoved(given, still, baselines, chosen, asked)
        problem = Problem(
            function=function,
            inputs=asked.inputs,
            baselines=where_owned(groups, asked.inputs, given),
            groups=groups,
            spending=spending,
            chunks=Chunks.of(asked.inputs),
            generator=generator,
            background=rows,
            tolerance=tolerance,
            shape=checkup.shape,
            layer=asked.module_of(layer, "layer") if chosen.layer else None,
            embedding=embedding if embedding in ("auto", None) else asked.module_of(embedding, "embedding"),
            options=options,
            strict=strict,
        )
        found = _run(chosen)(problem)
        residual = _completeness(chosen, problem, found, strict)
    assert spending.window is not None
    cost = Cost(function.evaluations, function.gradients, spending.window.seconds, spending.window)
    settings = {
        "method": chosen.name,
        "tolerance": tolerance,
        "budget": budget,
        "quantity": quantity,
        "generator": state,
        "layer": layer,
        "embedding": embedding,
        "background": rows,
        "forward": forward,
        "options": options,
    }
    grouped = groups.sums(found.values) if found.grouped is None else found.grouped
    return Attributions(
        method=chosen.name,
        values=like(inputs, found.values),
        error=None if found.error is None else like(inputs, found.error),
        stderr=None if found.stderr is None else like(inputs, found.stderr),
        completeness=residual,
        cost=cost,
        quantity=quantity,
        rule=f"{because}{found.rule}{_told(still)}",
        grouped=grouped,
        grouped_error=_summed(groups, found.grouped_error, found.error, found.grouped),
        grouped_stderr=_summed(groups, found.grouped_stderr, found.stderr, found.grouped),
        groups=groups,
        output=found.output,
        baseline_output=found.baseline_output,
        target=target,
        inputs=inputs,
        baselines=like(inputs, problem.baselines),
        settings=settings,
        details=found.details,
    )


def again(model: nn.Module | Callable[..., Any], found: Attributions, **changes: Any) -> Attributions:
    """The same question once more: of another model, or with some of `attribute`'s arguments changed.

    Without changes it gives the same numbers, to the last bit: the generator starts in the state that it had before.

    Raises:
        ExplanationError: as `attribute` does.
    """
    kept_settings = {k: v for k, v in found.settings.items() if k not in ("options", "generator")}
    generator = torch.Generator()
    generator.set_state(found.settings["generator"])
    asked = {
        "inputs": found.inputs,
        "target": found.target,
        "baselines": found.baselines if found.settings["background"] is None else None,
        "feature_groups": found.groups,
        "generator": generator,
        **kept_settings,
        **found.settings["options"],
        **changes,
    }
    return attribute(model, asked.pop("inputs"), **asked)


def _choose(
    name: str,
    checkup: Checkup,
    asked: Asked,
    groups: Groups,
    embedding: nn.Module | str | None,
    options: Mapping[str, Any],
) -> tuple[Method, str]:
    """The method, and why where nobody named one."""
    because = ""
    if name == "auto":
        name, because = _automatic(checkup, asked, groups, embedding)
    if name not in METHODS:
        raise ExplanationError(Message("no_such_method", {"given": repr(name), "known": ", ".join(METHODS)}))
    method = METHODS[name]
    unknown = [option for option in options if option not in method.options]
    if unknown:
        taken = ", ".join(method.options) or "none"
        raise ExplanationError(Message("no_such_option", {"given": unknown[0], "method": name, "taken": taken}))
    checkup.allow(name)
    codes = asked.codes()
    if method.gradient and codes and embedding is not None and not method.codes:
        raise ExplanationError(Message("codes_not_explained", {"method": name}))
    if method.gradient and len(codes) == len(asked.inputs) and embedding is None:
        raise ExplanationError(Message("integer_input", {"method": name}))
    if method.background == "must" and codes:
        raise ExplanationError(Message("integer_background", {"method": name}))
    return method, because


def _automatic(checkup: Checkup, asked: Asked, groups: Groups, embedding: nn.Module | str | None) -> tuple[str, str]:
    refused = checkup.refused
    floats = all(x.is_floating_point() for x in asked.inputs)
    if "integrated_gradients" not in refused and (floats or embedding is not None):
        return "integrated_gradients", "chosen because the model has gradients; "
    reason = "the model has no gradients for these inputs"
    if len(groups) <= ENUMERABLE and "shapley_values" not in refused:
        return "shapley_values", f"chosen because {reason} and all {2 ** len(groups):,} coalitions can be tried; "
    if len(groups) <= SAMPLED and "kernel_shap" not in refused:
        return "kernel_shap", f"chosen because {reason}; "
    return "feature_ablation", f"chosen because {reason} and {len(groups):,} features are too many to sample; "


def _told(still: Sequence[int]) -> str:
    """Which inputs were left as they are, in words."""
    where = f"input{'s' * (len(still) > 1)} {', '.join(map(str, still))}"
    return f"; the integers of {where} stay as they are" if still else ""


def _run(method: Method) -> Callable[[Problem], Found]:
    module, _, name = method.home.partition(":")
    return getattr(import_module("." + module, __package__), name)


def _completeness(method: Method, problem: Problem, found: Found, strict: bool) -> Tensor | None:
    """[n] residuals; raises where the method promises that they are within the tolerance and they are not."""
    if method.promise == "none" or found.output is None or found.baseline_output is None:
        return None
    grouped = problem.groups.sums(found.values) if found.grouped is None else found.grouped
    change = found.output.double() - found.baseline_output.double()
    residual = grouped.sum(1) - change
    size = torch.maximum(found.output.abs(), found.baseline_output.abs())
    noise = NOISE.get(problem.inputs[0].dtype, FLOAT_NOISE) * size
    scale = torch.maximum(torch.maximum(grouped.abs().sum(1), change.abs()), noise)
    relative = residual.abs() / scale.clamp(min=torch.finfo(torch.float64).tiny)
    if strict and method.promise == "exact" and bool((relative > max(problem.tolerance, 1e-12)).any()):
        parameters = {"residual": float(relative.max()), "tolerance": problem.tolerance, "method": method.name,
                      "count": int((relative > problem.tolerance).sum()), "n": len(relative)}  # fmt: skip
        raise IncompleteError(Message("incomplete_method", parameters), relative.tolist())
    return residual


def _summed(groups: Groups, grouped: Tensor | None, values: Tensors | None, direct: Tensor | None) -> Tensor | None:
    """Errors of groups: the method's own, or the places' added up, which is the most that they can come to."""
    if grouped is not None or values is None or direct is not None:
        return grouped
    return groups.sums(values)
