"""The energy analysis: what a prediction costs, and what the audit did. Loads no torch until it scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...models.batch import Batch
from ...models.subject import Subject
from ...models.task import Scores
from ..analysis import HERE, Runtime, Section
from ..contents import columns, inputs_of
from ..criteria import Levels
from ..errors import MeterError
from ..findings import Finding
from ..measure import Measure
from ..messages import Message
from ..record import Cost
from ..state import Sample
from . import bill, inference
from .carbon import Grid, grid
from .detect import detect
from .meter import Meter

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Energy:
    """Joules and grams of CO2 equivalent for 1,000 predictions on real rows, and of the audit by phase.

    >>> Energy(country="FRA").place.grams_per_kwh
    56.039

    Attributes:
        country: where the electricity comes from, ISO 3166 or English name; None for the world average, said so.
        pue: power usage effectiveness of the building; joules are the machine's own, grams are scaled by it.
        rows: how many rows are scored at a time.
        seconds: how long scoring is repeated at least, s.
        seed: another seed takes other rows.

    Raises:
        MeterError: an unknown country, or settings that cannot be.
    """

    country: str | None = None
    pue: float = 1.0
    rows: int = 512
    seconds: float = 2.0
    seed: int = 0
    name: str = "energy"

    def __post_init__(self) -> None:
        if self.rows < 1 or not self.seconds > 0:
            raise MeterError(
                f"rows {self.rows} and seconds {self.seconds} leave nothing to score; give 1 or more of both"
            )
        if not self.pue >= 1:
            raise MeterError(f"PUE {self.pue} is below 1: a facility draws no less than its machines; give 1 or more")
        grid(self.country)

    @property
    def place(self) -> Grid:
        return grid(self.country)

    def zero(self, subject: Subject) -> Sample:
        return Sample.zero(self.rows, self.seed)

    def observe(self, subject: Subject, batch: Batch, scores: Scores) -> Sample:
        """The inputs of this batch's rows, as far as the hash chooses them."""
        named = columns(batch.inputs)
        if subject.model is None or not named:
            return self.zero(subject)
        return Sample.of(batch.rows, named, k=self.rows, seed=self.seed)

    def conclude(self, subject: Subject, state: Sample, levels: Levels, runtime: Runtime = HERE) -> Section:
        """Score the sample again and again inside metered windows."""
        if subject.model is None:
            return Section(inference.nothing(Message("no_model"), levels))
        if not len(state.rows):
            return Section(inference.nothing(Message("too_few_rows", {"n": 0, "needed": 1}), levels))
        trial = self._trial(subject, state, runtime)
        measures = inference.measures(trial, self.place, self.pue, levels)
        return Section(measures, findings=_cost_of_predictions(measures))

    def account(self, costs: tuple[Cost, ...], levels: Levels) -> Section:
        """The audit's own bill. Says what was modelled, and that the place is unknown where none was given."""
        measures = bill.measures(costs, self.place, self.pue, levels)
        return Section(measures, findings=self._location(measures), limitations=self._limits(costs))

    def _trial(self, subject: Subject, state: Sample, runtime: Runtime) -> inference.Trial:
        from ...models.inference import session

        inputs = inputs_of(state.values)
        # a meter of its own, on the same sensors: the trial's windows are no phases of the audit
        meter = Meter.detect() if runtime.meter is None else Meter(runtime.meter.sensors, runtime.meter.clock)
        with session(subject, device=runtime.device, precision=runtime.precision) as score:
            return inference.trial(lambda: score(inputs), len(state.rows), meter, self.seconds)

    def _location(self, measures: tuple[Measure, ...]) -> tuple[Finding, ...]:
        if self.country is not None:
            return ()
        index = next(i for i, m in enumerate(measures) if m.metric == "carbon" and not m.where)
        place = self.place
        parameters = {"grams_per_kwh": place.grams_per_kwh, "low": place.low, "high": place.high}
        return (Finding("energy.unknown_location", "unknown_location", parameters, severity="low", evidence=(index,)),)

    def _limits(self, costs: tuple[Cost, ...]) -> tuple[Message, ...]:
        limits: list[Message] = []
        whole = bill.whole(costs)
        if (whole.measured or 0.0) < 1:
            limits.append(Message("energy_modelled", {"why": _modelled(whole)}))
        limits += [Message("energy_incomplete", {"component": c, "why": why}) for c, why in whole.undefined.items()]
        if self.country is None:
            limits.append(Message("world_grid"))
        return tuple(limits)


def _modelled(whole: Cost) -> str:
    """How much of the audit's joules a model gave, where not all, and what kept a meter from giving them."""
    why = "; ".join(f"{missing.sensor}: {missing.why}" for missing in detect()[1]) or "no counter was read"
    return f"{100 * (1 - whole.measured):.3g} % of the joules; {why}" if whole.measured else why


def _cost_of_predictions(measures: tuple[Measure, ...]) -> tuple[Finding, ...]:
    energy, grams = measures[:2]
    if energy.value is None:
        return ()
    parameters = {
        "joules": energy.value,
        "low": energy.low,
        "high": energy.high,
        "grams": grams.value,
        "kind": energy.kind,
    }
    return (Finding("energy.energy_per_1000", "energy_per_1000", parameters, evidence=(0, 1)),)
