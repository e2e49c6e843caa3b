"""What a metric reads off one method's attributions: a number a row, or why a row has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...messages import Message

Reasons = Sequence[tuple[Message, Tensor]]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One metric of one method.

    Attributes:
        values: [n] float64; what stands at rows without a value means nothing.
        missing: reasons, and for each which rows [n] bool have no value because of it; a row counts under the first.
        chance: [n] the same metric of a random ranking of the same places; None where there is no such thing.
        units: [k] means of what was drawn beside rows (networks); the interval is the wider of the two.
        binary: each row is a hit (1) or a miss (0).
        where: what the number is of beside the method.
        details: what else is worth keeping; plain data.
    """

    values: Tensor
    missing: Reasons = ()
    chance: Tensor | None = None
    units: Tensor | None = None
    binary: bool = False
    where: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> Tensor:
        """[n] bool: the rows that have a value."""
        found = torch.isfinite(self.values)
        for _, rows in self.missing:
            found &= ~rows
        return found

    @property
    def left_out(self) -> tuple[tuple[Message, int], ...]:
        """Why rows have no value, and how many each time."""
        rest, found = torch.ones_like(self.values, dtype=torch.bool), []
        for why, rows in self.missing:
            count = int((rows & rest).sum())
            if count:
                found.append((why, count))
            rest &= ~rows
        odd = int((rest & ~torch.isfinite(self.values)).sum())
        return (*found, (Message("quality_not_finite", {}), odd)) if odd else tuple(found)
