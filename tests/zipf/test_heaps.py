"""Rarefaction against exact binomials and against drawing rows; the exponent against known growth."""

from fractions import Fraction
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zipf_laws import spectrum

from lsml_spark.zipf import heaps


@settings(deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.floats(0, 1))
def test_expected_keys_are_those_of_exact_arithmetic(counts, share):
    rows = sum(counts)
    n = max(1, round(share * rows))
    exact = sum(1 - Fraction(comb(rows - f, n), comb(rows, n)) for f in counts)
    assert heaps.expected_keys(*spectrum(counts), n) == pytest.approx(float(exact), rel=1e-9)


def test_expected_keys_are_the_mean_over_random_subsamples():
    counts = np.random.default_rng(2).zipf(1.6, 300).clip(max=2000)
    rows = np.repeat(np.arange(300), counts)
    random = np.random.default_rng(3)
    for n in (50, 500, len(rows) // 2):
        drawn = [len(np.unique(random.choice(rows, n, replace=False))) for _ in range(300)]
        mean, error = np.mean(drawn), np.std(drawn) / np.sqrt(300)
        assert abs(heaps.expected_keys(*spectrum(counts), n) - mean) < 4 * error + 1e-9


@pytest.mark.parametrize("rows", [10**8, 10**11])
@pytest.mark.parametrize("f", [1, 7, 300, 20_000])
@pytest.mark.parametrize("n", [1, 1000, 10**7])
def test_a_hundred_billion_rows_cost_few_digits(rows, f, n):
    exact = np.log1p(-n / (rows - np.arange(f, dtype=np.longdouble))).sum()
    assert heaps.log_missed(np.array([f]), rows, n)[0] == pytest.approx(float(exact), rel=3e-5)


@settings(deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=60))
def test_the_curve_rises_from_one_key_to_all(counts):
    points = heaps.curve(*spectrum(counts))
    sizes, keys = zip(*points, strict=True)
    assert points[0] == (1, 1.0)
    assert points[-1] == (sum(counts), len(counts))
    assert list(sizes) == sorted(set(sizes))
    assert all(later >= earlier for earlier, later in pairwise(keys))
    assert len(points) <= 30


def test_the_last_row_brings_a_new_key_with_the_chance_that_good_and_turing_give():
    frequency, keys = spectrum([1] * 70 + [2] * 30 + [40])
    rows = int(frequency @ keys)
    grown = heaps.expected_keys(frequency, keys, rows) - heaps.expected_keys(frequency, keys, rows - 1)
    assert grown == pytest.approx(70 / rows)


@pytest.mark.parametrize("beta", [0.4, 0.7, 1.0])
def test_the_exponent_of_known_growth_is_found(beta):
    points = [(n, 3 * n**beta) for n in (1, 3, 10, 30, 100, 300, 1000)]
    assert heaps.exponent(points) == pytest.approx(beta, abs=1e-4)


def test_the_exponent_of_zipfs_law_is_its_inverse():
    chance = np.arange(1, 200_001) ** -1.6
    counts = np.bincount(np.random.default_rng(4).choice(200_000, 200_000, p=chance / chance.sum()))
    assert heaps.exponent(heaps.curve(*spectrum(counts[counts > 0]))) == pytest.approx(1 / 1.6, abs=0.05)


def test_no_rows_no_growth():
    assert heaps.curve(np.empty(0, np.int64), np.empty(0, np.int64)) == []
    assert heaps.exponent([]) is None
    assert heaps.exponent(heaps.curve(*spectrum([1]))) is None
    assert heaps.exponent(heaps.curve(*spectrum([9] * 1))) is not None  # one key: level, 0
