"""Confident learning against a loop over the paper's definition, and the figures that cleanlab 2.9.0 gave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsml_spark.quality.figures.confident import margins, suspected, suspected_by_first, thresholds


def blobs(classes: int, rows: int, noise: float):
    """Given labels, true labels and probabilities of a good model; draws as in the run of cleanlab below."""
    rng = np.random.default_rng(classes)
    true = rng.integers(0, classes, rows)
    logit = rng.normal(size=(rows, classes)) + 2.5 * np.eye(classes)[true]
    prob = np.exp(logit)
    prob /= prob.sum(1, keepdims=True)
    return np.where(rng.random(rows) < noise, rng.integers(0, classes, rows), true), true, prob


def by_definition(label, prob):
    rows, classes = prob.shape
    t = [prob[label == j, j].mean() if (label == j).any() else np.inf for j in range(classes)]
    found = []
    for i in range(rows):
        sure = [j for j in range(classes) if prob[i, j] >= t[j] - 1e-9]
        if sure and max(sure, key=lambda j: prob[i, j]) != label[i] and prob[i].argmax() != label[i]:
            found.append((prob[i, label[i]] - max(prob[i, j] for j in range(classes) if j != label[i]), i))
    return [i for _, i in sorted(found)]


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 80))
@settings(max_examples=100, deadline=None)
def test_rows_and_their_order_are_those_of_the_definition(seed, classes, rows):
    rng = np.random.default_rng(seed)
    prob = rng.dirichlet(np.ones(classes) * 0.5, rows)
    label = rng.integers(0, classes, rows)
    assert suspected(label, prob).tolist() == by_definition(label, prob)


@pytest.mark.parametrize(
    ("classes", "rows", "noise", "found", "first"),
    [
        (3, 300, 0.1, 17, [107, 106, 38, 78, 136]),
        (5, 2000, 0.15, 194, [847, 569, 381, 1331, 812]),
        (10, 5000, 0.2, 737, [1556, 4313, 3702, 3562, 4390]),
        (2, 500, 0.1, 17, [351, 397, 124, 482, 425]),
    ],
)
def test_cleanlab_finds_the_same_rows_in_the_same_order(classes, rows, noise, found, first):
    """find_label_issues(filter_by="confident_learning", return_indices_ranked_by="normalized_margin") of
    cleanlab 2.9.0.
    """
    label, true, prob = blobs(classes, rows, noise)
    ours = suspected(label, prob)
    assert (len(ours), ours[:5].tolist()) == (found, first)
    assert (label[ours] != true[ours]).mean() > 0.75  # precision


def test_thresholds_are_mean_self_confidences_and_no_class_without_rows_is_guessed():
    prob = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
    assert thresholds(np.array([0, 0, 1]), prob).tolist() == pytest.approx([0.7, 0.2, np.inf])
    assert suspected(np.array([0, 0, 1]), prob).tolist() == []


def test_margins_lie_between_minus_1_and_1():
    assert margins(np.array([0, 1]), np.array([[1.0, 0.0], [0.9, 0.1]])) == pytest.approx([1, -0.8])


def test_first_choices_alone_find_fewer_rows_and_surer_ones():
    label, true, prob = blobs(5, 2000, 0.15)
    found = suspected_by_first(label, prob.argmax(1), prob.max(1))
    assert 0 < len(found) <= len(suspected(label, prob))
    assert (label[found] != true[found]).mean() > 0.9
    assert (np.diff(prob.max(1)[found]) <= 0).all()


def test_nothing_to_look_at():
    assert suspected(np.empty(0, int), np.empty((0, 3))).tolist() == []
    assert suspected(np.zeros(3, int), np.ones((3, 1))).tolist() == []
    assert suspected_by_first(np.empty(0, int), np.empty(0, int), np.empty(0)).tolist() == []
