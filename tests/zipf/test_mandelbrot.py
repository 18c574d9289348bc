"""Zipf–Mandelbrot from the spectrum: against the likelihood of the whole list of ranks, and drawn from known
curves.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from zipf_laws import spectrum

from lsml_spark.zipf.mandelbrot import log_sum, mandelbrot


@settings(deadline=None)
@given(st.floats(0, 6), st.floats(0, 1e4), st.integers(1, 5000))
def test_the_normaliser_is_the_sum_over_all_ranks(s, q, keys):
    ranks = np.arange(1, keys + 1)
    assert log_sum(s, q, keys) == pytest.approx(brute(s, q, ranks), abs=1e-7)


def brute(s, q, ranks):
    return np.log((((ranks + q) / (1 + q)) ** -s).sum()) - s * np.log1p(q)


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_that_of_the_list_of_keys(seed):
    random = np.random.default_rng(seed)
    chance = (np.arange(1, 3001) + random.uniform(0, 30)) ** -random.uniform(0.8, 1.8)
    counts = np.bincount(random.choice(3000, 20_000, p=chance / chance.sum()))
    falling = np.sort(counts[counts > 0])[::-1].astype(float)
    ranks = np.arange(1, len(falling) + 1)

    def cost(parameters):
        s, q = parameters[0], np.exp(parameters[1]) - 1
        return falling @ (s * np.log(ranks + q)) / falling.sum() + brute(s, q, ranks)

    best = optimize.minimize(
        cost, [1.0, 1.0], bounds=[(0, 12), (0, 25)], method="L-BFGS-B", jac="3-point", options={"ftol": 1e-14}
    )
    law = mandelbrot(*spectrum(falling))
    assert law.s == pytest.approx(best.x[0], abs=2e-3)
    assert law.q == pytest.approx(np.expm1(best.x[1]), rel=1e-2, abs=1e-2)
    # s and q are rounded
    assert (law.c / (ranks + law.q) ** law.s).sum() == pytest.approx(falling.sum(), rel=2e-3)


@pytest.mark.parametrize(("s", "q"), [(1.0, 0.0), (1.0, 2.7), (1.4, 20.0), (0.7, 5.0)])
def test_a_curve_that_is_given_exactly_is_found(s, q):
    counts = np.round(1e9 * (np.arange(1, 2001) + q) ** -s)
    law = mandelbrot(*spectrum(counts))
    assert (law.s, law.q) == (pytest.approx(s, abs=1e-3), pytest.approx(q, abs=1e-2))
    assert law.c == pytest.approx(1e9, rel=1e-3)


def test_the_exponent_is_that_of_the_words_of_english(war_and_peace):
    law = mandelbrot(*spectrum(np.unique(war_and_peace, return_counts=True)[1]))
    assert 1.0 < law.s < 1.3  # Mandelbrot 1953, Montemurro 2001: a little above one, q of a few
    assert 1 < law.q < 6


@pytest.mark.parametrize("counts", [[], [5], [1] * 100, [1, 1, 2]])
def test_too_few_counts_give_no_curve(counts):
    assert mandelbrot(*spectrum(counts)) is None


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**6), min_size=3, max_size=60))
def test_any_spectrum_gives_a_falling_curve_of_all_rows(counts):
    law = mandelbrot(*spectrum(counts))
    if law is not None:
        assert law.s >= 0
        assert law.q >= 0
        assert np.isfinite(law.c)
