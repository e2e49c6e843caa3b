"""Findings about the rows as sentences."""

from __future__ import annotations

from ...audit.findings import Finding
from .. import numbers

TEMPLATES: dict[str, str] = {
    "audited_on_training_rows": "The model was audited on rows that it was trained on ({n} rows). It has seen the "
    "answers: every figure here is likely better than on new rows.",
    "train_test_overlap": "{count} of {n} audited rows ({share}) also stand in the training data. What they say of "
    "new rows is too favourable.",
}


def _overlap(found: Finding) -> str:
    p = found.parameters
    share = p.get("share", p["count"] / p["n"] if p["n"] else 0.0)
    return _say(
        "train_test_overlap", count=numbers.count(p["count"]), n=numbers.count(p["n"]), share=numbers.percent(share)
    )


def _training_rows(found: Finding) -> str:
    return _say("audited_on_training_rows", n=numbers.count(found.parameters["n"]))


def _say(key: str, **facts: str) -> str:
    return TEMPLATES[key].format(**facts)


SENTENCES = {"audited_on_training_rows": _training_rows, "train_test_overlap": _overlap}
HEADLINES: dict[str, str] = {
    "audited_on_training_rows": "Audited on training rows",
    "train_test_overlap": "Training rows among the audited",
}
