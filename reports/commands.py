"""What commands that make a record share: the audit they ask for, and how its record is delivered."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..audit.criteria import Criteria, load
from ..audit.errors import CriteriaError, RecordError
from ..audit.findings import Verdict
from ..audit.record import Record
from ..models.subject import Subject

EXIT = {Verdict.ERROR: 3, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 4, Verdict.NOT_MEASURED: 4}
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks of an audit."""

    criteria: Path | None = None
    level: float = 0.95
    seed: int = 0
    country: str | None = None
    device: str | None = None
    show_rows: bool = False
    batch_size: int = 4096
    precision: str = "float32"
    probe: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise CriteriaError(f"--level must be between 0 and 1, got {self.level}; 0.95 is usual")
        if self.precision not in ("float32", "bfloat16", "float16"):
            raise CriteriaError(f"--precision must be float32, bfloat16 or float16, got '{self.precision}'")


def audit(subject: Subject, wishes: Wishes, tell: Tell) -> Record:
    """Run the standard audit; of predictions alone, what needs no model."""
    from ..audit.energy import carbon
    from ..audit.engine import run, standard

    if wishes.country is not None:
        carbon.grid(wishes.country)  # a country that does not exist is said before anything runs
    analyses = standard(seed=wishes.seed, country=wishes.country, show_rows=wishes.show_rows)
    if subject.model is None:
        analyses = [a for a in analyses if a.name in ("data", "performance", "fairness")]
    return run(
        subject,
        analyses,
        criteria=_criteria(wishes),
        level=wishes.level,
        seed=wishes.seed,
        batch_size=wishes.batch_size,
        device=wishes.device,
        precision=wishes.precision,  # type: ignore[arg-type]
        probe=wishes.probe,
        command=" ".join(["gnomon", *sys.argv[1:]]),
        progress=tell,
    )


def deliver(record: Record, *, out: Path | None, json: bool, quiet: bool, fail_on: str) -> int:
    """Write and print what was asked for; returns the exit code."""
    from . import files

    if fail_on not in ("fail", "inconclusive"):
        raise CriteriaError(f"--fail-on must be 'fail' or 'inconclusive', got '{fail_on}'")
    folder = out if out is not None or json else free_folder(record)
    if folder is not None:
        files.save(record, folder)
    if json:
        sys.stdout.write(record.to_json())
    elif not quiet:
        from . import console

        sys.stdout.write(console.render(record))
        print(f"\nReport: {folder / 'report.html' if folder else ''}")
    return exit_code(record.verdict, fail_on)


def exit_code(verdict: Verdict, fail_on: str) -> int:
    """0 passed or nothing asked · 1 fails · 3 a check errored · 4 undecided (0 with --fail-on fail)."""
    code = EXIT.get(verdict, 0)
    return 0 if code == 4 and fail_on == "fail" else code


def free_folder(record: Record) -> Path:
    """audits/<time>-<name>, with a suffix if that is taken; created, so that nobody else takes it."""
    created = datetime.fromisoformat(record.environment["created"]).astimezone()
    slug = re.sub(r"[^a-z0-9]+", "-", record.subject["name"].lower()).strip("-")[:40] or "audit"
    stem = f"{created:%Y%m%d-%H%M%S}-{slug}"
    for attempt in range(1, 1000):
        folder = Path("audits") / (stem if attempt == 1 else f"{stem}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RecordError(
                f"cannot write to {folder.parent.resolve()}: {error.strerror}; name a folder with --out"
            ) from error
        return folder
    raise RecordError(f"a thousand audits bear the name {stem}; name a folder with --out")


@contextmanager
def telling(quiet: bool) -> Iterator[Tell]:
    """A line on stderr that says what is being done, where someone watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda phase: None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda phase: status.update(phase)


def _criteria(wishes: Wishes) -> Criteria | None:
    return load(wishes.criteria) if wishes.criteria is not None else None
