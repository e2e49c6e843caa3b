"""The gap explained: which features carry the difference in mean output between two groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ....models.subject import unpack
from ...energy.meter import Meter
from ...messages import Message
from ..asking import ENUMERABLE
from ..core.budget import Budget, Cost, Spending, meter_here
from ..core.chunks import Chunks
from ..core.function import Function, Quantity, Target, read
from ..core.groups import NOBODY, Groups, groups_of
from ..core.kept import kept
from ..core.problem import finite
from ..core.result import Shaped
from ..errors import ExplanationError
from .comparison import Comparison
from .pairing import pairs_of
from .result import ScoreGap
from .sides import Side, sides_of
from .variance import freedom

Way = Literal["expected_gradients", "shapley"]


def score_gap(
    model: nn.Module | Callable[..., Any],
    inputs_a: Shaped,
    inputs_b: Shaped,
    *,
    target: Target = None,
    labels: Any = None,
    generator: torch.Generator | None = None,
    given: float = 1,
    method: Way = "expected_gradients",
    feature_groups: Any = None,
    quantity: Quantity = "output",
    threshold: float | None = None,
    temperature: float | None = None,
    tolerance: float = 1e-3,
    pairs: int | None = None,
    embedding: nn.Module | str | None = None,
    forward: Callable[[Any, Any], Any] = unpack,
    meter: Meter | None = None,
) -> ScoreGap:
    """Which features carry the difference in mean output between group A and group B.

    φ_i = mean over people a of A and b of B of the attribution of f(b) with baseline a, so that Σ φ = mean f(B) −
    mean f(A) exactly and swapping the groups flips every sign: there is no reference group to choose. Any mixture of
    both groups as a common background gives the same answer.

    Args:
        model: as for `attribute`.
        inputs_a: the rows of group A, [n_A, ...].
        inputs_b: the rows of group B, [n_B, ...].
        target: the output's column, or a function that reads one number a row off the raw output.
        labels: (labels of A, labels of B): only rows whose label is `given` are compared, which explains the
            true-positive gap (given=1) or the false-positive one (given=0). NaN, None and -1 are not known.
        generator: of the pairing and the coalitions; one with seed 0 if None.
        given: the label.
        method: "expected_gradients" (path integrals [erion2021]) or "shapley" [lundberg2017].
        feature_groups: places that go together; what no group names becomes one more, "rest".
        quantity: what of the output is explained.
        threshold: with `temperature`: a smoothed decision, sigmoid((score − threshold) / temperature), is explained,
            whose gap is that of decision rates as the temperature goes to 0.
        temperature: in the score's unit.
        tolerance: of the numerical error of pairs' attributions, relative to their summed absolute attribution. What
            they miss of f(b) − f(a) is given to the features in proportion to their error, and counted in it; more
            than the tolerance on average raises.
        pairs: how many pairs at most; None = all where they are few, else four rounds of a balanced pairing.
        embedding: integer inputs are explained by the vectors that this module looks up.
        forward: called as forward(model, inputs).
        meter: of joules.

    Raises:
        ExplanationError: one line that says what is wrong, and the cure.

    Example:
        >>> gap = score_gap(lambda x: x[:, 0] * 2 + x[:, 1], torch.zeros(3, 2), torch.ones(4, 2))
        >>> gap.values.tolist(), gap.total
        ([2.0, 1.0], 3.0)
    """
    side_a, side_b = sides_of(inputs_a, inputs_b, labels, given)
    turned, same = _order(side_a, side_b)
    generator = generator or torch.Generator().manual_seed(0)
    settings = {"method": method, "tolerance": tolerance, "pairs": pairs, "given": None if labels is None else given,
                "threshold": threshold, "temperature": temperature, "target": target,
                "generator": generator.get_state()}  # fmt: skip
    first, second = (side_b, side_a) if turned else (side_a, side_b)
    design = pairs_of(len(first), len(second), pairs, generator, same=same)
    spending = Spending(Budget(), meter or meter_here())
    function, asked = _explained(model, inputs_a, target, quantity, threshold, temperature, forward)
    groups = _whole(groups_of(first.inputs, feature_groups))
    options = {"tolerance": tolerance, "embedding": embedding, "generator": generator, "forward": forward, **asked}
    comparison = Comparison(model, inputs_a, first, second, design, groups, _way(method, groups), options)
    with spending.whole():
        outputs = tuple(_outputs(function, side) for side in (first, second))
        found = comparison.run(outputs)
    assert spending.window is not None
    tally, sign = found.tally, -1.0 if turned else 1.0
    stderr, degrees = tally.stderr()
    stderr = (stderr**2 + found.noise**2).sqrt()
    mean_a, mean_b = (float(outputs[at].mean()) for at in ((1, 0) if turned else (0, 1)))
    total_stderr, total_freedom = _of_total(outputs)
    single = [side.name for side in (side_a, side_b) if len(side) < 2]
    return ScoreGap(
        values=comparison.shaped(sign * tally.mean),
        stderr=comparison.shaped(stderr),
        error=comparison.shaped(found.error),
        grouped=comparison.grouped(sign * tally.mean),
        grouped_stderr=comparison.grouped(stderr),
        grouped_error=comparison.grouped(found.error),
        freedom=comparison.grouped(degrees),
        total=mean_b - mean_a,
        total_stderr=total_stderr,
        total_freedom=total_freedom,
        mean_a=mean_a,
        mean_b=mean_b,
        n=(len(side_a), len(side_b)),
        missing=(side_a.missing, side_b.missing),
        pairs=len(design),
        complete=design.complete,
        groups=groups,
        quantity=quantity if threshold is None else f"sigmoid(({quantity} - {threshold:g}) / {temperature:g})",
        rule=found.rule,
        cost=Cost(
            found.evaluations + function.evaluations,
            found.gradients,
            spending.window.seconds,
            spending.window.energy,
        ),
        reason=Message("gap_of_one", {"group": single[0]}) if single else None,
        settings=settings,
    )


def _order(a: Side, b: Side) -> tuple[bool, bool]:
    """Whether to compute B against A and flip the signs, so that swapping the groups does so to the last bit; and
    whether both are the same rows."""
    ranks = a.rank, b.rank
    return ranks[1] < ranks[0], ranks[0] == ranks[1]


def _explained(
    model: Any, inputs: Shaped, target: Target, quantity: Quantity, threshold: float | None, temperature: float | None,
    forward: Any,
) -> tuple[Function, dict[str, Any]]:  # fmt: skip
    """f as a function of the inputs, and how `attribute` is asked for it."""
    if isinstance(target, Tensor):
        raise ExplanationError(Message("gap_target", {}))
    if (threshold is None) != (temperature is None) or (temperature is not None and not temperature > 0):
        raise ExplanationError(Message("gap_decision", {"threshold": threshold, "temperature": temperature}))
    keywords = tuple(inputs) if isinstance(inputs, dict) else None
    if threshold is None or temperature is None:
        return Function(model, target, quantity, keywords, forward), {"target": target, "quantity": quantity}

    def decision(raw: Tensor) -> Tensor:
        return ((read(raw, target, quantity) - threshold) / temperature).sigmoid()

    return Function(model, decision, "output", keywords, forward), {"target": decision}


def _whole(groups: Groups) -> Groups:
    """Every place in a group: what nobody owns differs between two people too."""
    if groups.single or all(bool((mask >= 0).all()) for mask in groups.masks):
        return groups
    masks = tuple(torch.where(mask == NOBODY, groups.count, mask) for mask in groups.masks)
    names = (*groups.names, "rest") if groups.names else ()
    return replace(groups, masks=masks, count=groups.count + 1, names=names)


def _way(method: str, groups: Groups) -> str:
    """The method of `attribute` that takes one baseline a row."""
    if method == "expected_gradients":
        return "integrated_gradients"
    if method == "shapley":
        return "shapley_values" if len(groups) <= ENUMERABLE else "kernel_shap"
    raise ExplanationError(Message("gap_method", {"given": repr(method)}))


def _outputs(function: Function, side: Side) -> Tensor:
    """[n] float64"""

    def piece(at: slice) -> Tensor:
        return function([x[at] for x in side.inputs]).detach().double()

    with kept(function.model, side.inputs[0].device), torch.no_grad():
        found = torch.cat(Chunks.of(side.inputs).over(len(side), piece))
    finite(found, f"the output of group {side.name}")
    return found


def _of_total(outputs: tuple[Tensor, ...]) -> tuple[float, float]:
    """Standard error of a difference of means, and its degrees of freedom."""
    if min(map(len, outputs)) < 2:
        return float("nan"), float("nan")
    whole = sum(float(values.var()) / len(values) for values in outputs)
    if not whole:
        return 0.0, float(sum(map(len, outputs)) - 2)
    return whole**0.5, float(freedom(*(values[:, None] for values in outputs)))
