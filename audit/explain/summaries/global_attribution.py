"""What drives a model over many rows: attributions by group, batch by batch, in a state that merges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ...messages import Message
from ..asking import attribute
from ..core.groups import Groups
from ..core.result import Attributions, Shaped, tensors
from ..errors import ExplanationError
from .part import Part, stderr

if TYPE_CHECKING:
    from pandas import DataFrame

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
EVERYONE = 0  # the code of all rows where no groups are given

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GlobalAttribution:
    """A monoid: attributions of rows seen so far, by group of people. Counts and quantiles merge to the last bit.

    Attributes:
        parts: group code -> what is kept of its rows, in the order of the codes.
        names: of the features.
        method: whose attributions these are.
        quantity: what they explain.
        accuracy: of quantiles, relatively; None where none are kept.
    """

    parts: Mapping[int, Part] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    method: str = ""
    quantity: str = ""
    accuracy: float | None = 0.01

    @classmethod
    def of(
        cls,
        attributions: Attributions,
        *,
        groups: Any = None,
        names: Sequence[str] | None = None,
        accuracy: float | None = 0.01,
    ) -> GlobalAttribution:
        """Of attributions that are there already.

        Args:
            attributions: of n rows.
            groups: [n] codes of the people's groups; all alike if None.
            names: of the features; those of the attributions' groups of places if None.
            accuracy: of quantiles; None keeps none.

        Raises:
            ExplanationError: not one code a row, or an accuracy that is none.
        """
        if accuracy is not None and not 0 < accuracy < 1:
            raise ExplanationError(Message("sketch_accuracy", {"given": accuracy}))
        n, places = len(attributions), attributions.groups
        codes = _codes(groups, n)
        named = tuple(names or places.names or map(str, range(len(places))))
        if len(named) != len(places):
            raise ExplanationError(Message("proxy_groups", {"given": len(named), "n": len(places)}))
        found = attributions.grouped.detach().cpu().numpy().astype(float, copy=False)
        values = _values(places, attributions.inputs)
        parts = {}
        for code in np.unique(codes).tolist():
            at = codes == code
            parts[code] = Part.of(found[at], values[at], accuracy)
        return cls(parts, named, attributions.method, attributions.quantity, accuracy)

    def merge(self, other: GlobalAttribution, /) -> GlobalAttribution:
        """As if all rows had been seen by one.

        Raises:
            ExplanationError: they are of different methods, quantities or features.
        """
        if not self.parts or not other.parts:
            return self if self.parts else other
        mine, theirs = (_kind(x) for x in (self, other))
        if mine != theirs:
            raise ExplanationError(Message("summary_unlike", {"mine": _words(self), "theirs": _words(other)}))
        parts = {}
        for code in sorted(set(self.parts) | set(other.parts)):
            here = [x.parts[code] for x in (self, other) if code in x.parts]
            parts[code] = reduce(Part.merge, here)
        return GlobalAttribution(parts, self.names, self.method, self.quantity, self.accuracy)

    @property
    def n(self) -> int:
        """Rows."""
        return sum(part.n for part in self.parts.values())

    @property
    def everyone(self) -> Part:
        """All groups together."""
        if not self.parts:
            raise ExplanationError(Message("summary_empty", {}))
        return reduce(Part.merge, self.parts.values())

    def frame(self, level: float = 0.95) -> DataFrame:
        """One row a group and feature, everyone first (group is then missing): n, the mean attribution and the mean of
        its size with intervals, standard deviation, correlation and slope with the feature, quantiles."""
        import pandas

        tables = [_table(code, part, self, level) for code, part in [(None, self.everyone), *self.parts.items()]]
        return pandas.concat([pandas.DataFrame(table) for table in tables], ignore_index=True)


def global_attribution(
    model: nn.Module | Callable[..., Any],
    inputs: Shaped | Iterable[Shaped],
    *,
    groups: Any = None,
    names: Sequence[str] | None = None,
    accuracy: float | None = 0.01,
    **asked: Any,
) -> GlobalAttribution:
    """What drives the model over many rows, by group of people: a state that grows batch by batch and merges.

    Args:
        model: as for `attribute`.
        inputs: rows; or batches of them: any iterable that is no tensor, tuple or dict, such as a list or a generator.
        groups: codes of the people's groups, -1 = not known: [n] over all rows in order, or one array a batch where
            `inputs` are batches and so are they.
        names: of the features.
        accuracy: of quantiles, relatively; None keeps none.
        **asked: what `attribute` is asked: method, target, baselines, feature_groups, generator, …

    Raises:
        ExplanationError: one line that says what is wrong, and the cure.

    Example:
        >>> import torch
        >>> found = global_attribution(lambda x: x[:, 0] * 2 + x[:, 1], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> found.everyone.joint.first.mean.round(6).tolist()
        [4.0, 3.0]
    """
    found = GlobalAttribution(accuracy=accuracy)
    for batch, codes in _batches(inputs, groups):
        attributions = attribute(model, batch, **asked)
        found = found.merge(GlobalAttribution.of(attributions, groups=codes, names=names, accuracy=accuracy))
    if not found.parts:
        raise ExplanationError(Message("summary_empty", {}))
    return found


def _batches(inputs: Any, groups: Any) -> Iterator[tuple[Shaped, Any]]:
    """Each batch with its rows' codes."""
    if isinstance(inputs, (Tensor, tuple, Mapping)):
        yield inputs, groups  # type: ignore[misc]
        return
    parts = None if groups is None or _flat(groups) else iter(groups)
    start = 0
    for batch in inputs:
        n = len(tensors(batch)[0])
        if parts is None:
            yield batch, None if groups is None else groups[start : start + n]
        else:
            yield batch, next(parts, ())
        start += n
    if groups is not None and parts is None and start != len(groups):
        raise ExplanationError(Message("summary_codes", {"given": len(groups), "n": start}))


def _flat(groups: Any) -> bool:
    """Codes of single rows, not one array a batch."""
    if isinstance(groups, (Tensor, np.ndarray)):
        return True
    return isinstance(groups, (list, tuple)) and all(np.ndim(code) == 0 for code in groups)


def _codes(groups: Any, n: int) -> NDArray[np.int64]:
    if groups is None:
        return np.full(n, EVERYONE)
    found = groups.detach().cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if found.shape != (n,):
        raise ExplanationError(Message("summary_codes", {"given": found.size, "n": n}))
    return found.astype(np.int64)


def _values(places: Groups, inputs: Shaped) -> Floats:
    """[n, features] each feature's value where it is one place of a row; NaN where it is several."""
    flat = np.concatenate([x.detach().cpu().flatten(1).double().numpy() for x in tensors(inputs)], 1)
    owner = np.concatenate([mask.cpu().numpy() for mask in places.masks])
    single = np.bincount(owner[owner >= 0], minlength=len(places)) == 1
    found = np.full((len(flat), len(places)), np.nan)
    at = np.flatnonzero((owner >= 0) & single[owner])
    found[:, owner[at]] = flat[:, at]
    return found


def _kind(summary: GlobalAttribution) -> tuple[Any, ...]:
    return summary.method, summary.quantity, summary.names, summary.accuracy


def _words(summary: GlobalAttribution) -> str:
    sketch = "no quantiles" if summary.accuracy is None else f"quantiles to {summary.accuracy:g}"
    return f"{summary.method} of the {summary.quantity} by {len(summary.names)} features with {sketch}"


def _table(code: int | None, part: Part, summary: GlobalAttribution, level: float) -> dict[str, Any]:
    """The columns of one group's rows of the frame."""
    moments = part.joint.first
    low, high = part.interval(level)
    size_low, size_high = part.interval(level, absolute=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.where(moments.n > 1, np.sqrt(moments.squares / np.maximum(moments.n - 1, 1)), np.nan)
    table = {
        "group": [code] * len(summary.names), "feature": list(summary.names), "n": [part.n] * len(summary.names),
        "mean": moments.mean, "stderr": stderr(moments), "low": low, "high": high,
        "mean_absolute": part.size.mean, "absolute_low": size_low, "absolute_high": size_high,
        "deviation": deviation, "correlation": part.joint.correlation, "slope": part.joint.slope,
    }  # fmt: skip
    quantiles = QUANTILES if summary.accuracy is not None else ()
    return table | {f"q{round(100 * q):02d}": part.sketch.quantile(q) for q in quantiles}
