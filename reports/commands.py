"""What commands that make a record share: the audit they ask for, and how its record is delivered."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, cast, get_args

from ..audit.criteria import Criteria, load
from ..audit.energy import carbon
from ..audit.errors import CriteriaError
from ..audit.explain.core.budget import Budget
from ..audit.fairness.analysis import Fairness
from ..audit.findings import Verdict
from ..audit.record import Record
from ..models.batch import BATCH_ROWS
from ..models.subject import Subject
from ..models.task import Precision
from . import files

FOLDER = Path("audits")
EXIT = {Verdict.ERROR: 3, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 4, Verdict.NOT_MEASURED: 4}
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for, checked before anything is trained, read or scored.

    Raises:
        CriteriaError, MeterError, RecordError: a wish that cannot be met.
    """

    criteria_file: Path | None = None
    out: Path | None = None
    json: bool = False
    quiet: bool = False
    fail_on: str = "inconclusive"
    level: float = 0.95
    seed: int = 0
    country: str | None = None
    device: str | None = None
    show_rows: bool = False
    batch_size: int = BATCH_ROWS
    precision: str = "float32"
    probe: bool = True
    fairness: Fairness | None = None
    flips: bool = False
    explain_budget: str | None = None
    criteria: Criteria = field(init=False)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise CriteriaError(f"--level must be between 0 and 1, got {self.level}; 0.95 is usual")
        if self.precision not in PRECISIONS:
            raise CriteriaError(f"--precision must be {' or '.join(PRECISIONS)}, got '{self.precision}'")
        if self.fail_on not in ("fail", "inconclusive"):
            raise CriteriaError(f"--fail-on must be 'fail' or 'inconclusive', got '{self.fail_on}'")
        if self.country is not None:
            carbon.grid(self.country)
        if self.fairness is not None:
            _require_known(self.fairness)
        Budget.of(self.budget)
        if self.out is not None or not self.json:
            files.require_writable(self.out or FOLDER)
        object.__setattr__(self, "criteria", Criteria() if self.criteria_file is None else load(self.criteria_file))

    @property
    def budget(self) -> str | int | None:
        """Of the explanations: seconds, joules, or evaluations of the model a row."""
        asked = self.explain_budget
        return int(asked) if asked is not None and asked.isdecimal() else asked


def _require_known(fairness: Fairness) -> None:
    """See that a rule and methods of mitigation are known before a table is read for them."""
    from ..audit.fairness.mitigation.mitigation import METHODS
    from ..audit.fairness.standards.standards import STANDARDS

    for option, given, known in (
        ("standard", (fairness.standard,), STANDARDS),
        ("mitigate", fairness.mitigate, METHODS),
    ):
        for name in given:
            if name and name not in known:
                raise CriteriaError(f"--{option} '{name}' is not known; give {' or '.join(known)}")


def audit(subject: Subject, wishes: Wishes, tell: Tell) -> Record:
    """Run the standard audit; of predictions alone, what needs no model."""
    from ..audit.engine import run, standard

    shown = {"country": wishes.country, "show_rows": wishes.show_rows, "budget": wishes.budget}
    analyses = standard(seed=wishes.seed, **shown)
    if wishes.fairness is not None:
        analyses = [wishes.fairness if a.name == "fairness" else a for a in analyses]
    if wishes.flips:
        from ..audit.fairness.counterfactual.flips import Flips

        place = [a.name for a in analyses].index("fairness") + 1
        analyses.insert(place, Flips(seed=wishes.seed))
    if subject.model is None:
        analyses = [a for a in analyses if a.name in ("data", "performance", "fairness")]
    return run(
        subject,
        analyses,
        criteria=wishes.criteria,
        level=wishes.level,
        seed=wishes.seed,
        batch_size=wishes.batch_size,
        device=wishes.device,
        precision=cast(Precision, wishes.precision),
        probe=wishes.probe,
        command=shlex.join(["gnomon", *sys.argv[1:]]),
        progress=tell,
    )


def of_texts(table: Path, text: str | None, terms: Path | None, parts: dict[str, Any], *, stream: bool) -> Subject:
    """A table of texts that have no group column as a subject: their groups are found by lists of words.

    Args:
        table: the file.
        text: the column of texts.
        terms: YAML file of the words of each group.
        parts: which column is what else.

    Raises:
        CriteriaError: one of both is missing, or rows are to be counted as they come.
        DataError: table or lists cannot be read so.
    """
    from ..audit.fairness.counterfactual.lists import read_terms, with_groups

    if text is None or terms is None:
        raise CriteriaError("--text COLUMN and --terms FILE.yaml go together: the texts, and the words of each group")
    if stream:
        raise CriteriaError("--text needs every row at once, and --stream keeps none; leave one of them out")
    given = [parts[name] for name in ("target", "prediction", "score", "weight", "cluster", "window", "query")]
    columns = [name for name in given if name is not None] + [*parts["sensitive"], *parts["control"]]
    frame, found = with_groups(table, text, read_terms(terms), columns)
    named = {**parts, "sensitive": [*parts["sensitive"], found]}
    return Subject.from_predictions(frame, name=table.name.split(".")[0], **named)


def audit_in_pieces(table: Path, parts: dict[str, Any], wishes: Wishes, tell: Tell) -> Record:
    """Count a table in constant memory and audit the counts: group fairness alone.

    Args:
        table: the file.
        parts: which column is what, and how labels and scores are read, as the command line has it.
    """
    from ..audit.counted import run_counts
    from ..audit.fairness.counts import Counts

    kind, positive = parts["task"], parts["positive"]
    if kind not in ("binary", "multiclass") or (wishes.fairness and wishes.fairness.mitigate):
        what = "--mitigate" if kind in ("binary", "multiclass") else f"--task {kind}"
        raise CriteriaError(f"{what} needs every row, and --stream keeps none; leave one of them out")
    own = {name: value for name, value in parts.items() if name not in ("task", "positive", "query", "top")}
    said = None if kind == "multiclass" else 1 if positive is None else positive
    tell("counting the rows")
    counts = Counts.from_file(table, positive=said, **own)
    command = shlex.join(["gnomon", *sys.argv[1:]])
    asked = {"fairness": wishes.fairness, "criteria": wishes.criteria, "level": wishes.level, "seed": wishes.seed}
    return run_counts(counts, table, threshold=parts["threshold"], command=command, **asked)


def deliver(record: Record, wishes: Wishes) -> int:
    """Write and print what was asked for; returns the exit code."""
    folder = wishes.out
    if folder is not None:
        files.save(record, folder)
    elif not wishes.json:
        folder = save_under_a_new_name(record)
    if wishes.json:
        sys.stdout.write(record.to_json())
    elif not wishes.quiet:
        from . import console

        sys.stdout.write(console.render(record))
        print(f"\nReport: {folder / 'report.html' if folder else ''}")
    return exit_code(record.verdict, wishes.fail_on)


def exit_code(verdict: Verdict, fail_on: str) -> int:
    """0 passed or nothing asked · 1 fails · 3 a check errored · 4 undecided (0 with --fail-on fail)."""
    code = EXIT.get(verdict, 0)
    return 0 if code == 4 and fail_on == "fail" else code


def save_under_a_new_name(record: Record) -> Path:
    """Save into audits/<time>-<name>, with a suffix if that is taken."""
    created = datetime.fromisoformat(record.environment["created"]).astimezone()
    slug = re.sub(r"[^a-z0-9]+", "-", record.subject["name"].lower()).strip("-")[:40] or "audit"
    stem = f"{created:%Y%m%d-%H%M%S}-{slug}"
    names = (FOLDER / (stem if attempt == 1 else f"{stem}-{attempt}") for attempt in count(1))
    return files.save(record, next(name for name in names if not name.exists()))


@contextmanager
def telling(quiet: bool) -> Iterator[Tell]:
    """A line on stderr that says what is being done, where someone watches.

    Inside, what the user's own code prints goes to stderr too: stdout is for the record.
    """
    with redirect_stdout(sys.stderr):
        if quiet or not sys.stderr.isatty():
            yield lambda phase: None
            return
        from rich.console import Console

        with Console(stderr=True).status("starting") as status:
            yield lambda phase: status.update(phase)
