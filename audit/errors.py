"""Errors of the audit side, one leaf a border."""

from __future__ import annotations

from ..models.errors import GnomonError


class RecordError(GnomonError):
    """A record cannot be read or written: another format, a truncated or hand-edited file."""


class CriteriaError(GnomonError):
    """A criterion is malformed, or asks for what no analysis measures."""


class MeterError(GnomonError):
    """Energy or carbon cannot be accounted for as asked: an unknown country, a negative factor."""
