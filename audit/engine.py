"""An audit, from subject to record: probe, one pass, conclude, judge. Loads torch only where a model runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..models.batch import BATCH_ROWS
from ..models.errors import DataError
from ..models.subject import Subject
from ..models.task import Precision
from . import environment
from .analysis import Accounting, Analysis, Runtime, Section, joined
from .criteria import Criteria, Levels, load, parse
from .data import Data
from .energy.analysis import Energy
from .energy.meter import Meter, costs
from .errors import CriteriaError
from .explain.analysis import Explanations
from .fairness.analysis import Fairness
from .findings import SEVERITIES, Finding, Verdict, judge, overall
from .identity import Settings, describe_settings, describe_subject
from .ledger import named
from .messages import Message
from .performance import Performance
from .record import Record
from .stream import Seen, stream

JUDGED = {Verdict.ERROR: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3, Verdict.NOT_MEASURED: 4, Verdict.PASS: 7}
UNJUDGED = {"high": 2, "medium": 5, "low": 6, "info": 6}  # where findings without a criterion stand among these


def standard(
    *, seed: int = 0, country: str | None = None, show_rows: bool = False, budget: str | int | None = None
) -> list[Analysis[Any]]:
    """The analyses of an audit that asks for nothing special; the budget is that of `Explanations`."""
    return [
        Data(seed=seed),
        Performance(),
        Fairness(seed=seed),
        Explanations(seed=seed, show_rows=show_rows, budget=budget),
        Energy(country=country, seed=seed),
    ]


def run(
    subject: Subject,
    analyses: Sequence[Analysis[Any]] | None = None,
    *,
    criteria: Criteria | Sequence[dict[str, Any]] | Path | str | None = None,
    level: float = 0.95,
    seed: int = 0,
    batch_size: int = BATCH_ROWS,
    device: str | None = None,
    precision: Precision = "float32",
    probe: bool = True,
    meter: Meter | None = None,
    command: str = "",
    progress: Callable[[str], None] = lambda phase: None,
) -> Record:
    """Audit a subject: what it decides on, for whom it works worse, what it costs, and whether that is good enough.

    Args:
        subject: what is audited.
        analyses: what is measured; None for all five with their defaults.
        criteria: a file, its items, or what `criteria.load` returned. Read before anything runs.
        level: of intervals that no criterion asks for at another.
        seed: of every sample and simulation.
        batch_size: rows of one step of the pass; halved where memory runs out.
        device: "cpu", "cuda", …; None for a GPU where there is one.
        precision: "float32", or "bfloat16" or "float16" for autocast.
        probe: whether the declared output is tried before it is believed.
        meter: what measures the audit's own energy; None for whatever this machine has.
        command: how the audit was asked for; kept in the record.
        progress: told what begins, in words.

    Raises:
        CriteriaError: before the audit, where criteria are malformed or ask for two levels of one measure.
        SubjectError, DataError: the subject is not as declared.
    """
    analyses = standard(seed=seed) if analyses is None else list(analyses)
    asked = criteria_of(criteria)
    settings = Settings(level, seed, batch_size, device, precision, probe, command)
    meter = meter or Meter.detect()
    with meter.window("audit") as whole:
        audit = _Audit(subject, analyses, settings, Levels(level, asked.items), meter, progress)
        seen = audit.see()
        sections = audit.conclude(seen)
        with meter.window("identity"):
            data, rows = seen.ledger.close(subject, given=subject.model is None)
            identity = describe_subject(subject, seen.rows, data, audit.probed)
    bill = costs(whole)
    sections += [a.account(bill, audit.levels) for a in analyses if isinstance(a, Accounting)]
    section = joined(sections)
    findings = ordered([*judge(asked.items, section.measures), *section.findings])
    return Record(
        subject=identity,
        environment=environment.describe(environment.device_name(audit.place)),
        settings=describe_settings(settings, analyses, asked),
        measures=section.measures,
        exhibits=tuple(named(exhibit, data) for exhibit in section.exhibits),
        findings=findings,
        verdict=overall(findings),
        costs=bill,
        limitations=(*section.limitations, *not_asked(analyses), *audit.unprobed()),
        rows=rows,
    )


def criteria_of(criteria: Criteria | Sequence[dict[str, Any]] | Path | str | None) -> Criteria:
    """Criteria from whatever form they came in."""
    match criteria:
        case None:
            return Criteria()
        case Criteria():
            return criteria
        case str() | Path():
            return load(criteria)
        case _:
            return Criteria(parse(list(criteria)))


@dataclass(slots=True)
class _Audit:
    """One audit under way."""

    subject: Subject
    analyses: Sequence[Analysis[Any]]
    settings: Settings
    levels: Levels
    meter: Meter
    progress: Callable[[str], None]
    place: str = "none"
    probed: dict[str, Any] | None = field(default=None)

    def see(self) -> Seen:
        """The one pass over every row."""
        seen = self._with_model() if self.subject.model is not None else self._stream(None)
        if not seen.rows:
            raise DataError(f"the data of '{self.subject.name}' has no rows; give it some")
        return seen

    def conclude(self, seen: Seen) -> list[Section]:
        pairs = zip(self.analyses, seen.states, strict=True)
        return [self._conclude(analysis, state, seen.failed.get(analysis.name)) for analysis, state in pairs]

    def unprobed(self) -> Iterator[Message]:
        if self.subject.model is not None and not self.settings.probe:
            yield Message("unprobed", {"output": self.subject.output})

    def _with_model(self) -> Seen:
        from ..models import inference
        from ..models.probe import probe

        precision = self.settings.precision
        self.place = str(inference.device_of(self.subject, self.settings.device))
        if self.settings.probe:
            self.progress("probing the model")
            with self.meter.window("probe"):
                self.probed = asdict(probe(self.subject, device=self.place, precision=precision))
        with inference.session(self.subject, device=self.place, precision=precision) as score:
            return self._stream(score)

    def _stream(self, score: Callable[[Any], Any] | None) -> Seen:
        self.progress("reading the rows" if score is None else "scoring every row")
        batches = self.subject.data.batches(self.settings.batch_size)
        return stream(self.subject, self.analyses, batches, score, self.meter.window)

    def _conclude(self, analysis: Analysis[Any], state: Any, failed: str | None) -> Section:
        """An analysis that stops is an ERROR in the record, and the rest goes on."""
        self.progress(analysis.name)
        place = None if self.subject.model is None else self.place
        runtime = Runtime(place, self.settings.precision, self.meter)
        if failed:
            return _crashed(analysis.name, failed)
        with self.meter.window(analysis.name):
            try:
                return analysis.conclude(self.subject, state, self.levels, runtime)
            except CriteriaError:
                raise
            except Exception as error:
                return _crashed(analysis.name, f"{type(error).__name__}: {error}")


def _crashed(analysis: str, error: str) -> Section:
    parameters = {"analysis": analysis, "error": " ".join(error.split())[:300]}
    finding = Finding(f"{analysis}.crashed", "analysis_crashed", parameters, Verdict.ERROR, "high")
    return Section(findings=(finding,), limitations=(Message("crashed", parameters),))


def ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Gravest first; among equals as they came."""
    return tuple(
        sorted(findings, key=lambda f: (JUDGED.get(f.verdict, UNJUDGED[f.severity]), SEVERITIES.index(f.severity)))
    )


def not_asked(analyses: Sequence[Analysis[Any]]) -> Iterator[Message]:
    """What the record does not claim, because it was not asked for."""
    names = {analysis.name for analysis in analyses}
    for analysis in standard():
        if analysis.name not in names:
            yield Message("not_run", {"analysis": analysis.name})
