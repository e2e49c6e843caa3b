"""One function for the quality of explanations: `evaluate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...energy.meter import Meter
from ...messages import Message
from ..core.budget import Budget, Cost, Spending, meter_here
from ..core.kept import kept
from ..core.result import Attributions, Shaped, tensors
from ..errors import ExplanationError
from . import people as groups_of_people
from .candidates import Candidate
from .charts import Mean, mean_curves
from .evidence import judged
from .metrics import METRICS, Metric
from .purse import Purse
from .reading import Reading
from .score import Score, of_reading, unmeasured
from .staging import staged
from .trial import Trial

if TYPE_CHECKING:
    from pandas import DataFrame

SIGNS = {"higher": 1, "lower": -1, "neither": 1}
WHOLE = ""  # whose score it is, where it is of the network and of no method


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How far explanations can be trusted.

    Attributes:
        scores: every number, and every reason why there is none.
        curves: mean deletion and insertion curves with bands, and those of random orders.
        evidence: for each method None, or why its attributions are not evidence.
        unchecked: for each method whose evidence could not be put to the test, or not to all of it: why.
        cost: evaluations, seconds and joules of the evaluation.
        spent: evaluations a row that each metric took; those that share work are free after the first.
        n: rows.
        level: of intervals.
    """

    scores: tuple[Score, ...]
    curves: tuple[Mean, ...]
    evidence: Mapping[str, Message | None]
    unchecked: Mapping[str, Message]
    cost: Cost
    spent: Mapping[str, float] = field(default_factory=dict)
    n: int = 0
    level: float = 0.95

    def find(
        self, metric: str, method: str | None = None, statistic: str = "value", where: Mapping[str, str] | None = None
    ) -> Score:
        """The one score with this metric, and this method where several were compared.

        Raises:
            KeyError: there is none, or more than one.
        """
        found = [
            score for score in self.scores
            if score.metric == metric and score.statistic == statistic
            and (method is None or score.method == method)
            and (dict(score.where) == dict(where or {}))
        ]  # fmt: skip
        if len(found) != 1:
            raise KeyError(
                f"{len(found)} scores are {metric} ({statistic}) of {method or 'any method'} where {where or {}}"
            )
        return found[0]

    def frame(self) -> DataFrame:
        """One row a score: method, metric, statistic, where, value, low, high, n, and the reason where it has none."""
        import pandas

        plain = ("method", "metric", "statistic", "where", "value", "low", "high", "n")
        told = [{**{name: getattr(s, name) for name in plain}, "reason": str(s.reason or "")} for s in self.scores]
        return pandas.DataFrame(told, columns=[*plain, "reason"])


def evaluate(
    model: nn.Module | Callable[..., Any],
    attributions: Attributions | Mapping[str, Attributions],
    *,
    metrics: Sequence[str] | None = None,
    people: Mapping[str, Any] | None = None,
    masks: Shaped | None = None,
    generator: torch.Generator | None = None,
    level: float = 0.95,
    budget: int | str | None = None,
    meter: Meter | None = None,
    loss: Callable[[torch.Tensor, slice], torch.Tensor] | None = None,
) -> Evaluation:
    """Whether explanations are faithful, robust, simple, in the right places and sane: with intervals, and by group.

    Explanations that are compared share everything: masks, random orders, networks with shuffled weights. All but the
    descriptive metrics are also told against a random ranking of the same places. Places at which a row does not differ
    from its baseline (padding) take part in nothing.

    Args:
        model: the explained model, in the mode in which it was explained.
        attributions: of one method, or {name: attributions} of several on the same rows.
        metrics: names of `metrics.METRICS`; all of them if None, and those that cannot be had are told with the reason.
        people: {attribute: [n] levels}; each metric is told by group, and the groups' difference tested.
        masks: bool, shaped like the inputs: where people see the evidence for each row's output. A group of places is
            inside where half of its places are.
        generator: of random numbers; one with seed 0 if None.
        level: of intervals.
        budget: evaluations of the model a row (an int); or "2s", or "50J". Metrics are taken in the table's order while
            they fit.
        meter: of joules; this machine's sensors if None.
        loss: (raw output of some rows, which rows) → [k] their losses by their labels, NaN where one is not known. With
            it networks that have learned are told from shuffled ones more surely, small ones above all.

    Raises:
        ExplanationError: one line that says what is wrong, and the cure.

    Example:
        >>> from gnomon.audit.explain.asking import attribute
        >>> f, x = lambda x: x @ torch.tensor([1.0, 2.0, 3.0]), torch.rand(20, 3)
        >>> found = evaluate(f, attribute(f, x, method="feature_ablation"), metrics=["faithfulness_correlation"])
        >>> round(found.find("faithfulness_correlation").value, 4)
        1.0
    """
    given = {attributions.method: attributions} if isinstance(attributions, Attributions) else dict(attributions)
    chosen = _chosen(metrics)
    _checked(given, level)
    groups = groups_of_people.coded(people, len(next(iter(given.values()))))
    spending = Spending(Budget.of(budget), meter or meter_here())
    generator = generator or torch.Generator().manual_seed(0)
    device = tensors(next(iter(given.values())).inputs)[0].device
    with kept(model, device), spending.whole():
        begun = time.perf_counter()
        trial = staged(model, given, masks, generator, spending, level)
        trial.loss = loss
        pace = (time.perf_counter() - begun) / max(trial.evaluations, 1)
        found = _Measured(trial, Purse(spending, trial, pace), asked=metrics is not None)
        for metric in chosen:
            found.take(metric)
        curves = tuple(mean_curves(trial, level))
    assert spending.window is not None
    cost = Cost(trial.evaluations, found.gradients, spending.window.seconds, spending.window.energy)
    evidence, unchecked = judged(trial, found.scores)
    parts = [part for score in found.scores for part in _by_group(score, groups)]
    scores = groups_of_people.adjusted([*found.scores, *parts], level)
    return Evaluation(tuple(scores), curves, evidence, unchecked, cost, found.spent, len(trial), level)


@dataclass(slots=True)
class _Measured:
    """Metrics taken one after the other."""

    trial: Trial
    purse: Purse
    asked: bool
    scores: list[Score] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def gradients(self) -> int:
        """Gradients that were taken."""
        return self.trial.problem.function.gradients + self.trial.gradients

    def take(self, metric: Metric) -> None:
        """The metric of every method, or why not."""
        why = self._unmet(metric) or self.purse.refuses(metric.takes)
        names = [WHOLE] if metric.networks else [candidate.name for candidate in self.trial.candidates]
        if why is not None:
            self.scores += [unmeasured(name, metric.name, why, self.trial.level) for name in names]
            return
        before = self.trial.evaluations
        with self.purse.paying(metric.takes):
            for name, candidate in zip(names, self.trial.candidates, strict=False):
                self.scores += self._of(metric, name, candidate)
        self.spent[metric.name] = (self.trial.evaluations - before) / len(self.trial)

    def _of(self, metric: Metric, name: str, candidate: Candidate) -> list[Score]:
        level = self.trial.level
        try:
            readings = _function(metric)(self.trial, candidate)
        except ExplanationError as error:
            return [unmeasured(name, metric.name, error.why, level)]
        return [
            score
            for reading in readings
            for score in of_reading(name, metric.name, reading, level, SIGNS[metric.better])
        ]

    def _unmet(self, metric: Metric) -> Message | None:
        """What the metric needs and is not there."""
        if metric.masks and self.trial.masks is None:
            return Message("quality_no_masks", {})
        if metric.parameters and not isinstance(self.trial.problem.function.model, nn.Module):
            return Message("quality_no_weights", {})
        return None


def _function(metric: Metric) -> Callable[[Trial, Candidate], tuple[Reading, ...]]:
    module, _, name = metric.home.partition(":")
    return getattr(import_module("." + module, __package__), name)


def _chosen(metrics: Sequence[str] | None) -> list[Metric]:
    if isinstance(metrics, str):
        metrics = [metrics]
    unknown = [name for name in metrics or () if name not in METRICS]
    if unknown:
        raise ExplanationError(
            Message("quality_no_such_metric", {"given": repr(unknown[0]), "known": ", ".join(METRICS)})
        )
    return [metric for name, metric in METRICS.items() if metrics is None or name in metrics]


def _checked(given: Mapping[str, Attributions], level: float) -> None:
    if not given:
        raise ExplanationError(Message("quality_nothing_given", {}))
    if not 0 < level < 1:
        raise ExplanationError(Message("quality_level", {"given": level}))


def _by_group(score: Score, groups: Mapping[str, Any]) -> list[Score]:
    if score.method == WHOLE or score.statistic != "value":
        return []
    return groups_of_people.by_group(score, groups)
