"""What a user may ask of the sampling methods beside the budget, checked once."""

from __future__ import annotations

from ...messages import Message
from ..core.problem import Problem
from ..errors import ExplanationError


def samples_asked(problem: Problem) -> int | None:
    """Coalitions, by the option `samples`; None where it was not given."""
    given = problem.options.get("samples")
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given > 0):
        return given
    raise _bad("samples", given, "a whole number of coalitions, 1 or more")


def adjusted_asked(problem: Problem) -> bool | None:
    """Whether to adjust by regression; None = where it helps."""
    given = problem.options.get("adjusted")
    if given is None or isinstance(given, bool):
        return given
    raise _bad("adjusted", given, "True, False, or None for where it helps")


def number_asked(problem: Problem, name: str, usual: float, least: float) -> float:
    """A number above (or at) the least that makes sense."""
    given = problem.options.get(name)
    if given is None:
        return usual
    if isinstance(given, (int, float)) and not isinstance(given, bool) and least <= given < float("inf"):
        return float(given)
    raise _bad(name, given, f"a number of {least:g} or more")


def _bad(name: str, given: object, wanted: str) -> ExplanationError:
    return ExplanationError(Message("bad_option", {"option": name, "given": repr(given), "wanted": wanted}))
