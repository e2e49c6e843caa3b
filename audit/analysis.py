"""What every analysis is: frozen settings that know how to look at one batch and how to conclude. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar, runtime_checkable

from ..models.batch import Batch
from ..models.subject import Subject
from ..models.task import Precision, Scores
from .criteria import Levels
from .energy.meter import Meter
from .findings import Finding
from .measure import Measure
from .messages import Message
from .record import Cost, Exhibit


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how an audit runs its model, and what meters it.

    Attributes:
        device: None for the subject's default.
        meter: None for whatever sensors this machine has.
    """

    device: str | None = None
    precision: Precision = "float32"
    meter: Meter | None = None


HERE = Runtime()


class State(Protocol):
    """What an analysis knows so far. Law: merge is associative and commutative, the analysis' zero its unit."""

    def merge(self, other: Self, /) -> Self: ...


S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class Section:
    """What one analysis concludes. `Finding.evidence` counts within this section's own measures."""

    measures: tuple[Measure, ...] = ()
    exhibits: tuple[Exhibit, ...] = ()
    findings: tuple[Finding, ...] = ()
    limitations: tuple[Message, ...] = ()


def joined(sections: Sequence[Section]) -> Section:
    """All sections as one; evidence counts within the joined measures, and nothing is said twice."""
    measures: list[Measure] = []
    findings: list[Finding] = []
    exhibits: list[Exhibit] = []
    limitations: list[Message] = []
    for section in sections:
        start = len(measures)
        findings += [replace(f, evidence=tuple(start + place for place in f.evidence)) for f in section.findings]
        measures += section.measures
        exhibits += section.exhibits
        limitations += [message for message in section.limitations if message not in limitations]
    return Section(tuple(measures), tuple(exhibits), tuple(findings), tuple(limitations))


def unweighted(subject: Subject, analysis: str) -> tuple[Message, ...]:
    """What an analysis that counts each row once must say of data whose rows weigh or hang together."""
    told = getattr(subject.data, "design", subject.data)
    given = [name for name in ("weights", "clusters") if getattr(told, name, None) is not None]
    return (Message("unweighted", {"analysis": analysis}),) if given else ()


class Analysis(Protocol[S]):
    """Settings that are a value; the state is another."""

    @property
    def name(self) -> str: ...
    def zero(self, subject: Subject, /) -> S: ...
    def observe(self, subject: Subject, batch: Batch, scores: Scores, /) -> S:
        """The state of this batch alone."""
        ...

    def conclude(self, subject: Subject, state: S, levels: Levels, runtime: Runtime = ..., /) -> Section: ...


@runtime_checkable
class Accounting(Protocol):
    """An analysis that also reads the audit's own bill, once everything else is done."""

    def account(self, costs: tuple[Cost, ...], levels: Levels, /) -> Section: ...
