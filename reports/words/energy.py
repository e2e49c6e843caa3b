"""Words of the section on energy and carbon."""

from __future__ import annotations

from .kinds import AnalysisWords, Metric

SECTION = AnalysisWords(
    "Energy and carbon",
    "What does the model cost to run, and what did this audit cost?",
    "Energy is read from hardware counters where there are any, else estimated by a stated model of processor and "
    "memory. Carbon multiplies energy by the grid's emissions for the country given.",
    "What the model costs to run was not tested.",
)

METRICS: dict[str, Metric] = {
    "energy": Metric("energy of the audit", "What this audit consumed.", "lower"),
    "latency": Metric("latency", "How long one batch of the sampled rows takes.", "lower"),
    "predictions_per_second": Metric(
        "predictions per second", "Predictions that this machine makes in a second.", "higher"
    ),
    "power": Metric("power during the audit", "Its energy per second.", "lower"),
    "carbon": Metric("carbon of the audit", "Emissions of the electricity that this audit used.", "lower"),
    "duration": Metric("duration of the audit", "Wall-clock time.", "lower"),
    "energy_per_1000_predictions": Metric(
        "energy per 1,000 predictions", "What a thousand predictions on these rows consume.", "lower"
    ),
    "carbon_per_1000_predictions": Metric(
        "carbon per 1,000 predictions", "Emissions of a thousand predictions on these rows.", "lower"
    ),
}
