"""What drives the model: attributions of sampled rows by two methods, and how far these agree. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...models.batch import Batch
from ...models.spec import Image, InputSpec, Tabular
from ...models.subject import Subject
from ...models.task import Binary, Multiclass, Scores
from ..analysis import HERE, Runtime, Section
from ..contents import columns, inputs_of
from ..criteria import Levels
from ..measure import Measure
from ..messages import Message
from ..record import Exhibit
from ..state import Sample
from . import exhibits, summary
from .errors import ExplanationError
from .exhibits import Shown
from .summary import METHODS, Table

if TYPE_CHECKING:
    from torch import Tensor

    from .methods import Attributions, Question


@dataclass(frozen=True, slots=True)
class Explanations:
    """Which features the model decides on, with intervals over rows; and a handful of single rows.

    Two methods that fail differently look at the same rows: captum's integrated gradients, refined row by row until
    attributions add up to the output's change [sundararajan2017], and feature ablation, which takes features away one
    by one. How far their rankings agree is measured too.

    Attributes:
        rows: how many rows are explained: those with the smallest hash of their row number.
        shown: how many of them are shown one by one.
        tolerance: by how much a row's attributions may miss the output's change, as a share of it.
        seed: of the sample and of the bootstrap.
        show_rows: whether the shown rows' values go into the record. By default a row is its digest, score and
            attributions.
    """

    rows: int = 256
    shown: int = 5
    tolerance: float = 0.02
    seed: int = 0
    show_rows: bool = False
    name: str = "explanations"

    def zero(self, subject: Subject, /) -> Sample:
        return Sample.zero(self.rows, self.seed)

    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> Sample:
        if subject.model is None or not subject.inputs or not batch.inputs or not len(batch):
            return self.zero(subject)
        known = {"targets": batch.targets, "scores": scores.values, "decisions": scores.decisions}
        values = {**columns(batch.inputs), **{name: value for name, value in known.items() if value is not None}}
        return Sample.of(batch.rows, values, k=self.rows, seed=self.seed)

    def conclude(self, subject: Subject, state: Sample, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        try:
            spec = _spec(subject, state)
        except ExplanationError as refusal:
            return self._section([self._nothing(method, refusal.why) for method in METHODS], levels)
        return self._explained(subject, spec, state, levels, runtime)

    def _explained(self, subject: Subject, spec: InputSpec, state: Sample, levels: Levels, runtime: Runtime) -> Section:
        try:
            tables, residual = self._ask(subject, spec, state, runtime)
        except ExplanationError as refusal:
            return self._section([self._nothing(method, refusal.why, len(state.rows)) for method in METHODS], levels)
        primary = next((table for table in tables if table.found is not None), None)
        shown = () if primary is None else self._exhibits(subject, spec, state, primary)
        return self._section(tables, levels, residual, shown, self._limits(subject, state, residual))

    def _ask(
        self, subject: Subject, spec: InputSpec, state: Sample, runtime: Runtime
    ) -> tuple[list[Table], NDArray[np.float64] | None]:
        """What each method says, and how far integrated gradients are from complete, row by row."""
        from . import methods
        from .features import baseline_words
        from .target import quantity

        asked: dict[str, Callable[[Question], Attributions]] = {
            "integrated_gradients": lambda question: methods.integrated_gradients(question, self.tolerance),
            "feature_ablation": methods.feature_ablation,
        }
        what, (inputs, by_keyword) = quantity(subject.task, subject.output), _inputs(state)
        tables: list[Table] = []
        residual: NDArray[np.float64] | None = None
        with methods.asking(subject, spec, inputs, by_keyword=by_keyword, device=runtime.device) as question:
            names = tuple(player.name for player in question.players)
            for method in METHODS:
                text = f"{method} of the {what.name}, baseline: {baseline_words(spec)}"
                found, why = _answer(asked[method], question)
                if found is not None and found.residual is not None:
                    residual, why = found.residual, self._incomplete(found.residual)
                n = len(state.rows)
                tables.append(Table(method, names, what.unit, what.name, text, n, None if why else found, why))
        return tables, residual

    def _section(
        self,
        tables: list[Table],
        levels: Levels,
        residual: NDArray[np.float64] | None = None,
        shown: tuple[Exhibit, ...] = (),
        limitations: tuple[Message, ...] = (),
    ) -> Section:
        first, second = tables
        agreement = summary.agreement_measure(self.name, first, second, levels, self.seed)
        measures: list[Measure] = [
            *summary.feature_measures(self.name, first, levels),
            *summary.feature_measures(self.name, second, levels),
            summary.completeness_measure(self.name, first, residual, levels, self.tolerance),
            agreement,
        ]
        primary = next((table for table in tables if table.found is not None), None)
        found = summary.findings(self.name, primary, agreement, measures)
        return Section(tuple(measures), shown, tuple(found), limitations)

    def _nothing(self, method: str, why: Message, n: int = 0) -> Table:
        return Table(method, (), "1", "", method, n, None, why)

    def _incomplete(self, residual: NDArray[np.float64]) -> Message | None:
        """Why the method may not be used at all: half of the rows or more miss the tolerance."""
        median = float(np.median(residual))
        if median <= self.tolerance:
            return None
        return Message("incomplete", {"residual": median, "tolerance": self.tolerance})

    def _limits(self, subject: Subject, state: Sample, residual: NDArray[np.float64] | None) -> tuple[Message, ...]:
        k, n = len(state.rows), len(subject.data)
        found = [Message("sampled", {"analysis": self.name, "k": k, "n": n})] if k < n else []
        beyond = 0 if residual is None else int((residual > self.tolerance).sum())
        if beyond:
            found.append(Message("incomplete_rows", {"count": beyond, "n": k, "tolerance": self.tolerance}))
        return tuple(found)

    def _exhibits(self, subject: Subject, spec: InputSpec, state: Sample, table: Table) -> tuple[Exhibit, ...]:
        shown, margin = _shown(subject, state)
        chosen = exhibits.choose(subject.task, shown, margin, self.shown)
        if isinstance(spec, Tabular):
            return (exhibits.attribution_rows(self.name, subject, spec, table, shown, chosen, raw=self.show_rows),)
        maps = _maps(spec, table)
        return exhibits.attribution_images(self.name, subject, spec, table, shown, maps, chosen, raw=self.show_rows)


def _spec(subject: Subject, state: Sample) -> InputSpec:
    """What the model's inputs mean; raises ExplanationError where there is nothing to explain."""
    if subject.model is None:
        raise ExplanationError(Message("no_model", {}))
    if not subject.inputs:
        raise ExplanationError(Message("no_inputs", {}))
    only, *more = subject.inputs
    if more:
        raise ExplanationError(Message("one_spec", {"n": len(subject.inputs)}))
    if not len(state.rows):
        raise ExplanationError(Message("too_few_rows", {"n": 0, "needed": 1}))
    return only


def _answer(
    method: Callable[[Question], Attributions], question: Question
) -> tuple[Attributions | None, Message | None]:
    try:
        return method(question), None
    except ExplanationError as refusal:
        return None, refusal.why


def _inputs(state: Sample) -> tuple[Mapping[str, Tensor], bool]:
    """The sampled inputs by name, and whether the model takes them by keyword."""
    inputs = inputs_of(state.values)
    if isinstance(inputs, dict):
        return inputs, True
    return {str(place): value for place, value in enumerate(inputs)}, False


def _shown(subject: Subject, state: Sample) -> tuple[Shown, NDArray[np.float64] | None]:
    """What is known of the sampled rows, and how near each came to another decision (None in regression)."""
    values: Mapping[str, Any] = state.values
    scores, decisions, margin = values.get("scores"), values.get("decisions"), None
    if scores is not None and isinstance(subject.task, Binary):
        margin = np.abs(scores - subject.task.threshold)
    if scores is not None and isinstance(subject.task, Multiclass):
        ordered = np.sort(scores, 1)
        margin, scores = ordered[:, -1] - ordered[:, -2], ordered[:, -1]
    inputs = tuple(x.detach().cpu().float().reshape(len(x), -1).numpy() for x in _inputs(state)[0].values())
    return Shown(state.rows, scores, decisions, values.get("targets"), inputs), margin


def _maps(spec: Image, table: Table) -> NDArray[np.float64]:
    """[n, height, width]: each pixel's own attribution, or that of its region where the method has no finer one."""
    assert table.found is not None
    if 0 in table.found.inputs:
        return table.found.inputs[0].reshape(-1, spec.channels, spec.height, spec.width).sum(1)
    from .features import grid

    return table.found.values[:, np.array(grid(spec))]
