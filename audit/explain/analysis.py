"""What drives the model, how far that can be trusted, and what carries the gaps between groups. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...models.batch import Batch
from ...models.subject import Subject
from ...models.task import Scores
from ..analysis import HERE, Runtime, Section, joined, unweighted
from ..contents import columns
from ..criteria import Levels
from ..messages import Message
from ..record import Exhibit
from ..state import Sample
from .conclusion import gap_measures, rows, tables, trust
from .conclusion.quantity import Explained, explained
from .conclusion.table import Table
from .errors import ExplanationError

if TYPE_CHECKING:
    from .conclusion.allowance import Allowance
    from .conclusion.question import Question
    from .core.result import Attributions

SECOND = "feature_ablation"  # takes features away: it fails differently from what follows gradients or samples


@dataclass(frozen=True, slots=True)
class Explanations:
    """Which features the model decides on, whether that can be believed, and which of them carry gaps between groups.

    The doctor looks at the model first. Two methods that fail differently explain the same rows: integrated gradients
    to a tolerance where the model has gradients (Shapley values where it has none), and feature ablation. Their quality
    is measured on those rows, and for each group. For each attribute the gap in mean output between two groups is
    decomposed over the features.

    Attributes:
        rows: how many rows are explained: those with the smallest hash of their row number.
        gap_rows: how many rows gaps between groups are decomposed on, counting the explained ones.
        shown: how many rows are shown one by one.
        method: of the primary explanation; "auto" chooses by the model.
        tolerance: by how much a row's attributions may miss the output's change, as a share of it.
        budget: of the whole analysis, "120s" or "50J"; what no longer fits is not measured, and the record says so. A
            number is evaluations of the model a row for each method that samples. None = no limit.
        quality: whether the explanations themselves are tested.
        seed: of the sample, the methods and the bootstrap.
        show_rows: whether the shown rows' values go into the record. By default a row is its digest, score and
            attributions.
    """

    rows: int = 256
    gap_rows: int = 1024
    shown: int = 5
    method: str = "auto"
    tolerance: float = 1e-3
    budget: str | int | None = None
    quality: bool = True
    seed: int = 0
    show_rows: bool = False
    name: str = "explanations"

    def zero(self, subject: Subject, /) -> Sample:
        return Sample.zero(max(self.rows, self.gap_rows), self.seed)

    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> Sample:
        if subject.model is None or not subject.inputs or not batch.inputs or not len(batch):
            return self.zero(subject)
        known = {
            "targets": batch.targets,
            "scores": scores.values,
            "decisions": scores.decisions,
            "groups": batch.groups,
        }
        values = {**columns(batch.inputs), **{name: value for name, value in known.items() if value is not None}}
        return Sample.of(batch.rows, values, k=max(self.rows, self.gap_rows), seed=self.seed)

    def conclude(self, subject: Subject, state: Sample, levels: Levels, runtime: Runtime = HERE, /) -> Section:
        words = explained(subject.task, subject.output)
        try:
            _explainable(subject, state)
            return self._explained(subject, state, words, levels, runtime)
        except ExplanationError as refusal:
            n = min(len(state.rows), self.rows)
            found = [tables.nothing(method, refusal.why, words, n) for method in (self.method, SECOND)]
            return tables.section(self.name, found, levels, self.tolerance, self.seed)

    def _explained(
        self, subject: Subject, state: Sample, words: Explained, levels: Levels, runtime: Runtime
    ) -> Section:
        from .conclusion.allowance import Allowance
        from .conclusion.asked import checkup
        from .conclusion.question import question

        few = _first(state, self.rows)
        with question(subject, state.values, runtime) as everyone:
            allowance = Allowance.of(self.budget, runtime.meter)
            asked = everyone[: self.rows]
            doctor = Section(exhibits=(checkup(self.name, asked.checkup()),))
            drivers, found = self._drivers(subject, few, asked, words, levels, allowance)

            def gaps() -> Section:
                return self._gaps(subject, state, everyone, words, levels, allowance)

            carried = allowance.spend(self.name, "score_gap", gaps)
            quality = self._quality(subject, few, asked, found, levels, allowance)
        told = Section(exhibits=(allowance.exhibit(self.name),), limitations=unweighted(subject, self.name))
        return joined([drivers, carried, quality, doctor, told])

    def _drivers(
        self, subject: Subject, state: Sample, asked: Question, words: Explained, levels: Levels, allowance: Allowance
    ) -> tuple[Section, dict[str, Attributions]]:
        """What drives the model, by methods that fail differently; and the attributions themselves."""
        from .conclusion.asked import answers

        with allowance.counted():
            both = answers(asked, (self.method, SECOND), words, tolerance=self.tolerance, budget=allowance.each)
        found = [one for one, _ in both]
        for _, attributions in both:
            if attributions is not None:
                allowance.book(attributions.method, attributions.cost)
        section = tables.section(self.name, found, levels, self.tolerance, self.seed, rows.texts(subject, state))
        shown = self._shown(subject, state, next((one for one in found if one.values is not None), None))
        limits = self._limits(subject, len(state.rows))
        return (
            replace(section, exhibits=shown, limitations=limits),
            {attributions.method: attributions for _, attributions in both if attributions is not None},
        )

    def _shown(self, subject: Subject, state: Sample, table: Table | None) -> tuple[Exhibit, ...]:
        if table is None or not self.shown:
            return ()
        return rows.shown(self.name, subject, state, table, self.shown, raw=self.show_rows)

    def _limits(self, subject: Subject, k: int) -> tuple[Message, ...]:
        n = len(subject.data)
        return (Message("sampled", {"analysis": self.name, "k": k, "n": n}),) if k < n else ()

    def _gaps(
        self,
        subject: Subject,
        state: Sample,
        asked: Question,
        words: Explained,
        levels: Levels,
        allowance: Allowance,
    ) -> Section:
        """Which features carry the differences in mean output between groups of people."""
        from .conclusion.gaps import answers

        if not subject.people:
            return Section()
        values: Mapping[str, Any] = state.values
        found = list(answers(subject, asked, values["groups"], values.get("targets"), self.seed))
        for answer in found:
            if answer.found is not None:
                allowance.book(f"{answer.asked.metric} of {answer.attribute}", answer.found.cost)
        return gap_measures.section(self.name, subject, found, words.unit, levels)

    def _quality(
        self,
        subject: Subject,
        state: Sample,
        asked: Question,
        found: dict[str, Attributions],
        levels: Levels,
        allowance: Allowance,
    ) -> Section:
        """How far the explanations can be trusted."""
        if not self.quality or not found:
            return Section()
        import torch

        from .conclusion.labels import loss_of
        from .quality.evaluation import evaluate
        from .quality.metrics import METRICS

        people = {a.name: _labels(a.levels, state.values["groups"][:, k]) for k, a in enumerate(subject.people)}

        def measured() -> Section:
            evaluation = evaluate(
                asked.model,
                found,
                metrics=[name for name, metric in METRICS.items() if name not in trust.ELSEWHERE and not metric.masks],
                people=people,
                generator=torch.Generator().manual_seed(self.seed),
                level=levels.default,
                budget=allowance.left,
                meter=asked.meter,
                loss=loss_of(subject, asked, state.values.get("targets")),
            )
            allowance.book("explanation_quality", evaluation.cost)
            return trust.section(self.name, evaluation, levels)

        return allowance.spend(self.name, "explanation_quality", measured)


def _explainable(subject: Subject, state: Sample) -> None:
    """Raise where there is nothing to explain."""
    if subject.model is None:
        raise ExplanationError(Message("no_model", {}))
    if not subject.inputs:
        raise ExplanationError(Message("no_inputs", {}))
    if not len(state.rows):
        raise ExplanationError(Message("too_few_rows", {"n": 0, "needed": 1}))


def _first(state: Sample, k: int) -> Sample:
    """The k rows of a sample that a smaller sample would have held."""
    return replace(state, k=k, rows=state.rows[:k], values={name: value[:k] for name, value in state.values.items()})


def _labels(levels: tuple[str, ...], codes: Any) -> list[str | None]:
    return [levels[code] if code >= 0 else None for code in codes]
