"""What gnomon says when an explanation would be wrong or has no meaning. Loads no torch."""

from __future__ import annotations

from ...models.errors import GnomonError
from ..messages import Message


class ExplanationError(GnomonError):
    """A model, or a method on it, cannot be explained; `why` is the reason that the record shows."""

    def __init__(self, why: Message) -> None:
        super().__init__(str(why))
        self.why = why


class FailedError(ExplanationError):
    """The model raised an error of its own; `__cause__` is that error."""


class IncompleteError(ExplanationError):
    """A method promised that its attributions add up, and they miss by more than the tolerance.

    Attributes:
        residual: [n], by how much each row misses, relative to the larger of its attributions and the output's change.
    """

    def __init__(self, why: Message, residual: list[float]) -> None:
        super().__init__(why)
        self.residual = residual
