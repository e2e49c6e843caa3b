"""Counterfactual flips: the same rows with another level of the attribute, and what the model then says. No torch.

Only the attribute itself is swapped. What goes with it in the world (income, postcode) stays as it was, so this finds
direct use of the attribute, not use of what stands in for it: a model without the attribute never flips and may yet be
unfair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ....models.batch import Batch
from ....models.spec import Attribute, Feature, Tabular
from ....models.subject import Subject
from ....models.task import Multiclass, Regression, Scores, read
from ...analysis import HERE, Runtime, Section, joined
from ...contents import columns, inputs_of
from ...criteria import Levels
from ...findings import Finding
from ...intervals import Floats
from ...measure import Measure, Where, undefined
from ...messages import Message
from ...state import Sample
from .changes import Clusters, mean_change, share_of

if TYPE_CHECKING:
    from torch import Tensor

    from ....models.inference import Inputs

ARROW = " → "  # from one level to another, as a component's name
ROUNDING = {"float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}  # of the largest score: a few units in its last place
MOST = 12  # levels of an attribute that are swapped, the most frequent first: pairs grow with their square


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is said of rows as they are, and of their counterfactuals.

    Attributes:
        before, after: [n] scores; None where there are none, or several a row.
        decided, redecided: [n] decisions; None where nothing is decided.
        clusters: [n] names of what rows hang together in; None where each stands alone.
        unit: of the scores.
    """

    before: Floats | None
    after: Floats | None
    decided: NDArray[np.int64] | None
    redecided: NDArray[np.int64] | None
    clusters: Clusters | None = None
    unit: str = "1"

    def measures(self, where: Where, levels: Levels) -> Iterator[Measure]:
        """The share of decisions that change, and the mean change of the score."""
        if self.decided is not None and self.redecided is not None:
            yield share(self.decided != self.redecided, where, levels, self.clusters, self._directions())
        if self.before is not None and self.after is not None:
            change = self.after - self.before
            yield mean("mean_score_change", change, where, levels, self.clusters, self.unit)

    def _directions(self) -> dict[str, int]:
        assert self.decided is not None
        assert self.redecided is not None
        if max(self.decided.max(initial=0), self.redecided.max(initial=0)) > 1:
            return {}
        change = self.redecided - self.decided
        return {"to_positive": int((change > 0).sum()), "to_negative": int((change < 0).sum())}


@dataclass(frozen=True, slots=True)
class Flips:
    """How many decisions change when a sensitive attribute alone is swapped, where it is an input of the model.

    Attributes:
        rows: how many rows are tried at most: those with the smallest hash of their row number.
        seed: of the sample.
    """

    rows: int = 10_000
    seed: int = 0
    name: str = "flips"

    def zero(self, subject: Subject, /) -> Sample:
        return Sample.zero(self.rows, self.seed)

    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> Sample:
        if subject.model is None or not batch.inputs or not any(_feature(subject, who) for who in subject.people):
            return self.zero(subject)
        return Sample.of(batch.rows, columns(batch.inputs), k=self.rows, seed=self.seed)

    def conclude(self, subject: Subject, state: Sample, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        if not subject.people:
            return Section(limitations=(Message("no_people"),))
        return joined([self._attribute(subject, who, state, levels, runtime) for who in subject.people])

    def _attribute(self, subject: Subject, who: Attribute, state: Sample, levels: Levels, runtime: Runtime) -> Section:
        feature = _feature(subject, who)
        why = _reason(subject, who, feature)
        if why is not None or feature is None:
            return Section((_missing(why or Message("no_inputs"), {"attribute": who.name}, levels),))
        inputs = inputs_of(state.values)
        code = _codes(feature, inputs)
        occur = np.bincount(code[code >= 0], minlength=len(feature.levels))
        shared = [k for k, level in enumerate(feature.levels) if level in who.levels and occur[k]]
        swapped = sorted(sorted(shared, key=lambda k: (-occur[k], k))[:MOST])
        if len(swapped) < 2:
            why = Message("no_level_to_swap", {"attribute": who.name})
            return Section((_missing(why, {"attribute": who.name}, levels),))
        swap = _Swap(subject, who, feature, inputs, code, runtime)
        told = Message("levels_not_swapped", {"most": MOST, "n": len(shared), "attribute": who.name})
        limits = (told,) if len(shared) > MOST else ()
        return joined([swap.section(swapped, levels), Section(limitations=limits)])


@dataclass(frozen=True, slots=True)
class _Swap:
    """The rows of a sample, with another level each."""

    subject: Subject
    who: Attribute
    feature: Feature
    inputs: Inputs
    code: NDArray[np.int64]
    runtime: Runtime

    def section(self, swapped: Sequence[int], levels: Levels) -> Section:
        from ....models.inference import session, take

        measures: list[Measure] = []
        flipped = np.zeros(len(self.code), bool)
        moved, tries = np.zeros(len(self.code)), np.zeros(len(self.code), int)
        with session(self.subject, device=self.runtime.device, precision=self.runtime.precision) as score:
            before = self._read(score(self.inputs))
            for one, other in permutations(swapped, 2):
                rows = np.flatnonzero(self.code == one)
                picked = take(self.inputs, rows.tolist())
                after = self._read(score(with_level(picked, self.feature, other)))
                pairs = self._pairs(before, after, rows)
                name = ARROW.join(self.feature.levels[k] for k in (one, other))
                measures += pairs.measures({"attribute": self.who.name, "component": name}, levels)
                if pairs.decided is not None:
                    flipped[rows] |= pairs.decided != pairs.redecided
                if pairs.before is not None and pairs.after is not None:
                    moved[rows] += np.abs(pairs.after - pairs.before)
                tries[rows] += 1
        tried = tries > 0
        overall = self._overall(flipped[tried], moved[tried] / tries[tried], levels)
        return Section((*overall, *measures), findings=tuple(_finding(overall, self._rounding(before))))

    def _rounding(self, before: Scores) -> float:
        """How far scores may move because the same row is computed in another batch."""
        largest = 0.0 if before.values is None else float(np.abs(before.values).max(initial=0.0))
        return ROUNDING[self.runtime.precision] * largest

    def _overall(self, flipped: NDArray[np.bool_], moved: Floats, levels: Levels) -> list[Measure]:
        """Over all levels: the share of rows that some swap flips, and how far a swap moves the score either way."""
        where, unit = {"attribute": self.who.name}, _unit(self.subject)
        found: list[Measure] = []
        if not isinstance(self.subject.task, Regression):
            found.append(share(flipped, where, levels))
        if not isinstance(self.subject.task, Multiclass):
            found.append(mean("mean_absolute_score_change", moved, where, levels, None, unit))
        return found

    def _read(self, raw: Tensor) -> Scores:
        return read(self.subject.task, self.subject.output, raw.numpy())

    def _pairs(self, before: Scores, after: Scores, rows: NDArray[np.intp]) -> Pairs:
        scored = not isinstance(self.subject.task, Multiclass)
        return Pairs(
            before.values[rows] if scored and before.values is not None else None,
            after.values if scored else None,
            None if before.decisions is None else before.decisions[rows],
            after.decisions,
            unit=_unit(self.subject),
        )


def with_level(inputs: Inputs, feature: Feature, code: int) -> Inputs:
    """Inputs [n, …] whose feature has that level in every row; what is given stays as it is."""
    values = list(inputs.values()) if isinstance(inputs, dict) else list(inputs)
    changed = values[feature.input].clone()
    if len(feature.columns) == 1:
        changed[:, feature.columns[0]] = code
    else:
        changed[:, list(feature.columns)] = 0
        changed[:, feature.columns[code]] = 1
    values[feature.input] = changed
    return dict(zip(inputs, values, strict=True)) if isinstance(inputs, dict) else tuple(values)


def share(
    changed: NDArray[np.bool_],
    where: Where,
    levels: Levels,
    clusters: Clusters | None = None,
    details: Mapping[str, Any] | None = None,
) -> Measure:
    """The flip rate of some rows."""
    level = levels.of("fairness", "flip_rate", "value", where)
    (value, low, high), effective, name = share_of(changed, level, clusters)
    more = {} if clusters is None else {"clusters": len(np.unique(clusters)), "effective_n": round(effective, 3)}
    return Measure(
        analysis="fairness",
        metric="flip_rate",
        where=where,
        value=value,
        low=low,
        high=high,
        level=level,
        method=name,
        n=len(changed),
        numerator=int(changed.sum()),
        denominator=len(changed),
        details={**more, **(details or {})},
    )


def mean(
    metric: str, values: Floats, where: Where, levels: Levels, clusters: Clusters | None = None, unit: str = "1"
) -> Measure:
    """A mean change with Student's interval over rows, or over clusters where there are some."""
    level = levels.of("fairness", metric, "value", where)
    (value, *ends), units = mean_change(values, level, clusters)
    low, high = (float(end) if np.isfinite(end) else None for end in ends)
    return Measure(
        analysis="fairness",
        metric=metric,
        where=where,
        value=value,
        low=low,
        high=high,
        level=level,
        method="student-t" if clusters is None else "student-t, cluster",
        unit=unit,
        n=len(values),
        details={} if clusters is None else {"clusters": units},
    )


def _missing(why: Message, where: Where, levels: Levels) -> Measure:
    level = levels.of("fairness", "flip_rate", "value", where)
    return undefined(why, analysis="fairness", metric="flip_rate", n=0, where=where, level=level)


def _reason(subject: Subject, who: Attribute, feature: Feature | None) -> Message | None:
    if subject.model is None:
        return Message("no_model")
    if not subject.inputs:
        return Message("no_inputs")
    return Message("not_an_input", {"attribute": who.name}) if feature is None else None


def _feature(subject: Subject, who: Attribute) -> Feature | None:
    """The categorical input that bears the attribute's name and two of its levels."""
    for spec in subject.inputs:
        for feature in spec.features if isinstance(spec, Tabular) else ():
            if feature.name == who.name and len({*feature.levels} & {*who.levels}) >= 2:
                return feature
    return None


def _codes(feature: Feature, inputs: Inputs) -> NDArray[np.int64]:
    """[n] the level that the model sees; −1 where it sees none."""
    values = list(inputs.values()) if isinstance(inputs, dict) else list(inputs)
    held = values[feature.input][:, list(feature.columns)].detach().cpu().numpy()
    if held.shape[1] == 1:
        code = held[:, 0].astype(np.int64)
        return np.where((code >= 0) & (code < len(feature.levels)) & (held[:, 0] == code), code, -1)
    return np.where(held.max(1) > 0, held.argmax(1), -1)


def _unit(subject: Subject) -> str:
    return subject.task.unit if isinstance(subject.task, Regression) else "1"


def _finding(overall: Sequence[Measure], rounding: float) -> Iterator[Finding]:
    """What a swap changes: decisions; where nothing is decided, predictions by more than rounding does."""
    m = overall[0]
    if m.value is None or m.value <= (0 if m.metric == "flip_rate" else rounding):
        return
    who = m.where["attribute"]
    parameters = {"metric": m.metric, "where": m.where, "value": m.value, "low": m.low, "high": m.high}
    parameters |= {"level": m.level, "n": m.n, "unit": m.unit}
    yield Finding(f"fairness.flips[attribute={who}]", "flips", parameters, severity="medium", evidence=(0,))
