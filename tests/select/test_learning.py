"""Learning curves from a pilot: the β that made the losses, errors that are shrunk where little is known of
them.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from lsml_spark.select.learning import Curve, fit, relative_errors

SHARES = np.array([0.125, 0.25, 0.5, 1.0])


def losses(beta, floor_B, amplitude_B):
    return np.array(floor_B) + np.outer(SHARES**-beta, amplitude_B)


@given(beta=st.floats(0.1, 2), amplitude=st.lists(st.floats(0.05, 2), min_size=2, max_size=4))
def test_noiseless_losses_give_their_beta_back(beta, amplitude):
    loss = losses(beta, np.linspace(1, 2, len(amplitude)), amplitude)
    curve = fit(SHARES, loss, np.full(loss.shape, 1e-5))
    assert curve.beta == pytest.approx(beta, rel=0.08)  # the grid's step
    assert curve.amplitude_B == pytest.approx(np.array(amplitude), rel=0.25)


def test_the_fit_is_that_of_least_squares_where_the_noise_is_small():
    random = np.random.default_rng(5)
    loss = losses(0.6, [1.5], [0.4]) + random.normal(0, 1e-4, (4, 1))
    (_, _, beta), _ = curve_fit(lambda q, c, a, b: c + a * q**-b, SHARES, loss[:, 0], p0=(1, 0.5, 0.5))
    assert fit(SHARES, loss, np.full(loss.shape, 1e-4)).beta == pytest.approx(beta, rel=0.1)


def test_losses_that_say_nothing_leave_beta_at_a_half():
    random = np.random.default_rng(6)
    loss = 2 + random.normal(0, 0.5, (4, 3))
    assert fit(SHARES, loss, np.full((4, 3), 50.0)).beta == pytest.approx(0.5, rel=0.08)


def test_well_measured_errors_keep_their_ratio_and_unknown_ones_are_shrunk_to_the_others():
    amplitude = np.array([0.1, 0.4])
    known = relative_errors(Curve(0.5, amplitude, np.array([1e-6, 1e-6])), np.ones(2))
    assert known[1] / known[0] == pytest.approx(4, rel=1e-3)
    unknown = relative_errors(Curve(0.5, amplitude, np.array([10.0, 10.0])), np.ones(2))
    assert unknown == pytest.approx([1, 1], abs=0.01)


def test_the_error_of_a_key_is_that_of_its_band_times_its_rows_to_the_beta():
    errors = relative_errors(Curve(0.5, np.array([1.0, 1.0]), np.full(2, 1e-6)), np.array([1.0, 100.0]))
    assert errors[1] / errors[0] == pytest.approx(10, rel=1e-3)  # equal loss at a hundred times the rows


def test_a_band_that_no_rows_improve_has_a_small_error_but_not_none():
    errors = relative_errors(Curve(0.5, np.array([0.0, 0.5]), np.full(2, 1e-6)), np.ones(2))
    assert 0 < errors[0] < errors[1]
    assert np.isfinite(errors).all()
