"""What was audited and with which settings, as JSON for the record. Loads torch only where there is a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..models.batch import BATCH_ROWS
from ..models.spec import Tabular
from ..models.subject import Subject
from ..models.task import Binary, Multiclass, Precision, Ranking, Regression, Task
from .analysis import Analysis
from .criteria import Criteria, Criterion


@dataclass(frozen=True, slots=True)
class Settings:
    """How an audit runs.

    Attributes:
        level: of intervals that no criterion asks for at another.
        seed: of every sample and simulation.
        batch_size: rows of one step of the pass; halved where memory runs out.
        device: "cpu", "cuda", …; None for a GPU where there is one.
        precision: "float32", or "bfloat16" or "float16" for autocast.
        probe: whether the declared output is tried before it is believed.
        command: how the audit was asked for; kept in the record.
    """

    level: float = 0.95
    seed: int = 0
    batch_size: int = BATCH_ROWS
    device: str | None = None
    precision: Precision = "float32"
    probe: bool = True
    command: str = ""


def describe_settings(settings: Settings, analyses: Sequence[Analysis[Any]], criteria: Criteria) -> dict[str, Any]:
    """The settings in force, each analysis' own, and the criteria with their digest."""
    own = [{"name": analysis.name, **_without_name(analysis)} for analysis in analyses]
    asked = {"digest": criteria.digest, "items": [_item(c) for c in criteria.items]} if criteria.items else {}
    return {"analyses": own, **asdict(settings), "criteria": asked}


def describe_subject(subject: Subject, rows: int, data: str, probed: dict[str, Any] | None) -> dict[str, Any]:
    """The subject's name, task, people, and the digests of its model and data."""
    return {
        "name": subject.name,
        "task": describe_task(subject.task),
        "output": subject.output if subject.model is not None else None,
        "probe": probed,
        "rows": rows,
        "split": subject.data.split,
        "attributes": [{"name": a.name, "levels": list(a.levels)} for a in subject.people],
        **_more(subject),
        "features": [f.name for spec in subject.inputs if isinstance(spec, Tabular) for f in spec.features],
        "model": _model(subject),
        "data": {"digest": data, "origin": subject.data.origin, "rows": rows},
        "card": asdict(subject.card),
    }


def describe_task(task: Task) -> dict[str, Any]:
    """A task: its kind and what belongs to it."""
    match task:
        case Binary():
            return {"kind": "binary", **asdict(task), "classes": list(task.classes)}
        case Multiclass():
            return {"kind": "multiclass", "classes": list(task.classes)}
        case Regression():
            return {"kind": "regression", "unit": task.unit}
        case Ranking():
            return {"kind": "ranking", "top": task.top}


def _model(subject: Subject) -> dict[str, Any] | None:
    if subject.model is None:
        return None
    from torch import nn

    from ..models.checkpoint import digest

    if not isinstance(subject.model, nn.Module):
        name = getattr(subject.model, "__name__", type(subject.model).__name__)
        return {"class": name, "parameters": None, "digest": ""}
    parameters = sum(p.numel() for p in subject.model.parameters())
    return {"class": type(subject.model).__name__, "parameters": parameters, "digest": digest(subject.model)}


def _more(subject: Subject) -> dict[str, Any]:
    """What not all data has: controls and time windows."""
    controls = [{"name": a.name, "levels": list(a.levels)} for a in subject.controls]
    window = subject.window
    found: dict[str, Any] = {"controls": controls} if controls else {}
    return found | ({} if window is None else {"window": {"name": window.name, "levels": list(window.levels)}})


def _without_name(analysis: Any) -> dict[str, Any]:
    return {key: _json(value) for key, value in asdict(analysis).items() if key != "name"}


def _json(value: Any) -> Any:
    """A setting as it comes back from a file: JSON has lists and no tuples."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, (tuple, list)) else value


def _item(criterion: Criterion) -> dict[str, Any]:
    return {**asdict(criterion), "bounds": list(criterion.bounds), "clauses": list(criterion.clauses)}
