"""A record of a table that was counted in pieces and is not kept: group fairness alone. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import numpy as np

from ..models.batch import Batch
from ..models.spec import Attribute, Split
from ..models.subject import Subject
from ..models.task import Binary, Multiclass
from . import environment
from .analysis import Section, joined
from .criteria import Criteria, Levels
from .energy.meter import Meter, costs
from .engine import not_asked, ordered
from .fairness.analysis import Fairness, Seen
from .fairness.counts import Counts
from .findings import judge, overall
from .identity import Settings, describe_settings, describe_subject
from .messages import Message
from .record import Record
from .rows import Rows


@dataclass(frozen=True, slots=True)
class Counted:
    """Data of which only the counts were kept."""

    counts: Counts
    origin: str
    split: Split = "unknown"

    @property
    def people(self) -> tuple[Attribute, ...]:
        return self.counts.axes.people

    @property
    def controls(self) -> tuple[Attribute, ...]:
        return self.counts.axes.controls

    @property
    def window(self) -> Attribute | None:
        return self.counts.axes.window

    def __len__(self) -> int:
        return int(self.counts.table.counts.sum())

    def batches(self, size: int, /) -> Iterator[Batch]:
        return iter(())


def run_counts(
    counts: Counts,
    path: Path,
    *,
    threshold: float = 0.5,
    fairness: Fairness | None = None,
    criteria: Criteria | None = None,
    level: float = 0.95,
    seed: int = 0,
    command: str = "",
) -> Record:
    """Audit the counts of a file, as `run` audits rows; the data's digest is that of the file's bytes.

    Args:
        counts: of the file.
        path: the file.
        threshold: from which score on a decision was positive.
        fairness: how group fairness is measured; None for its defaults.
        criteria: what is judged; level, seed and command: as for `run`.
    """
    fairness, asked = fairness or Fairness(seed=seed), criteria or Criteria()
    classes = counts.axes.classes
    task = Binary(classes[1], classes[0], threshold) if len(classes) == 2 else Multiclass(classes)
    data = Counted(counts, f"predictions in {path.name}, counted in pieces")
    subject = Subject(name=path.name.split(".")[0], data=data, task=task, output="probability")
    meter = Meter.detect()
    with meter.window("audit") as whole:
        found = fairness.conclude(subject, Seen(counts.table, counts.rows), Levels(level, asked.items))
        with path.open("rb") as file:
            seal = "sha256:" + file_digest(file, "sha256").hexdigest()
    section = joined([found, Section(limitations=(Message("split_unknown"), Message("streamed")))])
    findings = ordered([*judge(asked.items, section.measures), *section.findings])
    return Record(
        subject=describe_subject(subject, len(data), seal, None),
        environment=environment.describe(environment.device_name("none")),
        settings=describe_settings(Settings(level, seed, command=command), [fairness], asked),
        measures=section.measures,
        exhibits=section.exhibits,
        findings=findings,
        verdict=overall(findings),
        costs=costs(whole),
        limitations=(*section.limitations, *not_asked([fairness])),
        rows=Rows([], None, None, None, {a.name: np.empty(0, np.int64) for a in data.people}),
    )
