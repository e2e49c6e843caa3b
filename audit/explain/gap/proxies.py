"""Which inputs stand in for the attribute: how well each tells the two groups apart, beside its share of the gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ... import discrimination
from ...messages import Message
from ..core.groups import Groups, groups_of
from ..core.result import Shaped
from ..errors import ExplanationError
from .discriminant import held_out_auc, plain_auc
from .result import ScoreGap
from .sides import Side, sides_of

LEAST = 4  # rows of each group that the folds need
LEVELS = 64  # most frequent codes that are told apart

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Proxy:
    """One feature, an embedding, or places that go together.

    Attributes:
        name: of the feature.
        strength: AUC of telling group B from A by the feature: 0.5 is chance, 1 gives the attribute away. None where
            `reason` says why.
        low: end of its interval.
        high: end of its interval.
        auc: of one number taken as it stands, P(higher in B than in A); below 0.5 where it is lower in B. None of
            several columns, or of codes.
        auc_low: end of DeLong's interval.
        auc_high: end of DeLong's interval.
        share: of the gap; None without a gap.
        weight: (2 strength − 1) · share: how much of the gap goes through what gives the attribute away.
        reason: why there is no strength.
    """

    name: str
    strength: float | None
    low: float | None
    high: float | None
    auc: float | None = None
    auc_low: float | None = None
    auc_high: float | None = None
    share: float | None = None
    weight: float | None = None
    reason: Message | None = None

    @property
    def proven(self) -> bool:
        """Whether it tells the groups apart better than chance, by its interval."""
        return self.low is not None and self.low > 0.5


def proxies(
    inputs_a: Shaped,
    inputs_b: Shaped,
    *,
    feature_groups: object = None,
    gap: ScoreGap | None = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    generator: torch.Generator | None = None,
) -> tuple[Proxy, ...]:
    """How well each feature tells group A from group B, the strongest first; those without an answer last.

    One number is judged by itself, or by how far it is from the middle where that says more; codes by their levels, and
    several columns (a one-hot, an embedding, the pixels of a region) by all of them in a linear rule that is tried on
    rows which it was not learnt from.

    Args:
        inputs_a: the rows of group A; what the model takes, or any values beside it.
        inputs_b: the rows of group B.
        feature_groups: as for `score_gap`; those of `gap` where it is given.
        gap: whose shares are shown beside, as `score_gap` returned it.
        names: of the features; those of the groups where None.
        level: of intervals, each by itself.
        generator: of the folds; one with seed 0 if None.

    Raises:
        ExplanationError: the rows do not fit, or are not finite.

    Example:
        >>> a, b = torch.zeros(20, 2), torch.zeros(20, 2)
        >>> b[:, 1] = 1
        >>> [(p.name, p.strength) for p in proxies(a, b)]
        [('1', 1.0), ('0', 0.5)]
    """
    a, b = sides_of(inputs_a, inputs_b, None, None)
    groups = gap.groups if gap is not None and feature_groups is None else groups_of(a.inputs, feature_groups)
    named = tuple(names or groups.names or map(str, range(len(groups))))
    if len(named) != len(groups) or groups.shapes != tuple(tuple(x.shape[1:]) for x in a.inputs):
        raise ExplanationError(Message("proxy_groups", {"given": len(named), "n": len(groups)}))
    shares = None if gap is None or len(gap.groups) != len(groups) or not gap.total else gap.shares.tolist()
    seed = int(torch.randint(2**31, (1,), generator=generator or torch.Generator().manual_seed(0)))
    second = np.r_[np.zeros(len(a), bool), np.ones(len(b), bool)]
    found = []
    for number, name in enumerate(named):
        share = None if shares is None else shares[number]
        found.append(_judged(name, *_columns(a, b, groups, number), second, level, seed, share))
    return tuple(sorted(found, key=lambda proxy: -1.0 if proxy.strength is None else -proxy.strength - 1))


def _columns(a: Side, b: Side, groups: Groups, number: int) -> tuple[Floats, bool]:
    """[n, columns] what a feature says of every row of A and then of B; and whether it is one number."""
    parts, numbers = [], 0
    for mask, x, y in zip(groups.masks, a.inputs, b.inputs, strict=True):
        at = (mask == number).nonzero()[:, 0]
        both = torch.cat([x.flatten(1)[:, at], y.flatten(1)[:, at]]).detach().cpu()
        numbers += len(at) * (1 if both.is_floating_point() else 2)
        if len(at):
            parts.append(both.double().numpy() if both.is_floating_point() else _levels(both.double().numpy()))
    return np.concatenate(parts, 1), numbers == 1


def _levels(codes: Floats) -> Floats:
    """[n, levels] 0 or 1, of the most frequent codes of each column."""
    found = []
    for column in codes.T:
        levels, counts = np.unique(column, return_counts=True)
        kept = levels[np.argsort(-counts, kind="stable")[:LEVELS]]
        found.append(column[:, None] == kept)
    return np.concatenate(found, 1).astype(float)


def _judged(
    name: str, values: Floats, number: bool, second: NDArray[np.bool_], level: float, seed: int, share: float | None
) -> Proxy:
    least = int(min(second.sum(), (~second).sum()))
    if least < LEAST:
        why = Message("too_few_rows", {"n": least, "needed": LEAST})
        return Proxy(name, None, None, None, share=share, reason=why)
    plain = (None, None, None)
    if number:
        strength, low, high = plain_auc(values[:, 0], second, level)
        plain = discrimination.auc(values[:, 0], second, level)[0]
    else:
        strength, low, high = held_out_auc(values, second, level, np.random.default_rng(seed))
    weight = None if share is None else (2 * strength - 1) * share
    return Proxy(name, strength, low, high, *plain, share=share, weight=weight)
