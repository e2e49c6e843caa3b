"""What gnomon says when an explanation would be wrong or has no meaning. Loads no torch."""

from __future__ import annotations

from ...models.errors import GnomonError
from ..messages import Message


class ExplanationError(GnomonError):
    """A model, or a method on it, cannot be explained; `why` is the reason that the record shows."""

    def __init__(self, why: Message) -> None:
        super().__init__(str(why))
        self.why = why
