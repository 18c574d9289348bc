"""Good–Toulmin: its coefficients by the definition, its forecasts against simulation and the second half of a
novel.
"""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zipf_laws import spectrum

from lsml_spark.zipf.forecast import coefficients, forecast


@settings(deadline=None)
@given(st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 30))
def test_up_to_a_doubling_the_series_is_not_damped(t, i):
    assert coefficients(np.array([i]), t, 1000)[0] == pytest.approx(-((-t) ** i))


@settings(deadline=None)
@given(st.integers(2, 4), st.integers(100, 10**9), st.integers(1, 25))
def test_beyond_each_term_is_damped_by_a_binomial_tail(t, rows, i):
    trials = int(0.5 * np.log(rows * t**2 / (t - 1)) / np.log(3))
    heads = Fraction(2, t + 2)
    tail = sum(comb(trials, j) * heads**j * (1 - heads) ** (trials - j) for j in range(i, trials + 1))
    assert coefficients(np.array([i]), float(t), rows)[0] == pytest.approx(
        -((-t) ** i) * float(tail), abs=1e-9
    )


def truth(rows_N: np.ndarray, seen: int, t: float) -> int:
    """Keys among the t × seen rows after the first `seen` that are not among those."""
    return len(np.setdiff1d(rows_N[seen : seen + int(t * seen)], rows_N[:seen]))


def foretold(rows_N: np.ndarray, seen: int) -> list[tuple[float, float, float]]:
    return forecast(*spectrum(np.unique(rows_N[:seen], return_counts=True)[1]))


def test_forecasts_miss_the_truth_by_their_standard_deviation_and_without_bias():
    chance = np.arange(1, 20_001) ** -1.1
    rows_EN = np.random.default_rng(5).choice(20_000, (80, 15_000), p=chance / chance.sum())
    for place, t in enumerate((0.5, 1.0)):
        deviates = []
        for rows_N in rows_EN:
            time, new, deviation = foretold(rows_N, 5000)[place]
            assert time == t
            deviates.append((truth(rows_N, 5000, t) - new) / deviation)
        assert abs(np.mean(deviates)) < 4 / np.sqrt(80)
        assert 0.75 < np.std(deviates) < 1.25  # a standard deviation from 80 is known to 8 %


def test_a_tripling_is_foretold_within_a_tenth():
    chance = np.arange(1, 20_001) ** -1.1
    rows_EN = np.random.default_rng(6).choice(20_000, (30, 15_000), p=chance / chance.sum())
    ratios = [foretold(rows_N, 5000)[2][1] / truth(rows_N, 5000, 2.0) for rows_N in rows_EN]
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def test_the_second_half_of_a_shuffled_novel_is_foretold(war_and_peace):
    rows_N = np.random.default_rng(1).permutation(war_and_peace)
    for seen, times in ((len(rows_N) // 2, 2), (len(rows_N) // 3, 3)):
        for t, new, deviation in foretold(rows_N, seen)[:times]:
            assert abs(truth(rows_N, seen, t) - new) < 3.5 * deviation


def test_the_second_half_of_the_novel_as_written_has_more_new_words_than_foretold(war_and_peace):
    half = len(war_and_peace) // 2
    (_, _, _), (t, new, _), _ = foretold(war_and_peace, half)
    assert t == 1
    # 3485 foretold, 4754 came: the text moves on to other things
    assert 0.65 < new / truth(war_and_peace, half, t) < 0.85


@pytest.mark.parametrize("counts", [[], [1000], [2] * 50, [5, 6, 7] * 30])
def test_where_no_key_was_seen_once_nothing_is_foretold(counts):
    assert forecast(*spectrum(counts)) == []


def test_times_beyond_the_logarithm_of_the_rows_are_left_out():
    assert [t for t, _, _ in forecast(*spectrum([1]))] == []
    assert [t for t, _, _ in forecast(*spectrum([1, 1, 1]))] == [0.5, 1.0]
    assert [t for t, _, _ in forecast(*spectrum([1] * 8))] == [0.5, 1.0, 2.0]


def test_keys_all_seen_once_go_on_being_new():
    assert forecast(*spectrum([1] * 1000))[1][1] == 1000


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**7), max_size=80), st.integers(1, 100))
def test_any_spectrum_gives_finite_figures_that_are_not_negative(counts, one_in):
    for t, new, deviation in forecast(*spectrum(counts), one_in):
        assert t in (0.5, 1.0, 2.0)
        assert 0 <= new < np.inf
        assert 0 < deviation < np.inf
