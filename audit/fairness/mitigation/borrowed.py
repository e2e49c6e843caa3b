"""The one door to fairlearn's methods of mitigation; it is imported when one of them is asked for. Loads no torch.

fairlearn searches; what it finds is read out as our own values, so that nothing random is left to it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.errors import DataError
from ...intervals import Floats
from .thresholds import Rule, Step

CONSTRAINTS = ("demographic_parity", "equalized_odds")
REDUCTIONS = ("exponentiated_gradient", "grid_search")


def _scores() -> Any:
    """A scikit-learn estimator whose features are the scores themselves."""
    from sklearn.base import BaseEstimator

    class Scores(BaseEstimator):
        fitted_ = True  # so scikit-learn takes it for fitted

        def fit(self, X: Any, y: Any) -> Any:  # noqa: N803 — scikit-learn's names
            return self

        def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
            return np.asarray(X)[:, 0]

    return Scores()


def threshold_optimizer(
    scores: Floats, truth: NDArray[np.int64], groups: NDArray[np.int64], constraint: str
) -> dict[int, Rule]:
    """fairlearn's ThresholdOptimizer: randomised thresholds that make groups equal at the highest accuracy [hardt2016].

    Args:
        scores: [n]; truth: [n] 0 or 1; groups: [n] codes. Every group needs positives and negatives.
        constraint: "demographic_parity" or "equalized_odds".

    Returns:
        For each group the rule that was found, as fairlearn would draw from it.

    Raises:
        DataError: fairlearn finds no rule.
    """
    from fairlearn.postprocessing import ThresholdOptimizer

    aim: Any = constraint

    found = ThresholdOptimizer(
        estimator=_scores(), constraints=aim, objective="accuracy_score", prefit=True, predict_method="predict"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found.fit(scores[:, None], truth, sensitive_features=groups)
        except ValueError as error:
            raise DataError(f"fairlearn's ThresholdOptimizer finds no rule: {' '.join(str(error).split())}") from error
    rules: Mapping[Any, Any] = found.interpolated_thresholder_.interpolation_dict
    return {int(code): _rule(rules[code]) for code in np.unique(groups)}


def _rule(found: Any) -> Rule:
    """p_ignore · constant + (1 − p_ignore) · (p0 · [score op0 t0] + p1 · [score op1 t1])."""
    ignored, constant = float(found.get("p_ignore", 0.0)), float(found.get("prediction_constant", 0.0))
    parts = [(found["p0"], found["operation0"]), (found["p1"], found["operation1"])]
    steps = [Step((1 - ignored) * float(p), float(op.threshold), op.operator) for p, op in parts]
    return Rule(tuple(step for step in steps if step.weight > 0), ignored * constant)


def reduction(
    method: str,
    constraint: str,
    estimator: Any,
    features: NDArray[Any],
    truth: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    epsilon: float,
    most: int,
) -> tuple[tuple[float, Any], ...]:
    """Estimators with the chance of each, refitted by fairlearn so that groups are treated nearly alike [agarwal2018].

    Args:
        method: "exponentiated_gradient", which mixes estimators by chance, or "grid_search", which picks one.
        constraint: "demographic_parity" or "equalized_odds".
        estimator: has fit(X, y, sample_weight=…) and predict(X) -> 0 or 1.
        features: [n, columns]; truth: [n] 0 or 1; groups: [n] codes.
        epsilon: how far a group's rate may lie from everyone's.
        most: refits (iterations, or size of the grid).
    """
    from fairlearn import reductions

    moments = {
        "demographic_parity": reductions.DemographicParity,
        "equalized_odds": reductions.EqualizedOdds,
    }
    moment = moments[constraint](difference_bound=epsilon)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method == "grid_search":
            search = reductions.GridSearch(estimator, moment, grid_size=most)
            search.fit(features, truth, sensitive_features=groups)
            return ((1.0, search.predictors_[search.best_idx_]),)
        gradient = reductions.ExponentiatedGradient(estimator, moment, eps=epsilon, max_iter=most)
        gradient.fit(features, truth, sensitive_features=groups)
    mixed = zip(np.asarray(gradient.weights_, float), gradient.predictors_, strict=False)
    return tuple((float(chance), predictor) for chance, predictor in mixed if chance > 0)
