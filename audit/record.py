"""The record: the one thing that leaves the engine, and all that a renderer may read. Loads no torch."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import InstanceOf, TypeAdapter, ValidationError, WithJsonSchema

from .errors import RecordError
from .findings import Finding, Verdict, overall
from .measure import Measure
from .messages import STRICT, Message
from .rows import Rows

if TYPE_CHECKING:
    import pandas

FORMAT = 1  # 1: measures as one flat list
HEADLINES = 12  # measures that an index shows of a record


@dataclass(frozen=True, slots=True)
class Exhibit:
    """Data for a picture or a table: curves, rows, overlays. Never a picture.

    Attributes:
        kind: what it is, by which a renderer chooses how to draw it: "calibration_curve", "attribution_rows", …
        where: the group or feature it is about, as in a measure.
        data: columns of equal length, or what the kind says.
    """

    __pydantic_config__ = STRICT

    analysis: str
    kind: str
    data: dict[str, Any]
    where: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one phase of the audit itself took. `phase` is a path of windows: "audit", "audit/score", …

    Attributes:
        joules: None where no sensor could be read.
        measured: the share of the joules that a sensor measured; the rest is estimated by a model.
        undefined: the components whose joules are missing from them, and why: {"gpu": "…"}.
    """

    __pydantic_config__ = STRICT

    phase: str
    seconds: float
    joules: float | None = None
    joules_low: float | None = None
    joules_high: float | None = None
    measured: float | None = None
    undefined: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An audit, whole: what was audited, where and how, what was measured, what follows from it.

    Attributes:
        subject: name, task, attributes, digests of model and data, the declared card.
        environment: versions, machine, device, time.
        settings: the analyses with their settings in force, seed, level, criteria and their digest.
        measures: one flat list; each known by (analysis, metric, statistic, where).
        exhibits: data for pictures.
        findings: gravest first.
        verdict: of all criteria together; NOT_JUDGED where none was given.
        costs: what the audit itself took, by phase.
        limitations: what the record cannot claim.
        rows: scores and decisions row by row; kept beside the JSON, not in it.
    """

    __pydantic_config__ = STRICT

    subject: dict[str, Any]
    environment: dict[str, Any]
    settings: dict[str, Any]
    measures: tuple[Measure, ...]
    exhibits: tuple[Exhibit, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    costs: tuple[Cost, ...]
    limitations: tuple[Message, ...]
    format: int = FORMAT
    rows: Annotated[InstanceOf[Rows] | None, WithJsonSchema({})] = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        keys = [m.key for m in self.measures]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise RecordError(f"two measures are known by the same key {twice}; a record holds each once")
        if self.verdict != overall(self.findings):
            raise RecordError(
                f"the record's verdict is {self.verdict}, but its findings make it {overall(self.findings)}; "
                f"make the record anew"
            )

    def to_json(self) -> str:
        """The text of record.json: keys in a fixed order, no NaN."""
        return json.dumps(_CODEC.dump_python(self, mode="json", exclude={"rows"}), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "record.json") -> Record:
        """The record of that text.

        Raises:
            RecordError: not a record, another format, or edited so that it contradicts itself.
        """
        try:
            written = json.loads(text)
        except ValueError as error:
            raise RecordError(f"{source} is not a record: it is no JSON ({error})") from error
        if not isinstance(written, dict) or "format" not in written:
            raise RecordError(f"{source} is not a record: it has no 'format'; give a folder that gnomon wrote")
        if written["format"] != FORMAT:
            raise RecordError(f"{source} has format {written['format']}; this version of gnomon reads format {FORMAT}")
        try:
            return _CODEC.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise RecordError(f"{source} is damaged at {place}: {first['msg']}; make it anew") from error
        except (RecordError, ValueError) as error:
            raise RecordError(f"{source} is damaged: {error}") from error

    @classmethod
    def load(cls, path: Path | str) -> Record:
        """Read a record from its folder or its record.json."""
        path = Path(path)
        file = path / "record.json" if path.is_dir() else path
        try:
            text = file.read_bytes()
        except OSError as error:
            raise RecordError(
                f"cannot read a record at {path}: {error.strerror}; give an audit's folder or its record.json"
            ) from error
        return cls.from_json(text, str(file))

    def save(self, folder: Path | str) -> Path:
        """Write record.json, summary.json and, where rows were kept, scores.parquet into the folder.

        The folder gets all of them or none; a record that stood there is replaced.

        Raises:
            RecordError: the folder cannot be written.
        """
        return write_folder(Path(folder), self.files())

    def files(self) -> dict[str, str | bytes]:
        """What a record's folder holds, by name."""
        found: dict[str, str | bytes] = {} if self.rows is None else {"scores.parquet": self.rows.to_parquet()}
        found["summary.json"] = json.dumps(self.summary(), indent=1, ensure_ascii=False) + "\n"
        return {**found, "record.json": self.to_json()}

    def summary(self) -> dict[str, Any]:
        """What an index of many audits shows of this one, under 4 kB: ids, digests, verdict, headline measures."""
        return {
            "format": self.format,
            "name": _short(self.subject.get("name", "")),
            "created": self.environment.get("created", ""),
            "task": self.subject.get("task", {}).get("kind", ""),
            "rows": self.subject.get("rows"),
            "model": (self.subject.get("model") or {}).get("digest", ""),
            "data": self.subject.get("data", {}).get("digest", ""),
            "criteria": self.settings.get("criteria", {}).get("digest", ""),
            "verdict": self.verdict,
            "verdicts": {v.value: n for v in Verdict if (n := sum(f.verdict is v for f in self.findings))},
            "headlines": [
                {"metric": _short(m.metric), "value": m.value, "low": m.low, "high": m.high, "unit": _short(m.unit)}
                for m in headlines(self.measures)
            ],
        }

    def frame(self, analysis: str | None = None) -> pandas.DataFrame:
        """The measures, or one analysis' measures, as a tidy frame."""
        import pandas

        rows = [_CODEC_MEASURE.dump_python(m) for m in self.measures if analysis in (None, m.analysis)]
        return pandas.DataFrame(rows, columns=list(Measure.__dataclass_fields__))

    def find(
        self, metric: str, *, analysis: str | None = None, statistic: str = "value", where: dict[str, str] | None = None
    ) -> Measure:
        """The one measure that is known by this key.

        Raises:
            RecordError: none or several answer.
        """
        found = [
            m
            for m in self.measures
            if (m.metric, m.statistic, m.where) == (metric, statistic, where or {}) and analysis in (None, m.analysis)
        ]
        if len(found) != 1:
            raise RecordError(
                f"{len(found)} measures answer to {metric} ({statistic}) {where or {}}; name the analysis"
            )
        return found[0]


def headlines(measures: Sequence[Measure]) -> list[Measure]:
    """The measures that stand for all rows, in the record's order."""
    return [m for m in measures if not m.where and m.statistic == "value"][:HEADLINES]


def write_folder(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder: all of them or none, also when interrupted.

    They are written beside the folder first. A new folder then appears at once; in one that was there, record.json goes
    first and comes back last, so a folder with a record.json is always complete.

    Raises:
        RecordError: the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name[:40]}.") as temporary:
            stage = Path(temporary) / "stage"
            stage.mkdir()
            for name, content in files.items():
                _write(stage / name, content)
            if folder.exists() and any(folder.iterdir()):
                _move_into(folder, stage, files)
            else:
                stage.replace(folder)
    except OSError as error:
        raise RecordError(f"cannot write to {folder}: {error.strerror}; choose another --out") from error
    return folder


def _write(path: Path, content: str | bytes) -> None:
    with path.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())


def _move_into(folder: Path, stage: Path, names: Iterable[str]) -> None:
    ordered = sorted(names, key=lambda name: name == "record.json")
    if ordered[-1] == "record.json":
        (folder / "record.json").unlink(missing_ok=True)
    for name in ordered:
        (stage / name).replace(folder / name)


def schema() -> dict[str, Any]:
    """The JSON schema of record.json (JSON Schema 2020-12)."""
    found = _CODEC.json_schema(mode="serialization")
    found.get("properties", {}).pop("rows", None)
    found["required"] = sorted({*found["required"], "format"})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "gnomon record", **found}


def _short(text: str, most: int = 120) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


_CODEC = TypeAdapter(Record)
_CODEC_MEASURE = TypeAdapter(Measure)
