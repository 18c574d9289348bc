"""Errors of a predicted number."""

import math

import numpy as np
import pytest
from scipy.special import huber
from sklearn import metrics as sk

from lsml_spark.tasks.figures import regression as ours


def mean_huber(truth_B, predicted_B, sample_weight, delta):
    """scikit-learn has no Huber loss; SciPy has that of one row."""
    return np.average(huber(delta, truth_B - predicted_B), weights=sample_weight)


FIGURES = {
    "rmse": (ours.rmse, sk.root_mean_squared_error, {}, {}),
    "mae": (ours.mae, sk.mean_absolute_error, {}, {}),
    "pinball 0.1": (ours.pinball, sk.mean_pinball_loss, {"quantile": 0.1}, {"alpha": 0.1}),
    "pinball 0.8": (ours.pinball, sk.mean_pinball_loss, {"quantile": 0.8}, {"alpha": 0.8}),
    "huber 0.7": (ours.huber, mean_huber, {"delta": 0.7}, {"delta": 0.7}),
    "r2": (ours.r2, sk.r2_score, {}, {}),
    "poisson deviance": (ours.poisson_deviance, sk.mean_poisson_deviance, {}, {}),
}
ALL = pytest.mark.parametrize(("figure", "theirs", "given", "to_theirs"), FIGURES.values(), ids=FIGURES)


@ALL
def test_figures_equal_scikit_learn(rng, weights_B, figure, theirs, given, to_theirs):
    truth_B, predicted_B = rng.poisson(1.5, size=400), rng.gamma(2.0, size=400)
    expected = theirs(truth_B, predicted_B, sample_weight=weights_B, **to_theirs)
    found = figure(truth_B, predicted_B, weights_B, **given)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


@ALL
def test_no_rows_are_nan_and_a_prediction_that_ran_away_is_not_finite(figure, theirs, given, to_theirs):
    assert math.isnan(figure(np.empty(0), np.empty(0), **given))
    assert math.isnan(figure(np.ones(2), np.ones(2), np.zeros(2), **given))
    assert math.isnan(figure(np.arange(2), np.array([1, np.nan]), **given))
    assert not math.isfinite(figure(np.arange(2), np.array([0.5, np.inf]), **given))


def test_r2_of_a_truth_that_does_not_vary_is_nan():
    assert math.isnan(ours.r2(np.full(3, 0.1), np.arange(3)))  # whose mean is not 0.1 in floats
    assert math.isnan(ours.r2(np.array([0, 1e-300]), np.zeros(2)))
    assert ours.r2(np.arange(3), np.full(3, 1e200)) == -math.inf


def test_the_deviance_of_counts_below_zero_is_nan_and_of_a_mean_of_zero_infinite_unless_nothing_came():
    assert ours.poisson_deviance(np.zeros(2), np.zeros(2)) == 0.0
    assert ours.poisson_deviance(np.array([0, 1]), np.zeros(2)) == math.inf
    assert math.isnan(ours.poisson_deviance(np.array([0, -1]), np.ones(2)))
    assert math.isnan(ours.poisson_deviance(np.array([0, 1]), np.array([-1, 1])))
