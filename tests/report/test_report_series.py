"""Trends read back as they were, to half a step; what is usual is what SciPy says it is."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lsml_spark.report.series import (
    DIGITS,
    LEAST,
    MISSING,
    WIDTH,
    band,
    decode,
    encode,
    figure,
    number,
    outside,
    usual,
)

values = st.floats(-1e12, 1e12).map(lambda value: value if abs(value) > 1e-9 else 0.0)


@given(st.lists(st.one_of(values, st.just(float("nan"))), min_size=1, max_size=120), st.sampled_from([1, 2]))
def test_a_trend_reads_back_to_half_a_step_and_its_gaps_stay_gaps(series, digits):
    values_N = np.array(series)
    known_N = values_N[np.isfinite(values_N)]
    low, high = (known_N.min(), known_N.max()) if len(known_N) else (0.0, 0.0)
    text = encode(values_N, low, high, digits)
    assert len(text) == digits * len(series)
    read_N = decode(text, low, high, digits)
    assert (np.isfinite(read_N) == np.isfinite(values_N)).all()
    step = (high - low) / (len(DIGITS) ** digits - 1)
    assert np.nanmax(np.abs(read_N - values_N), initial=0) <= step / 2 + 1e-9 * max(abs(low), abs(high))


def test_digits_are_harmless_in_html_json_and_urls():
    assert len(set(DIGITS)) == 63
    assert not set(DIGITS + MISSING) & set("<>&\"'\\/%#?+= ")


@pytest.mark.parametrize("seed", range(5))
def test_the_usual_range_is_that_of_scipy(seed):
    values_N = np.random.default_rng(seed).normal(50, 7, 60)
    median, spread = usual(values_N)
    assert median == pytest.approx(np.median(values_N))
    assert spread == pytest.approx(stats.median_abs_deviation(values_N, scale="normal"), rel=1e-4)


def test_where_most_nights_are_equal_the_mean_deviation_stands_in():
    values_N = np.array([0.0] * 20 + [4.0])
    assert usual(values_N) == (0.0, pytest.approx(1.2533 * np.abs(values_N).mean()))


def test_nothing_is_usual_before_a_week():
    assert usual(np.arange(LEAST - 1.0)) is None
    assert usual(np.append(np.arange(LEAST - 1.0), np.nan)) is None
    assert usual(np.arange(LEAST * 1.0)) is not None


@given(st.lists(values, min_size=LEAST, max_size=90), values)
def test_the_band_of_a_figure_is_the_usual_range_of_its_history(history, now):
    history_N = np.array(history)
    found = figure(now, history[-1], history_N, 1)
    if not isinstance(found, list):
        assert set(history) | {now} == {now}
        return
    json.dumps(found, allow_nan=False)
    median, spread = usual(history_N)
    assert band(found)[0] == pytest.approx(median, abs=2e-3 * (found[3] - found[2]) + 1e-6 * abs(median))
    assert band(found)[1] == pytest.approx(spread, abs=2e-3 * (found[3] - found[2]) + 1e-6 * abs(spread))


def test_a_value_far_from_its_history_is_unusual_and_one_within_it_is_not():
    history_N = np.random.default_rng(0).normal(100, 5, 40)
    assert outside(figure(100 + WIDTH * 5 * 2, 100, history_N, 1)) == 1
    assert outside(figure(100 - WIDTH * 5 * 2, 100, history_N, 1)) == -1
    assert outside(figure(102, 100, history_N, 1)) == 0
    assert outside(figure(1e9, 100, history_N[:3], 1)) == 0


def test_any_change_of_what_never_changed_is_unusual():
    assert outside(figure(1, 0, np.zeros(30), 1)) == 1
    assert outside(figure(0, 0, np.zeros(30), 1)) == 0


def test_what_never_changes_is_one_number():
    assert figure(3, 3, np.full(30, 3.0), 1) == 3
    assert figure(3, None, np.full(30, 3.0), 1) == 3
    assert figure(3, 3, np.array([]), 1) == 3
    assert figure(3, 2, np.array([]), 1) == [3, 2]
    assert figure(None, None, np.array([]), 1) is None
    assert isinstance(figure(3, 3, np.array([3, np.nan, 3]), 1), list)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1737, 1737),
        (0.123456789, 0.123457),
        (1234567.8, 1234568),
        (5.0, 5),
        (None, None),
        (float("nan"), None),
    ],
)
def test_numbers_are_written_short(value, written):
    assert number(value) == written
