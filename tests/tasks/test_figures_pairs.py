"""Pairs within groups against plain loops and scikit-learn's area under the ROC curve."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lsml_spark.tasks.figures import pairs


@pytest.fixture
def rows(rng):
    """(group, gain, score) with ties in all of them, groups of one row, and hashes that differ in the last
    bit.
    """
    group_N = rng.choice(
        np.array([3, 2**61, 2**61 + 1, -5, 70, 71]), size=90, p=[0.3, 0.2, 0.2, 0.28, 0.01, 0.01]
    )
    return group_N, rng.integers(0, 4, 90).astype(float), rng.integers(-3, 4, 90) / 2


def by_hand(group_N, gain_N):
    n = range(len(group_N))
    return [(i, j) for i in n for j in n if group_N[i] == group_N[j] and gain_N[i] > gain_N[j]]


@pytest.mark.parametrize("most", [1, 50, 2**22])
def test_pairs_are_those_of_two_loops_however_few_are_looked_at_together(rows, monkeypatch, most):
    monkeypatch.setattr(pairs, "PAIRS", most)
    group_N, gain_N, score_N = rows
    wanted = by_hand(group_N, gain_N)
    above, below = pairs.within(group_N, gain_N)
    assert sorted(zip(above.tolist(), below.tolist(), strict=True)) == wanted
    won = [1.0 if score_N[i] > score_N[j] else 0.5 if score_N[i] == score_N[j] else 0.0 for i, j in wanted]
    assert pairs.in_order(*rows) == pytest.approx(np.mean(won), rel=1e-12)
    for i, loss in enumerate(pairs.losses(*rows)):
        costs = [math.log1p(math.exp(score_N[j] - score_N[i])) for one, j in wanted if one == i]
        assert loss == pytest.approx(np.mean(costs), rel=1e-12) if costs else math.isnan(loss)


def test_two_gains_of_one_group_are_two_classes(rng):
    gain_N, score_N = rng.integers(0, 2, 200), rng.integers(0, 9, 200).astype(float)
    assert pairs.in_order(np.zeros(200), gain_N, score_N) == pytest.approx(
        roc_auc_score(gain_N, score_N), rel=1e-12
    )


def test_no_rows_no_pairs_and_a_score_that_is_nan():
    none = np.empty(0)
    assert [part.size for part in pairs.within(none, none)] == [0, 0]
    assert math.isnan(pairs.in_order(none, none, none))
    assert math.isnan(pairs.in_order(np.zeros(2), np.ones(2), np.zeros(2)))
    assert math.isnan(pairs.in_order(np.zeros(2), np.arange(2), np.array([0.0, np.nan])))
