"""Integrated gradients [sundararajan2017]."""

from __future__ import annotations

from ..core.problem import Found, Problem
from .attempts import Integral
from .integral import path_integral
from .plans import RULES, shape_of

_NAMES = {
    "gauss": "Gauss–Kronrod pairs",
    "exact": "one gradient in each linear piece",
    "pieces": "three Gauss–Legendre nodes between each two kinks",
    "midpoint": "middles of equal panels",
}
_BECAUSE = {
    "smooth": "the network is smooth",
    "unknown": "nothing speaks against a smooth function",
    "piecewise_linear": "the network is linear in pieces",
    "mixed": "the explained number has kinks and curves",
}


def integrated_gradients(problem: Problem) -> Found:
    """(x − b) ∫₀¹ ∂f/∂x (b + α (x − b)) dα for each place [sundararajan2017], to the tolerance.

    The rule goes by the network's shape. Where it is smooth: Gauss–Legendre nodes in float64 with Kronrod's between, 15
    gradients a row, and more for the rows whose two rules disagree. Where it is linear in pieces: exact breakpoints
    [sotoudeh2019] while a row has no more pieces than the budget (256 if there is none), beyond it middles of equal
    panels. Where kinks and curves meet: three nodes between each two kinks, beyond the budget middles. A function whose
    shape is not known counts as smooth until its rules have disagreed twice; then its kinks are looked for.

    Integer inputs are explained along the vectors that stand for their codes; a code's value is its vector's sum.

    Options: `rule` ("gauss", "exact", "midpoint") and `nodes`, the number of gradients a row.

    Returns:
        `error`: how far two rules on the same nodes differ, by place. `details`: "rule" [n] (index into "rules"),
        "nodes" [n] of the rule that was kept, "gradients" [n] taken in all, "reached" [n], whether the tolerance was.
    """
    found = path_integral(problem, rule=problem.options.get("rule"), nodes=problem.options.get("nodes"))
    names = ("rule", "nodes", "gradients", "reached")
    return Found(
        found.values,
        _said(problem, found),
        error=found.error,
        output=found.output,
        baseline_output=found.baseline_output,
        details={**{name: getattr(found, name) for name in names}, "rules": RULES},
    )


def _said(problem: Problem, found: Integral) -> str:
    """The rule in words: which, why, how many gradients, and where it was refined or did not reach the tolerance."""
    counts = [(int((found.rule == number).sum()), name) for number, name in enumerate(RULES)]
    used = sorted((pair for pair in counts if pair[0]), reverse=True)
    why = "as asked" if "rule" in problem.options else f"because {_because(shape_of(problem), used[0][1])}"
    said = f"{_NAMES[used[0][1]]}, {_span(found, used[0][1])} gradients a row, {why}"
    for count, name in used[1:]:
        said += f"; {_NAMES[name]} in {count} of {len(found)} rows, {_span(found, name)} gradients"
    first = found.nodes[found.rule == 0]
    refined = int((first > first.min()).sum()) if len(first) else 0
    if refined:
        said += f"; {refined} of {len(found)} rows were refined, where two rules disagreed"
    missed = int((~found.reached).sum())
    return said + (f"; {missed} of {len(found)} rows stay above the tolerance" if missed else "")


def _because(shape: str, rule: str) -> str:
    """Why this rule, on a function of this shape."""
    if shape == "unknown" and rule != "gauss":
        return "its gradients jump"
    if shape == "piecewise_linear" and rule == "midpoint":
        return "the rows have more linear pieces than the budget has gradients"
    return _BECAUSE[shape]


def _span(found: Integral, name: str) -> str:
    nodes = found.nodes[found.rule == RULES.index(name)]
    low, high = int(nodes.min()), int(nodes.max())
    return str(low) if low == high else f"{low} to {high}"
