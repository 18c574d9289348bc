"""Accuracy, F1, log loss and recall at k of one label a row."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from lsml_spark.tasks.figures import classification as ours


@pytest.mark.parametrize(
    ("figure", "theirs"),
    [
        (ours.accuracy, sk.accuracy_score),
        (ours.balanced_accuracy, sk.balanced_accuracy_score),
        (ours.macro_f1, lambda *ids, **weight: sk.f1_score(*ids, average="macro", **weight)),
    ],
)
def test_figures_of_ids_equal_scikit_learn(rng, weights_B, figure, theirs):
    truth_B, predicted_B = rng.choice([-3, 0, 7, 10**12], size=400), rng.choice([-3, 0, 7, 10**12], size=400)
    expected = theirs(truth_B, predicted_B, sample_weight=weights_B)
    assert figure(truth_B, predicted_B, weights_B) == pytest.approx(expected, abs=1e-12)


def test_a_label_that_is_only_predicted_lowers_macro_f1_and_is_no_part_of_balanced_accuracy():
    truth_B, predicted_B = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    assert ours.macro_f1(truth_B, predicted_B) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert ours.balanced_accuracy(truth_B, predicted_B) == 0.75


def test_log_loss_equals_scikit_learn(rng, weights_B):
    logits_BV, truth_B = rng.normal(size=(400, 7)), rng.integers(0, 7, size=400)
    log_prob_BV = logits_BV - np.log(np.exp(logits_BV).sum(axis=1, keepdims=True))
    expected = sk.log_loss(truth_B, np.exp(log_prob_BV), labels=range(7), sample_weight=weights_B)
    assert ours.log_loss(truth_B, log_prob_BV, weights_B) == pytest.approx(expected, abs=1e-12)


def test_a_label_held_impossible_costs_infinity_unless_its_row_weighs_nothing():
    log_prob_BV = np.array([[0.0, -np.inf], [math.log(0.5), math.log(0.5)]])
    assert ours.log_loss(np.array([1, 0]), log_prob_BV) == math.inf
    assert ours.log_loss(np.array([1, 0]), log_prob_BV, np.array([0, 3])) == pytest.approx(math.log(2))


@pytest.mark.parametrize("k", [1, 3, 6])
def test_recall_at_k_equals_scikit_learn_and_counts_ties_against_the_label(rng, weights_B, k):
    scores_BV, truth_B = rng.normal(size=(400, 7)), rng.integers(0, 7, size=400)
    expected = sk.top_k_accuracy_score(truth_B, scores_BV, k=k, labels=range(7), sample_weight=weights_B)
    assert ours.top_k_recall(truth_B, scores_BV, weights_B, k=k) == pytest.approx(expected, abs=1e-12)

    tied_BV = rng.integers(0, 3, size=(400, 7)).astype(float)
    hits = [sum(row >= row[label]) <= k for row, label in zip(tied_BV, truth_B, strict=True)]
    expected = np.average(hits, weights=weights_B)
    assert ours.top_k_recall(truth_B, tied_BV, weights_B, k=k) == pytest.approx(expected, abs=1e-12)


def test_no_rows_are_nan_and_one_label_has_nothing_to_balance():
    nothing, one = np.empty(0, int), np.zeros(3, int)
    for figure in (ours.accuracy, ours.balanced_accuracy, ours.macro_f1):
        assert math.isnan(figure(nothing, nothing))
        assert math.isnan(figure(one, one, np.zeros(3)))
    assert math.isnan(ours.log_loss(nothing, np.empty((0, 4))))
    assert math.isnan(ours.top_k_recall(nothing, np.empty((0, 4)), k=1))
    assert math.isnan(ours.balanced_accuracy(one, np.array([0, 0, 1])))
    assert ours.accuracy(one, one) == ours.macro_f1(one, one) == 1.0
    assert ours.top_k_recall(one, np.full((3, 4), np.nan), k=3) == 0.0


@pytest.mark.parametrize("unknown", [-1, 4])
def test_an_id_that_is_no_column_is_refused(unknown):
    with pytest.raises(ValueError, match="1 of 2 true ids are none of the 4 columns"):
        ours.log_loss(np.array([unknown, 3]), np.zeros((2, 4)))
    with pytest.raises(ValueError, match="1 of 2 true ids are none of the 4 columns"):
        ours.top_k_recall(np.array([unknown, 3]), np.zeros((2, 4)), k=1)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_weights_that_are_no_weights_are_refused(bad):
    with pytest.raises(ValueError, match="1 of 3 row weights"):
        ours.accuracy(np.zeros(3), np.zeros(3), np.array([1, bad, 2]))
