"""Figures of an order: ROC with its interval, precision and recall, discounted gain."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from lsml_spark.tasks.figures import ranking as ours


@pytest.fixture(params=["tied", "distinct", "infinite"])
def rows(request, rng):
    """(truth, scores) of 400 rows, a third of them positive."""
    truth_B = rng.random(400) < 0.3
    scores_B = truth_B + rng.normal(size=400)
    if request.param == "tied":
        scores_B = np.round(scores_B)
    if request.param == "infinite":
        scores_B[np.abs(scores_B) > 1] *= np.inf
    return truth_B, scores_B


def finite(scores_B):
    """Scores in the same order for scikit-learn, which refuses infinite ones."""
    return np.unique(scores_B, return_inverse=True)[1].astype(float)


def test_areas_equal_scikit_learn(rows, weights_B):
    truth_B, scores_B = rows
    for figure, theirs in ((ours.auc_roc, sk.roc_auc_score), (ours.pr_auc, sk.average_precision_score)):
        expected = theirs(truth_B, finite(scores_B), sample_weight=weights_B)
        assert figure(truth_B.astype(int), scores_B, weights_B) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("precision", [0.0, 0.5, 0.8, 1.0])
def test_recall_at_precision_equals_scikit_learns_curve(rows, weights_B, precision):
    truth_B, scores_B = rows
    precision_T, recall_T, _ = sk.precision_recall_curve(truth_B, finite(scores_B), sample_weight=weights_B)
    found = ours.recall_at_precision(truth_B, scores_B, weights_B, precision=precision)
    assert found == pytest.approx(recall_T[precision_T >= precision].max(), abs=1e-12)


def delong_by_pairs(truth_B, scores_B):
    """(area, variance) from the matrix of all pairs, as DeLong, DeLong & Clarke-Pearson (1988) write it."""
    x, y = scores_B[truth_B][:, None], scores_B[~truth_B][None]
    kernel = (x > y) + (x == y) / 2
    of_x, of_y = kernel.mean(axis=1), kernel.mean(axis=0)
    return kernel.mean(), of_x.var(ddof=1) / len(of_x) + of_y.var(ddof=1) / len(of_y)


def test_the_deviation_equals_delongs_over_all_pairs_and_equal_weights_change_nothing(rows):
    truth_B, scores_B = rows
    area, variance = delong_by_pairs(truth_B, scores_B)
    found = ours.auc_roc_interval(truth_B, scores_B)
    assert (found.value, found.deviation) == pytest.approx((area, math.sqrt(variance)), abs=1e-12)
    log_odds = [math.log(p / (1 - p)) for p in (found.low, found.value, found.high)]
    reach = 1.959963984540054 * found.deviation / (area * (1 - area))
    assert log_odds == pytest.approx([log_odds[1] - reach, log_odds[1], log_odds[1] + reach])
    assert ours.auc_roc_interval(truth_B, scores_B, np.full(400, 0.1)) == pytest.approx(found, abs=1e-12)


def test_the_interval_covers_the_true_area_in_95_of_100_samples_also_of_rows_kept_by_chance():
    """Two normal classes a deviation and a half apart: the area is Φ(1.5 / √2) = 0.856."""
    rng, true, times = np.random.default_rng(1988), 0.8555778168267576, 2000
    covered = {"all": 0, "kept": 0}
    truth_B = np.arange(240) < 60
    for _ in range(times):
        scores_B = 1.5 * truth_B + rng.normal(size=240)
        # Kept more often the nearer they are to the other class, and weighted by 1 / chance.
        chance_B = np.clip(np.exp(-np.abs(scores_B - 0.75)), 0.2, 1.0)
        kept_B = rng.random(240) < chance_B
        every = ours.auc_roc_interval(truth_B, scores_B)
        some = ours.auc_roc_interval(truth_B[kept_B], scores_B[kept_B], 1 / chance_B[kept_B])
        covered["all"] += every.low <= true <= every.high
        covered["kept"] += some.low <= true <= some.high
    # Without the weights, the kept rows' interval covers it in 57 of 100; with them, of so few rows, in 93.
    assert covered["all"] / times == pytest.approx(0.95, abs=0.015)
    assert covered["kept"] / times == pytest.approx(0.95, abs=0.025)


def test_an_area_has_no_interval_where_the_rows_say_nothing_about_its_spread():
    weights_B = np.array([0.1, 0.7, 0.3, 0.9])
    apart = ours.auc_roc_interval(np.array([0, 0, 1, 1]), np.array([1, 2, 3, 4]), weights_B)
    assert apart.value == 1.0
    assert apart.deviation == pytest.approx(0.0, abs=1e-12)
    assert np.isnan([apart.low, apart.high]).all()
    single = ours.auc_roc_interval(np.array([0, 0, 1]), np.array([1, 3, 2]))
    assert single.value == 0.5
    assert np.isnan(single[1:]).all()
    constant = ours.auc_roc_interval(np.array([0, 0, 1, 1]), np.ones(4))
    assert constant == (0.5, 0.0, 0.5, 0.5)


@given(st.integers(0, 2**32), st.sampled_from([None, 1, 2, 5]))
def test_ndcg_equals_scikit_learns_group_by_group(seed, k):
    rng = np.random.default_rng(seed)
    groups = [rng.integers(0, 4, size=(2, rows)) for rows in rng.integers(2, 9, size=6)]
    weight_G = rng.exponential(size=6)
    expected = [sk.ndcg_score([gain], [score], k=k) for gain, score in groups]
    group_B = np.repeat(list("zyxabc"), [len(gain) for gain, _ in groups])
    gain_B, score_B = (np.concatenate(parts) for parts in zip(*groups, strict=True))
    mixed = rng.permutation(len(gain_B))
    rows = (gain_B[mixed], score_B[mixed], group_B[mixed])
    assert ours.ndcg(*rows, k=k) == pytest.approx(np.mean(expected), abs=1e-12)
    weights_B = np.repeat(weight_G, [len(gain) for gain, _ in groups])[mixed]
    mean = np.average(expected, weights=weight_G)
    assert ours.ndcg(*rows, weights_B, k=k) == pytest.approx(mean, abs=1e-12)
    # scikit-learn counts gains as they are, so it is given 2^gain − 1.
    doubled = [sk.ndcg_score([2.0**gain - 1], [score], k=k) for gain, score in groups]
    assert ours.ndcg(*rows, k=k, exponential=True) == pytest.approx(np.mean(doubled), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, bool])
def test_ndcg_of_unsigned_gains_and_scores_is_that_of_the_same_numbers(rng, dtype):
    gain_B, score_B = rng.integers(0, 4, size=(2, 60)).astype(dtype)
    group_B = np.arange(60) // 6
    expected = ours.ndcg(gain_B.astype(float), score_B.astype(float), group_B)
    assert ours.ndcg(gain_B, score_B, group_B) == expected


def test_one_class_no_rows_and_scores_that_are_nan_are_nan():
    cases = [(np.empty(0, int), np.empty(0)), (np.ones(3), np.arange(3)), (np.zeros(3), np.arange(3))]
    cases += [(np.array([0, 1, 1]), np.array([0.1, np.nan, 0.3]))]
    for truth_B, scores_B in cases:
        assert math.isnan(ours.auc_roc(truth_B, scores_B))
        assert np.isnan(ours.auc_roc_interval(truth_B, scores_B)).all()
        assert math.isnan(ours.pr_auc(truth_B, scores_B))
        assert math.isnan(ours.recall_at_precision(truth_B, scores_B, precision=0.5))
    assert math.isnan(ours.auc_roc(np.array([0, 1]), np.arange(2), np.array([0, 1])))
    assert math.isnan(ours.ndcg(np.empty(0), np.empty(0), np.empty(0)))
    assert math.isnan(ours.ndcg(np.ones(2), np.array([0, np.nan]), np.zeros(2)))
    with pytest.raises(ValueError, match="lowest is -1"):
        ours.ndcg(np.array([-1, 2]), np.zeros(2), np.zeros(2))
