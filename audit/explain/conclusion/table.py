"""What a method says of each row, as numbers; or why it says nothing. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...messages import Message

Floats = NDArray[np.float64]
PER_FEATURE = ("values", "stderr", "error")


@dataclass(frozen=True, slots=True)
class Table:
    """What a method says of each row, or why it says nothing.

    Attributes:
        features: names, in the order of the values' columns.
        unit: of the attributions.
        explained: what the attributions add up to, in words: "log-odds of >50K".
        text: how the attributions were made, in words.
        n: how many rows were asked about.
        values: [n, features] float64; None exactly when `why` says why.
        output: [n] f(x), where the method knows it.
        baseline_output: [n] f(baseline), likewise.
        residual: [n] by how much each row misses completeness, relative to the larger of its summed absolute
            attribution and the output's change; None where the method promises no completeness.
        stderr: [n, features] of sampling; None where nothing was sampled.
        error: [n, features] of numerical error; None where there is none to estimate.
        rule: how the method went about it, and why.
        places: attributions of each place of the model's inputs, [n, places], by the input's number.
        details: what else the method tells.
    """

    method: str
    features: tuple[str, ...]
    unit: str
    explained: str
    text: str
    n: int
    values: Floats | None = None
    output: Floats | None = None
    baseline_output: Floats | None = None
    residual: Floats | None = None
    stderr: Floats | None = None
    error: Floats | None = None
    rule: str = ""
    places: Mapping[int, Floats] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    why: Message | None = None

    def of_features(self, columns: slice) -> Table:
        """The same for some of the features."""
        cut = {name: None if (x := getattr(self, name)) is None else x[:, columns] for name in PER_FEATURE}
        return replace(self, features=self.features[columns], **cut)
