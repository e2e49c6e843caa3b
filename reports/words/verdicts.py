"""What a verdict, a note and a kind of number are called."""

from __future__ import annotations

from .kinds import VerdictWords

VERDICTS: dict[str, VerdictWords] = {
    "PASS": VerdictWords("Pass", "✓", "Every criterion's whole interval lies inside its tolerance."),
    "FAIL": VerdictWords("Fail", "✕", "At least one criterion's whole interval lies outside its tolerance."),
    "INCONCLUSIVE": VerdictWords(
        "Inconclusive", "?", "An interval reaches over its tolerance: these rows cannot decide it either way."
    ),
    "NOT_MEASURED": VerdictWords(
        "Not measured", "–", "A criterion asks for a number that could not be measured here, so it cannot pass."
    ),
    "ERROR": VerdictWords("Error", "!", "A criterion could not be answered, or an analysis stopped; nothing passes."),
    "NOT_JUDGED": VerdictWords(
        "Not judged",
        "○",
        "No criterion was given beforehand, so the audit measures and does not judge. This is not a pass.",
    ),
}

NOTES: dict[str, VerdictWords] = {  # what an analysis says unasked, by severity
    "high": VerdictWords("Warning", "▲", "It changes how every number here must be read."),
    "medium": VerdictWords("Caution", "▲", "It changes how some numbers here must be read."),
    "low": VerdictWords("Note", "•", "Good to know."),
    "info": VerdictWords("Note", "•", "Good to know."),
}

KINDS: dict[str, str] = {
    "measured": "measured on these rows or by a sensor",
    "estimated": "estimated by a stated model",
    "declared": "declared by the owner, not checked",
}
