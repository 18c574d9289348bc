"""Ranks, log loss and bands against scikit-learn and against loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, top_k_accuracy_score

from lsml_spark.evaluate import metrics

NOTHING = (np.empty(0, int), np.empty(0, int))


def test_recall_and_log_loss_equal_scikit_learn():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(300, 12))
    log_prob = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    label = rng.integers(0, 12, size=300)
    rank = metrics.ranks(log_prob, label, NOTHING)
    for k in (1, 3, 10):
        found = metrics.figures(rank, log_prob[np.arange(300), label], label, k)
        assert found["recall"] == pytest.approx(
            top_k_accuracy_score(label, log_prob, k=k, labels=np.arange(12))
        )
        assert found["log_loss"] == pytest.approx(log_loss(label, np.exp(log_prob), labels=np.arange(12)))


@given(st.integers(0, 2**32), st.integers(1, 8), st.integers(1, 6))
def test_ranks_equal_a_loop_over_rows_with_ties_against_the_label(seed, rows, items):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, size=(rows, items)).astype(float)  # many ties
    label = rng.integers(-1, items, size=rows)
    hidden = [(row, item) for row in range(rows) for item in range(items) if rng.random() < 0.3]
    pairs = tuple(np.array(hidden, dtype=int).reshape(-1, 2).T)
    expected = []
    for row in range(rows):
        candidates = [item for item in range(items) if (row, item) not in hidden]
        if label[row] not in candidates:
            expected.append(items + 1)
        else:
            expected.append(sum(scores[row, item] >= scores[row, label[row]] for item in candidates))
    before = scores.copy()
    assert metrics.ranks(scores, label, pairs).tolist() == expected
    assert (scores == before).all()


def test_probabilities_over_seen_and_unseen_keys_sum_to_one():
    known = np.log(np.array([0.5, 0.3, 0.2]))
    seen = metrics.with_unseen(known, np.ones(3, bool), 0.1, 40.0)
    unseen = metrics.with_unseen(np.zeros(1), np.zeros(1, bool), 0.1, 40.0)
    assert np.exp(seen).sum() + 40 * np.exp(unseen[0]) == pytest.approx(1.0)
    assert np.exp(seen)[0] == pytest.approx(0.45)


def test_every_row_is_in_exactly_one_band():
    counts = np.array([0, 1, 2, 9, 10, 99, 100, 10**6])
    masks = metrics.bands(counts)
    assert sum(mask.astype(int) for mask in masks.values()).tolist() == [1] * 8
    assert {name: counts[mask].tolist() for name, mask in masks.items()} == {
        "0": [0], "1": [1], "2–9": [2, 9], "10–99": [10, 99], "100+": [100, 10**6],
    }  # fmt: skip


def test_breadth_counts_labels_not_rows_and_bands_without_rows_have_no_figures():
    rank, label = np.array([1, 2, 30, 5]), np.array(["a", "a", "b", "c"])
    found = metrics.by_band(rank, np.log([0.5, 0.5, 0.1, 0.2]), label, np.array([5, 5, 0, 200]), k=20)
    assert (found["breadth"], found["recall"], found["rows"]) == (2, 0.75, 4)
    assert found["bands"]["1"] == {"rows": 0, "log_loss": None, "recall": None, "breadth": None}
    assert found["bands"]["2–9"]["breadth"] == 1
    assert found["bands"]["0"]["recall"] == 0.0
