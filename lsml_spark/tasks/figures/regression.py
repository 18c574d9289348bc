"""A number a row: how far predictions are from it. NaN without rows."""

import numpy as np

from lsml_spark.tasks.figures.rows import Weights, mean, present

# Predictions that ran away are a figure of infinity, not a warning.
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@quiet
def rmse(truth_B: np.ndarray, predicted_B: np.ndarray, weights_B: Weights = None) -> float:
    """Root of the mean squared error, in the unit of the truth."""
    weights_B, truth_B, predicted_B = _floats(weights_B, truth_B, predicted_B)
    return mean((truth_B - predicted_B) ** 2, weights_B) ** 0.5


@quiet
def mae(truth_B: np.ndarray, predicted_B: np.ndarray, weights_B: Weights = None) -> float:
    """Mean absolute error, in the unit of the truth."""
    weights_B, truth_B, predicted_B = _floats(weights_B, truth_B, predicted_B)
    return mean(np.abs(truth_B - predicted_B), weights_B)


@quiet
def pinball(
    truth_B: np.ndarray,
    predicted_B: np.ndarray,
    weights_B: Weights = None,
    *,
    quantile: float,
) -> float:
    """Mean loss that the quantile makes least: q a unit the truth is above, 1 − q a unit it is below."""
    weights_B, truth_B, predicted_B = _floats(weights_B, truth_B, predicted_B)
    above_B = truth_B - predicted_B
    return mean(np.maximum(quantile * above_B, (quantile - 1) * above_B), weights_B)


@quiet
def huber(
    truth_B: np.ndarray,
    predicted_B: np.ndarray,
    weights_B: Weights = None,
    *,
    delta: float,
) -> float:
    """Mean of e² / 2 for errors up to `delta`, a number above 0 in the unit of the truth, and of
    delta (|e| − delta / 2) beyond it (Huber 1964).
    """
    weights_B, truth_B, predicted_B = _floats(weights_B, truth_B, predicted_B)
    error_B = np.abs(truth_B - predicted_B)
    near_B = np.minimum(error_B, delta)
    return mean(near_B * (error_B - near_B / 2), weights_B)


@quiet
def r2(truth_B: np.ndarray, predicted_B: np.ndarray, weights_B: Weights = None) -> float:
    """Share of the truth's variance that is explained, below 0 where its mean is better; NaN without any."""
    weights_B, truth_B, predicted_B = _floats(weights_B, truth_B, predicted_B)
    if (truth_B == truth_B[:1]).all():
        return float("nan")
    spread = mean((truth_B - mean(truth_B, weights_B)) ** 2, weights_B)
    return 1 - mean((truth_B - predicted_B) ** 2, weights_B) / spread if spread else float("nan")


@quiet
def poisson_deviance(truth_B: np.ndarray, predicted_B: np.ndarray, weights_B: Weights = None) -> float:
    """Mean of 2 (y log(y / μ) − y + μ) for counts y and means μ.

    Infinite where y > 0 = μ; NaN where one of them is below 0, or μ infinite.
    """
    weights_B, truth_B, predicted_B = _floats(weights_B, truth_B, predicted_B)
    ratio_B = np.divide(truth_B, predicted_B, out=np.ones(len(truth_B)), where=truth_B > 0)
    loss_B = 2 * (truth_B * np.log(ratio_B) - truth_B + predicted_B)
    return mean(np.where((truth_B < 0) | (predicted_B < 0), np.nan, loss_B), weights_B)


def _floats(
    weights_B: Weights,
    truth_B: np.ndarray,
    predicted_B: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weights_B, truth_B, predicted_B = present(weights_B, truth_B, predicted_B)
    return weights_B, truth_B.astype(np.float64), predicted_B.astype(np.float64)
