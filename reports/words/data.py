"""Words of the section on data."""

from __future__ import annotations

from .kinds import AnalysisWords, Metric, share

SECTION = AnalysisWords(
    "Data",
    "On which rows was the model judged, and can they carry the judgement?",
    "Rows are counted, not sampled. Two rows are the same when all their inputs are. Shares carry Wilson intervals.",
    "Whether rows repeat, leak from training or leave groups out was not tested.",
)

METRICS: dict[str, Metric] = {
    "rows": Metric("rows", "How many rows were audited."),
    "duplicate_rows": Metric("duplicate rows", "Rows that repeat an earlier row exactly.", "lower"),
    "group_share": share("group share", "The share of rows that belong to the group."),
    "missing_group_share": share("rows of unknown group", "The share of rows whose group nobody knows.", "lower"),
    "train_test_overlap": share(
        "overlap with training", "The share of audited rows that also stand in training.", "lower"
    ),
    "duplicate_share": share("duplicate rows", "The share of rows that repeat an earlier row.", "lower"),
    "missing_share": share("missing values", "The share of values that are missing.", "lower"),
    "label_share": share("label share", "The share of rows with this label."),
    "total_variation": share(
        "distance from the stated population", "The share of rows that would have to change group to match it.", "lower"
    ),
}
