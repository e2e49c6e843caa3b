"""Decision rules with a threshold for each group, and the one that keeps a gap small at least cost. Loads no torch.

A rule says, for each group and score, with which chance a row is decided positive. Most say 0 or 1; a randomised rule
says something between for some scores. Each row's own number decides where chance has a say, so the same row is decided
alike however the rows are cut or ordered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...intervals import Floats
from ...state import hash_rows

Rate = Literal["selection_rate", "true_positive_rate"]

EPSILON = 0.02  # the largest gap that `group_thresholds` allows on the rows it is fitted on, unless told otherwise
SLACK = 1e-12  # sums of weights may differ by the last bits
STARTS = 20_000  # places of the band of rates that are tried at most
_DRAW = 0x6D69  # keeps the draws of randomised decisions apart from other hashes of the same rows


@dataclass(frozen=True, slots=True)
class Step:
    """One threshold of a rule.

    Attributes:
        weight: the chance that it is this threshold that decides.
        threshold: may be infinite: then it selects everyone or no one.
        operator: whether scores from it on are positive (">="), only those above (">"), or those below ("<").
    """

    weight: float
    threshold: float
    operator: Literal[">=", ">", "<"] = ">="

    def selects(self, scores: Floats) -> NDArray[np.bool_]:
        if self.operator == "<":
            return scores < self.threshold
        return scores >= self.threshold if self.operator == ">=" else scores > self.threshold


@dataclass(frozen=True, slots=True)
class Rule:
    """How a group is decided: steps by chance, and a share decided without looking at the score.

    P(positive | score) = always + Σ weight · [score selected by the step]; the weights and the chance of a decision
    that ignores the score add up to 1.

    Attributes:
        steps: the thresholds.
        always: the chance that a row is decided positive whatever its score.
    """

    steps: tuple[Step, ...]
    always: float = 0.0

    def chance(self, scores: Floats) -> Floats:
        """[n] the probability of a positive decision."""
        found = np.full(len(scores), self.always)
        for step in self.steps:
            found += step.weight * step.selects(scores)
        return np.clip(found, 0.0, 1.0)

    def described(self) -> dict[str, Any]:
        """The rule as columns of an exhibit; a threshold that is not finite is None, with the word for it."""
        return {
            "always": self.always,
            "steps": [
                {
                    "weight": step.weight,
                    "operator": step.operator,
                    "threshold": step.threshold if np.isfinite(step.threshold) else None,
                    "selects": "" if np.isfinite(step.threshold) else _selects(step),
                }
                for step in self.steps
            ],
        }


def chances(rules: Mapping[int, Rule], scores: Floats, groups: NDArray[np.int64], otherwise: Floats) -> Floats:
    """[n] the probability of a positive decision of each row: its group's rule, or `otherwise` where there is none."""
    found = np.asarray(otherwise, float).copy()
    for code, rule in rules.items():
        mine = groups == code
        found[mine] = rule.chance(scores[mine])
    return found


def drawn(chance: Floats, names: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """[n] decisions: positive where a uniform number made of the row's number lies below its chance."""
    uniform = (hash_rows(names, seed ^ _DRAW) >> np.uint64(11)) * 2.0**-53
    return (uniform < chance).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Ladder:
    """Every rule "score ≥ t" of one group, from selecting no one to selecting everyone.

    Attributes:
        thresholds: [k] falling, the first infinite unless another selects as few of those it is about.
        rates: [k] rising, the rate that is held together.
        right: [k] weight of the rows decided rightly.
    """

    thresholds: Floats
    rates: Floats
    right: Floats


def group_thresholds(
    scores: Floats,
    truth: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    rate: Rate = "selection_rate",
    epsilon: float = EPSILON,
    weights: Floats | None = None,
) -> dict[int, Rule]:
    """One threshold a group: with rates at most ε apart, those with the highest accuracy on these rows.

    The rates of all groups must lie in one band [a, a + ε]. Given a, each group takes the most accurate of its
    thresholds whose rate lies there, whatever the others do. A group with few rows, or with few different scores, may
    have none there: it then decides by chance between the two thresholds on either side of the band, such that its rate
    lies at the better end. So only a has to be searched, and starts where some group has a rate are tried: at most
    `STARTS` of them, evenly spread. The gap always holds; the accuracy is at least the best of those starts.

    Args:
        scores: [n]; truth: [n] 0 or 1; groups: [n] codes, every one known.
        rate: what must be nearly equal: the selection rate (demographic parity) or the true positive rate (equal
            opportunity) [hardt2016].
        epsilon: how far apart rates may lie.
        weights: [n] what each row weighs; None: 1.

    Returns:
        For each group its rule. A group without rows that the rate is about is left out.

    Example:
        >>> rules = group_thresholds(np.array([.9, .8, .2, .6, .3, .1]), np.array([1, 1, 0, 1, 0, 0]),
        ...                          np.array([0, 0, 0, 1, 1, 1]), epsilon=0.0)
        >>> [rules[g].steps[0].threshold for g in (0, 1)]
        [0.9, 0.6]
    """
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
    ladders = {
        int(g): ladder
        for g in np.unique(groups)
        if (ladder := _ladder(scores[groups == g], truth[groups == g], weight[groups == g], rate)) is not None
    }
    if not ladders:
        return {}
    starts = _starts([ladder.rates for ladder in ladders.values()])
    best = [_best(ladder, starts, epsilon) for ladder in ladders.values()]
    total = np.sum([right for _, right in best], axis=0)
    place = int(total.argmax())
    return {g: _rule(ladder, float(aims[place])) for (g, ladder), (aims, _) in zip(ladders.items(), best, strict=True)}


def _rule(ladder: _Ladder, aim: float) -> Rule:
    """The threshold whose rate is aimed at, or chance between the two on either side of it."""
    above = int(np.searchsorted(ladder.rates, aim - SLACK))
    if ladder.rates[above] <= aim + SLACK:
        return Rule((Step(1.0, float(ladder.thresholds[above])),))
    low, high = ladder.rates[above - 1 : above + 1]
    share = float((aim - low) / (high - low))
    fewer, more = (float(threshold) for threshold in ladder.thresholds[above - 1 : above + 1])
    return Rule((Step(1 - share, fewer), Step(share, more)))


def _ladder(scores: Floats, truth: NDArray[np.int64], weight: Floats, rate: Rate) -> _Ladder | None:
    order = np.argsort(-scores, kind="stable")
    score, positive, weight = scores[order], (truth[order] == 1).astype(float), weight[order]
    counted = weight if rate == "selection_rate" else weight * positive
    if counted.sum() <= 0:
        return None
    last = np.append(score[1:] != score[:-1], True)  # ties are decided alike
    upto = np.cumsum(counted)[last]
    gained = np.cumsum(weight * (2 * positive - 1))[last]  # right decisions more than by selecting no one
    nobody = float((weight * (1 - positive)).sum())
    rates, right = np.append(0.0, upto / upto[-1]), np.append(nobody, nobody + gained)
    # of thresholds with one rate the most accurate, so that rates rise
    order = np.lexsort((-right, rates))
    kept = order[np.append(True, np.diff(rates[order]) > 0)]
    return _Ladder(np.append(np.inf, score[last])[kept], rates[kept], right[kept])


def _starts(rates: Sequence[Floats]) -> Floats:
    found = np.unique(np.concatenate(rates))
    if len(found) <= STARTS:
        return found
    return found[np.linspace(0, len(found) - 1, STARTS).round().astype(int)]


def _best(ladder: _Ladder, starts: Floats, epsilon: float) -> tuple[Floats, Floats]:
    """For each start of the band the rate of the most accurate rung inside, and its weight of right decisions.

    Where no rung is inside, the better end of the band, which chance between two rungs reaches.
    """
    low = np.searchsorted(ladder.rates, starts - SLACK, side="left")
    high = np.searchsorted(ladder.rates, starts + epsilon + SLACK, side="right")
    levels = _maxima(ladder.right)
    width = high - low
    power = np.where(width > 0, np.floor(np.log2(np.maximum(width, 1))), 0).astype(np.int64)
    chosen = np.zeros(len(starts), np.int64)
    for p in np.unique(power):
        rows = (power == p) & (width > 0)
        one, other = levels[p][low[rows]], levels[p][high[rows] - 2**p]
        chosen[rows] = np.where(ladder.right[one] >= ladder.right[other], one, other)
    ends = np.stack([starts, np.minimum(starts + epsilon, 1.0)])
    mixed = np.interp(ends, ladder.rates, ladder.right)
    better = ends[mixed.argmax(0), np.arange(len(starts))]
    aims = np.where(width > 0, ladder.rates[chosen], better)
    return aims, np.where(width > 0, ladder.right[chosen], mixed.max(0))


def _maxima(values: Floats) -> list[NDArray[np.int64]]:
    """For each power p the place of the largest of values[i : i + 2^p], for every i where that fits."""
    levels = [np.arange(len(values), dtype=np.int64)]
    step = 1
    while 2 * step <= len(values):
        before = levels[-1]
        one, other = before[:-step], before[step:]
        levels.append(np.where(values[one] >= values[other], one, other))
        step *= 2
    return levels


def _selects(step: Step) -> str:
    everyone = (step.threshold < 0) == (step.operator != "<")
    return "everyone" if everyone else "no one"
