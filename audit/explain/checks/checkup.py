"""What the doctor found: what ails a model, which methods that rules out, and which ones are right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...messages import Message
from ..catalogue import METHODS
from ..errors import ExplanationError

Shape = Literal["piecewise_linear", "smooth", "mixed", "unknown"]
"""How the output depends on the inputs: linear in pieces (ReLU, max-pool), differentiable as often as one likes (GELU,
tanh, softmax), both within one model, or not known (a plain callable, an operation that the doctor does not know)."""


SHOWN = 5  # further places of one ailment that the list names


@dataclass(frozen=True, slots=True)
class Ailment:
    """Something about a model that makes methods wrong.

    Attributes:
        key: "functional_activation", "reused_module", "dropout_active", "batch_norm_active", "batch_dependent",
            "inplace_activation", "inplace_input", "random_output", "not_differentiable", "unsupported_module",
            "integer_input".
        where: the module's name inside the model, or the operation's; "" = the model as a whole.
        why: the reason in words, with the cure.
        refuses: the methods that it rules out, by name.
    """

    key: str
    where: str
    why: Message
    refuses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checkup:
    """The doctor's report on one state of a model.

    Attributes:
        ailments: what was found, the worst first.
        shape: how the output depends on the inputs; integration chooses its rule by it.
        unable: methods that cannot work here at all, with the reason: no gradients, no module to look into.
    """

    ailments: tuple[Ailment, ...]
    shape: Shape
    unable: Mapping[str, Message]

    @property
    def refused(self) -> dict[str, Message]:
        """Why each refused method is refused; its first ailment's reason."""
        found = dict(self.unable)
        for ailment in self.ailments:
            for method in ailment.refuses:
                found.setdefault(method, ailment.why)
        return found

    @property
    def right(self) -> tuple[str, ...]:
        """The methods that are right on this model."""
        refused = self.refused
        return tuple(name for name in METHODS if name not in refused)

    def __str__(self) -> str:
        """A list for the reader: each ailment with its place and its cure, and the methods that remain right."""
        lines = [f"the output depends on the inputs: {self.shape.replace('_', ' ')}"]
        alike: dict[tuple[str, tuple[str, ...]], list[Ailment]] = {}
        for ailment in self.ailments:
            alike.setdefault((ailment.key, ailment.refuses), []).append(ailment)
        lines += [_line(found) for found in alike.values()]
        for why in dict.fromkeys(map(str, self.unable.values())):
            names = [name for name, said in self.unable.items() if str(said) == why]
            lines.append(f"- cannot work here: {', '.join(names)}: {why}")
        return "\n".join([*lines, f"right on this model: {', '.join(self.right) or 'none'}"])

    def allow(self, method: str) -> None:
        """Raise where the method would be wrong on this model.

        Raises:
            ExplanationError: with the reason, and the methods that are right.
        """
        why = self.refused.get(method)
        if why is not None and not self.right:
            raise ExplanationError(Message("refused_all", {"why": str(why)}))
        if why is not None:
            named = ", ".join(self.right)
            raise ExplanationError(Message("refused", {"method": method, "why": str(why), "right": named}))


def _line(found: list[Ailment]) -> str:
    """Ailments of one kind: the first in full, then where else."""
    first, others = found[0], [repr(ailment.where) for ailment in found[1:]]
    refused = "all methods" if len(first.refuses) == len(METHODS) else ", ".join(first.refuses) or "none"
    more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
    also = f"; likewise at {', '.join(others[:SHOWN])}{more}" if others else ""
    place = f" at '{first.where}'" if first.where else ""
    return f"- {first.key}{place}: {first.why}{also} (refused: {refused})"
