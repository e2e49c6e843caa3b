"""Features that differ from row to row: the words of a text, the superpixels of a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ....models.subject import unpack
from ...messages import Message
from ..asking import attribute
from ..catalogue import METHODS
from ..core.chunks import Chunks
from ..core.result import Attributions, Shaped, like, tensors
from ..errors import ExplanationError

ELSEWHERE = ("occlusion", "feature_permutation")  # windows have their own places, and other rows other features


@dataclass(frozen=True, slots=True, eq=False)
class ByRow:
    """Attributions of each row's own features.

    Attributes:
        values: [n, features] float64; 0 where a row has fewer features than another.
        error: of the same shape: estimated numerical error; None where there is none to estimate.
        stderr: likewise: standard error of sampling.
        owners: for each input [n, places]: the number of the feature that owns a place, −1 = none.
        found: what `attribute` said, about places, or about which features were there.
    """

    values: Tensor
    error: Tensor | None
    stderr: Tensor | None
    owners: tuple[Tensor, ...]
    found: Attributions

    def spread(self, values: Tensor | None = None) -> tuple[Tensor, ...]:
        """Each feature's value at every place that it owns, 0 elsewhere: for each input [n, places]."""
        shown = self.values if values is None else values
        return tuple(torch.where(o >= 0, shown.gather(1, o.clamp(min=0)), 0) for o in self.owners)


def attribute_by_row(
    model: nn.Module | Callable[..., Any],
    inputs: Shaped,
    owners: Any,
    *,
    baselines: Any = None,
    method: str = "kernel_shap",
    forward: Callable[[Any, Any], Any] = unpack,
    **asked: Any,
) -> ByRow:
    """As `attribute`, for features that differ from row to row.

    Methods that look inside the model explain places, which are then added up. Those that take features away are asked
    about the presence of each: f(z) = model(x where z is 1, else the baseline), which is the same question.

    Args:
        model: as for `attribute`.
        inputs: as for `attribute`.
        owners: for each input int64 in its shape, or 1 along axes that go together ([n, 1, height, width] of a
            picture): the number of the row's feature that owns the place, −1 = nobody's, which stays as it is. One
            tensor for one input; None for an input in which no feature stands.
        baselines: for each input one of its own shape, or a number; 0 if None.
        method: a name of `catalogue.METHODS`, but occlusion and feature_permutation.
        forward: as for `attribute`.
        **asked: what else `attribute` takes, but `feature_groups`.

    Raises:
        ExplanationError: as `attribute` does; or the owners do not fit the inputs.
    """
    if method in ELSEWHERE:
        raise ExplanationError(Message("not_by_row", {"method": method}))
    given = tensors(inputs)
    owned = _owners(owners, given)
    compared = _baselines(baselines, given, owned)
    if method in METHODS and (METHODS[method].gradient or METHODS[method].module):
        found = attribute(model, inputs, method=method, baselines=like(inputs, compared), forward=forward, **asked)
        return _added_up(found, owned)
    count = max(int(owner.max()) for owner in owned) + 1
    n, device = len(given[0]), given[0].device
    presence, number = torch.ones(n, count, dtype=torch.float64, device=device), torch.arange(n, device=device)[:, None]
    found = attribute(
        model,
        (presence, number),
        method=method,
        baselines=(0, number),
        feature_groups=[torch.arange(count), torch.tensor([-1])],
        forward=_Composed(inputs, given, compared, owned, forward),
        **asked,
    )
    return ByRow(found.grouped, found.grouped_error, found.grouped_stderr, owned, found)


@dataclass(frozen=True, slots=True, eq=False)
class _Composed:
    """A forward that puts rows together from which row is meant and what of it is present.

    Attributes:
        form: how the model takes its inputs.
        rows: each [n, …].
        baselines: each [n, …].
        owners: each [n, places].
        forward: the user's.
    """

    form: Shaped
    rows: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    owners: tuple[Tensor, ...]
    forward: Callable[[Any, Any], Any]

    def __call__(self, model: Any, given: tuple[Tensor, Tensor]) -> Tensor:
        presence, number = given[0], given[1][:, 0]

        def piece(at: slice) -> Tensor:
            return torch.as_tensor(self.forward(model, self._inputs(presence[at], number[at])))

        # `attribute` cuts its work by how wide presence is; the rows themselves are wider
        return torch.cat(Chunks.of(self.rows).over(len(presence), piece))

    def _inputs(self, presence: Tensor, number: Tensor) -> Any:
        parts = zip(self.rows, self.baselines, self.owners, strict=True)
        made = [_composed(presence, x[number], b[number], o[number]) for x, b, o in parts]
        return like(self.form, made) if isinstance(self.form, Mapping) else tuple(made)


def _composed(presence: Tensor, x: Tensor, baseline: Tensor, owner: Tensor) -> Tensor:
    """x where its feature is present, the baseline where not or where it is nobody's, which is the same there."""
    here = (presence > 0.5).gather(1, owner.clamp(min=0)).reshape(x.shape)
    return torch.where(here, x, baseline)


def _added_up(found: Attributions, owned: tuple[Tensor, ...]) -> ByRow:
    def summed(values: Shaped | None) -> Tensor | None:
        if values is None:
            return None
        count = max(int(owner.max()) for owner in owned) + 1
        total = torch.zeros(len(found), count, dtype=torch.float64, device=owned[0].device)
        for owner, value in zip(owned, tensors(values), strict=True):
            flat = torch.where(owner >= 0, value.flatten(1).double(), 0)
            total.scatter_add_(1, owner.clamp(min=0), flat)
        return total

    values = summed(found.values)
    assert values is not None
    return ByRow(values, summed(found.error), summed(found.stderr), owned, found)


def _owners(asked: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """For each input [n, places] int64, on its device."""
    several = [asked] if asked is None or isinstance(asked, Tensor) else list(asked)
    if len(several) != len(given):
        raise ExplanationError(Message("groups_number", {"given": len(several), "n": len(given)}))
    found = [_owner(owner, x) for owner, x in zip(several, given, strict=True)]
    if not any(bool((owner >= 0).any()) for owner in found):
        raise ExplanationError(Message("no_groups", {}))
    return tuple(found)


def _owner(owner: Tensor | None, x: Tensor) -> Tensor:
    if owner is None:
        return torch.full((len(x), x[0].numel()), -1, dtype=torch.int64, device=x.device)
    fits = owner.ndim == x.ndim and all(own in (1, size) for own, size in zip(owner.shape, x.shape, strict=True))
    if not fits or owner.is_floating_point():
        raise ExplanationError(Message("groups_shape", {"shape": list(owner.shape), "wanted": list(x.shape)}))
    return owner.expand(x.shape).reshape(len(x), -1).to(x.device, torch.int64)


def _baselines(asked: Any, given: tuple[Tensor, ...], owned: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """For each input, of its shape: the row itself where nobody owns the place."""
    several = (
        (None,) * len(given) if asked is None else tensors(asked) if not isinstance(asked, (int, float)) else (asked,)
    )
    if len(several) != len(given):
        raise ExplanationError(Message("baselines_number", {"given": len(several), "n": len(given)}))
    found = []
    for value, x, owner in zip(several, given, owned, strict=True):
        one = torch.as_tensor(0 if value is None else value, device=x.device).to(x.dtype)
        if tuple(one.shape) not in ((), tuple(x.shape[1:]), (1, *x.shape[1:]), tuple(x.shape)):
            raise ExplanationError(Message("baseline_shape", {"shape": list(one.shape), "wanted": list(x.shape)}))
        found.append(torch.where((owner >= 0).reshape(x.shape), one.expand_as(x), x))
    return tuple(found)
