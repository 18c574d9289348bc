"""What a threshold costs, and which costs least."""

import math

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from lsml_spark.tasks.figures.cost import best_threshold, cost_at

COSTS = {"cost_false_positive": 2.0, "cost_false_negative": 7.5}


def test_the_cost_is_that_of_scikit_learns_confusion_matrix(rng, weights_B):
    truth_B, scores_B = rng.random(400) < 0.3, np.round(rng.normal(size=400), 1)
    for threshold in (-np.inf, -0.5, 0.0, 1.3, np.inf):
        matrix = confusion_matrix(truth_B, scores_B >= threshold, sample_weight=weights_B)
        (_, false_positive), (false_negative, _) = matrix
        expected = (2.0 * false_positive + 7.5 * false_negative) / matrix.sum()
        found = cost_at(truth_B, scores_B, weights_B, threshold=threshold, **COSTS)
        assert found == pytest.approx(expected, abs=1e-12)


def test_no_threshold_costs_less_than_the_best(rng, weights_B):
    truth_B = rng.random(400) < 0.3
    scores_B = np.round(truth_B + rng.normal(size=400), 1)
    best = best_threshold(truth_B, scores_B, weights_B, **COSTS)
    there = cost_at(truth_B, scores_B, weights_B, threshold=best.threshold, **COSTS)
    assert best.cost == pytest.approx(there, abs=1e-12)
    for threshold in (*scores_B, *(scores_B + 0.05), -np.inf, np.inf):
        assert best.cost <= cost_at(truth_B, scores_B, weights_B, threshold=threshold, **COSTS) + 1e-12


def test_one_class_needs_no_call_or_all_and_no_rows_are_nan():
    assert best_threshold(np.zeros(3), np.arange(3), **COSTS) == (math.inf, 0.0)
    assert best_threshold(np.ones(3), np.arange(3), **COSTS) == (0.0, 0.0)
    assert np.isnan(best_threshold(np.empty(0), np.empty(0), **COSTS)).all()
    assert np.isnan(best_threshold(np.ones(2), np.array([0, np.nan]), **COSTS)).all()
    assert math.isnan(cost_at(np.empty(0), np.empty(0), threshold=0.5, **COSTS))
    assert math.isnan(cost_at(np.ones(2), np.array([0, np.nan]), threshold=0.5, **COSTS))
