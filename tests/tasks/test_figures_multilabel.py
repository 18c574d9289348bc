"""Several labels a row."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from lsml_spark.tasks.figures import multilabel as ours

AT = 0.4
FIGURES = [
    (ours.micro_f1, lambda truth, called, **weight: sk.f1_score(truth, called, average="micro", **weight)),
    (ours.macro_f1, lambda truth, called, **weight: sk.f1_score(truth, called, average="macro", **weight)),
    (ours.hamming_loss, sk.hamming_loss),
    (ours.subset_accuracy, sk.accuracy_score),
]


def labels(rng):
    """(truth, probabilities) of 400 rows and 3 labels; few probabilities, the threshold among them."""
    truth_BL = (rng.random((400, 3)) < [0.1, 0.5, 0.9]).astype(int)
    return truth_BL, np.round(0.6 * rng.random((400, 3)) + 0.3 * truth_BL, 1)


@pytest.mark.parametrize(("figure", "theirs"), FIGURES)
def test_figures_equal_scikit_learn(rng, weights_B, figure, theirs):
    truth_BL, prob_BL = labels(rng)
    expected = theirs(truth_BL, (prob_BL >= AT).astype(int), sample_weight=weights_B)
    assert figure(truth_BL, prob_BL, weights_B, threshold=AT) == pytest.approx(expected, abs=1e-12)


def test_the_mean_area_equals_scikit_learn_and_leaves_out_labels_that_do_not_vary(rng, weights_B):
    truth_BL, prob_BL = labels(rng)
    expected = sk.roc_auc_score(truth_BL, prob_BL, average="macro", sample_weight=weights_B)
    assert ours.mean_auc_roc(truth_BL, prob_BL, weights_B) == pytest.approx(expected, abs=1e-12)
    wider = (
        np.column_stack([truth_BL, np.zeros(400), np.ones(400)]),
        np.column_stack([prob_BL, prob_BL[:, :2]]),
    )
    assert ours.mean_auc_roc(*wider, weights_B) == pytest.approx(expected, abs=1e-12)
    prob_BL[np.argmax(weights_B) if weights_B is not None else 0, 1] = np.nan
    assert math.isnan(ours.mean_auc_roc(truth_BL, prob_BL, weights_B))


def test_a_label_that_never_occurs_is_no_part_of_macro_f1():
    truth_BL, prob_BL = np.array([[1, 0], [1, 0], [0, 0]]), np.array([[0.9, 0.1], [0.2, 0.1], [0.3, 0.2]])
    expected = sk.f1_score(truth_BL, prob_BL >= 0.5, average="macro", zero_division=np.nan)
    assert ours.macro_f1(truth_BL, prob_BL) == pytest.approx(expected) == pytest.approx(2 / 3)


def test_no_rows_are_nan_and_without_labels_there_is_no_f1():
    nothing, blank = np.empty((0, 3)), np.zeros((4, 3))
    for figure in (*(figure for figure, _ in FIGURES), ours.mean_auc_roc):
        assert math.isnan(figure(nothing, nothing))
    for figure in (ours.micro_f1, ours.macro_f1, ours.mean_auc_roc):
        assert math.isnan(figure(blank, blank))
    assert ours.subset_accuracy(blank, blank) == 1.0
    assert ours.hamming_loss(blank, blank) == 0.0
