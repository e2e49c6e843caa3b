"""Findings, limitations and measures as English sentences. One module a section of the report."""

from __future__ import annotations

from .fairness import too_small
from .findings import finding, headline, limitation
from .measures import measured

__all__ = ["finding", "headline", "limitation", "measured", "too_small"]
