"""Words of the section on performance: scores, calibration, errors."""

from __future__ import annotations

from .kinds import AnalysisWords, Metric

SECTION = AnalysisWords(
    "Performance",
    "How often is the model right, and can its scores be believed?",
    "Every row is scored once in evaluation mode. Shares carry Wilson intervals; the method of each other interval is "
    "named beside its number.",
    "How often the model is right was not tested.",
)

METRICS: dict[str, Metric] = {
    "auc": Metric(
        "AUC", "The chance that a positive row scores above a negative one; 0.5 is a coin.", "higher", bounded=True
    ),
    "average_precision": Metric(
        "average precision",
        "How pure the rows scored highest are in positives, over all thresholds; a coin reaches the base rate.",
        "higher",
        bounded=True,
    ),
    "log_loss": Metric("log loss", "How surprised the scores are by the labels; 0 is never surprised.", "lower"),
    "brier_score": Metric(
        "Brier score", "Mean squared distance between score and outcome; 0 is best.", "lower", bounded=True
    ),
    "calibration_in_the_large": Metric(
        "mean prediction less mean outcome",
        "Above 0 predictions are too high on the whole, below 0 too low.",
        "closer to 0",
    ),
    "expected_calibration_error": Metric(
        "calibration error", "How far a score is, on average, from the share that comes true.", "lower", bounded=True
    ),
    "mean_absolute_error": Metric("mean absolute error", "How far a prediction is off on average.", "lower"),
    "root_mean_squared_error": Metric(
        "root mean squared error", "How far predictions are off, large errors weighing more.", "lower"
    ),
    "r_squared": Metric("R²", "The share of the labels' variance that the predictions account for.", "higher"),
    "mean_error": Metric(
        "mean error", "Prediction less outcome on average: above 0 too high, below 0 too low.", "closer to 0"
    ),
}
