"""Findings whose rule is explained with the first of them alone."""

from __future__ import annotations

AGAIN = "again"  # parameter of a finding whose rule an earlier one has explained
EXPLAINED = frozenset({"four_fifths", "mitigation", "over_time", "worst_subgroup"})
