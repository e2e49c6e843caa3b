"""Where and how an audit ran, as rows of a page: machine, versions, settings."""

from __future__ import annotations

from typing import Any

from ..audit.record import Record
from . import numbers
from .plain import plain


def environment(record: Record) -> list[tuple[str, str]]:
    """The machine and the versions."""
    e = record.environment
    packages = ", ".join(f"{plain(k)} {plain(v)}" for k, v in sorted((e.get("packages") or {}).items()))
    memory = numbers.quantity(e["memory_bytes"], "B") if e.get("memory_bytes") else ""
    cores = f"{e['cores']} cores" if e.get("cores") else ""
    found = [
        ("Created", e.get("created")),
        ("gnomon", e.get("gnomon")),
        ("Python", e.get("python")),
        ("System", e.get("platform")),
        ("Processor", ", ".join(plain(x, 80) for x in (e.get("processor"), cores, memory) if x)),
        ("Device", e.get("device")),
        ("Packages", packages),
    ]
    return [(key, plain(text, 400)) for key, text in found if text]


def settings(record: Record) -> list[tuple[str, str]]:
    """What the audit was asked, and of which model and data."""
    s, subject = record.settings, record.subject
    found = [
        ("Confidence level", numbers.level(s["level"]) if isinstance(s.get("level"), float) else ""),
        ("Seed", s.get("seed")),
        *((f"Analysis: {plain(a.get('name'))}", options(a)) for a in s.get("analyses") or ()),
        ("Criteria file", (s.get("criteria") or {}).get("digest") or "none was given"),
        ("Model", (subject.get("model") or {}).get("digest") or "none"),
        ("Data", (subject.get("data") or {}).get("digest") or "unknown"),
    ]
    return [(key, plain(text, 400)) for key, text in found if text not in ("", None)]


def options(analysis: dict[str, Any]) -> str:
    """The settings of an analysis in a line."""
    told = (_option(plain(key).replace("_", " "), value) for key, value in analysis.items() if key != "name")
    return ", ".join(filter(None, told)) or "with its defaults"


def _option(name: str, value: Any) -> str:
    """A setting as people write it; nothing of what was not asked for."""
    if value is None or value in ("", [], {}) or value is False or (value == 0 and name in ("minimum", "top")):
        return ""
    if value is True:
        return name
    told = ", ".join(plain(v, 80) for v in value) if isinstance(value, list | tuple) else value
    return f"{name} {numbers.count(told) if type(told) is int and name != 'seed' else plain(told, 80)}"
