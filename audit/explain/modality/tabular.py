"""Tables: a feature is all the columns of a one-hot, or the one column of a number or a code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from ....models.spec import Feature, Tabular
from ...messages import Message
from ..errors import ExplanationError
from .named import Named


def features(spec: Tabular, inputs: Sequence[Tensor]) -> list[Named]:
    """The declared features.

    Raises:
        ExplanationError: the declaration does not fit the inputs.
    """
    found = []
    for feature in spec.features:
        if not 0 <= feature.input < len(inputs):
            given = {"feature": feature.name, "input": feature.input, "n": len(inputs)}
            raise ExplanationError(Message("no_such_input", given))
        width = inputs[feature.input][0].numel()
        if max(feature.columns) >= width:
            given = {"feature": feature.name, "input": feature.input, "width": width}
            raise ExplanationError(Message("no_such_column", given))
        found.append(Named(feature.name, feature.input, feature.columns))
    return found


def baselines(spec: Tabular, inputs: list[Tensor]) -> None:
    """Put every feature where it says as little as it can: in place, the columns of no feature as they are.

    A number is at its mean (0 where it was centred before the model saw it), a category at the rows' most frequent one,
    so that no row gets a category which does not exist.
    """
    for feature in spec.features:
        value = inputs[feature.input]
        flat, columns = value.view(len(value), -1), list(feature.columns)
        flat[:, columns] = _usual(feature, flat[:, columns])


def words(_: Tabular) -> str:
    """The baseline in words."""
    return "mean numbers, and the most frequent category of the explained rows"


def _usual(feature: Feature, values: Tensor) -> Tensor:
    """[columns] of a feature where it says the least."""
    if feature.levels or not values.is_floating_point():
        rows = Counter(map(tuple, values.tolist()))
        return values.new_tensor(min(rows, key=lambda row: (-rows[row], row)))
    if feature.centre != 0 or feature.scale != 1:
        return torch.zeros_like(values[0])
    return values.double().nanmean(0).to(values.dtype)
