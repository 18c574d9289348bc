"""Expected calibration error, the table of a reliability plot, and costs at a threshold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from lsml_spark.tasks.figures import calibration as ours

BINNINGS = pytest.mark.parametrize(
    ("binning", "strategy"),
    [(ours.equal_width, "uniform"), (ours.equal_mass, "quantile")],
    ids=["width", "mass"],
)


@BINNINGS
def test_the_table_equals_scikit_learns_curve(rng, binning, strategy):
    prob_B = rng.beta(0.5, 2, size=400)
    truth_B = rng.random(400) < prob_B**1.5
    observed_K, predicted_K = calibration_curve(truth_B, prob_B, n_bins=10, strategy=strategy)
    table = ours.reliability(truth_B, prob_B, bins=10, binning=binning)
    np.testing.assert_allclose(table.predicted_K, predicted_K, rtol=0, atol=1e-12)
    np.testing.assert_allclose(table.observed_K, observed_K, rtol=0, atol=1e-12)
    for observed, rows, low, high in zip(*table[1:], strict=True):
        wilson = binomtest(round(observed * rows), int(rows)).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    error = np.abs(observed_K - predicted_K) @ table.weight_K / 400
    found = ours.expected_calibration_error(truth_B, prob_B, bins=10, binning=binning)
    assert found == pytest.approx(error, abs=1e-12)


@given(st.integers(0, 2**32), st.integers(1, 20), st.sampled_from([ours.equal_width, ours.equal_mass]))
def test_a_row_of_weight_three_is_three_rows_and_order_does_not_matter(seed, bins, binning):
    rng = np.random.default_rng(seed)
    prob_B = np.round(rng.random(60), 1)  # ties, and probabilities on the borders of bins
    truth_B, weights_B = rng.random(60) < prob_B, rng.integers(0, 4, size=60)
    mixed = rng.permutation(weights_B.sum())
    repeated = (np.repeat(truth_B, weights_B)[mixed], np.repeat(prob_B, weights_B)[mixed])
    once = ours.reliability(truth_B, prob_B, weights_B, bins=bins, binning=binning)
    many = ours.reliability(*repeated, bins=bins, binning=binning)
    for name in ("predicted_K", "observed_K", "weight_K"):
        np.testing.assert_allclose(getattr(once, name), getattr(many, name), rtol=0, atol=1e-12)
    # Weights say less than as many rows: the interval is wider, never narrower.
    assert (once.high_K - once.low_K >= many.high_K - many.low_K - 1e-12).all()
    error = ours.expected_calibration_error(truth_B, prob_B, weights_B, bins=bins, binning=binning)
    same = ours.expected_calibration_error(*repeated, bins=bins, binning=binning)
    assert error == pytest.approx(same, abs=1e-12)


def test_bins_of_equal_mass_hold_the_same_weight(rng):
    weights_B = rng.exponential(size=5000)
    table = ours.reliability(np.ones(5000), rng.random(5000), weights_B, bins=8)
    assert table.weight_K.sum() == pytest.approx(weights_B.sum())
    assert np.abs(table.weight_K - weights_B.sum() / 8).max() <= weights_B.max()


@BINNINGS
def test_extremes(binning, strategy):
    nothing = ours.reliability(np.empty(0), np.empty(0), binning=binning)
    assert [len(column) for column in nothing] == [0] * 5
    assert math.isnan(ours.expected_calibration_error(np.empty(0), np.empty(0), binning=binning))
    certain = ours.reliability(np.ones(4), np.ones(4), binning=binning)
    assert (certain.predicted_K, certain.observed_K, certain.high_K) == ([1], [1], [1])
    assert ours.expected_calibration_error(np.zeros(4), np.ones(4), binning=binning) == 1.0
    assert math.isnan(ours.expected_calibration_error(np.zeros(2), np.array([0.5, np.nan]), binning=binning))
