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
        *((f"Analysis: {plain(a.get('name'))}", _options(a)) for a in s.get("analyses") or ()),
        ("Criteria file", (s.get("criteria") or {}).get("digest") or "none was given"),
        ("Model", (subject.get("model") or {}).get("digest") or "none"),
        ("Data", (subject.get("data") or {}).get("digest") or "unknown"),
    ]
    return [(key, plain(text, 400)) for key, text in found if text not in ("", None)]


def _options(analysis: dict[str, Any]) -> str:
    return ", ".join(f"{plain(k)} {plain(v, 80)}" for k, v in analysis.items() if k != "name") or "with its defaults"
