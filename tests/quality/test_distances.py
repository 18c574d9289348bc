"""Distances against SciPy and plain sums; profiles' 512 points within their stated error."""

import warnings

import numpy as np
import pytest
from days import points
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.stats import ks_2samp, wasserstein_distance

from lsml_spark.quality.figures import distances
from lsml_spark.quality.figures.distances import Points

shares = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        *[st.lists(st.integers(0, 50), min_size=size, max_size=size).filter(any) for _ in range(2)]
    )
)
samples = st.lists(st.integers(-20, 20), min_size=1, max_size=60)


def of(values) -> Points:
    return Points.mixture([points(np.asarray(values, float))], [1.0])


@given(shares)
@settings(max_examples=200, deadline=None)
def test_distances_of_shares_are_those_of_scipy_and_lie_between_0_and_1(counts):
    p, q = (np.array(c) / sum(c) for c in counts)
    assert distances.jensen_shannon(p, q) == pytest.approx(
        distance.jensenshannon(p, q, base=2) ** 2, abs=1e-9
    )
    assert distances.linf(p, q) == pytest.approx(distance.chebyshev(p, q))
    assert distances.total_variation(p, q) == pytest.approx(distance.cityblock(p, q) / 2)
    for measure in (distances.jensen_shannon, distances.linf, distances.total_variation):
        assert 0 <= measure(p, q) <= 1 + 1e-12
        assert measure(p, q) == pytest.approx(measure(q, p))
        assert measure(p, p) == 0


def test_nothing_in_common_is_the_largest_distance():
    p, q = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert (distances.jensen_shannon(p, q), distances.linf(p, q), distances.total_variation(p, q)) == (
        1,
        1,
        1,
    )


def test_psi_is_the_textbook_sum_and_an_empty_bin_counts_as_half_a_row():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    assert distances.psi(p, q, 1e6, 1e6) == pytest.approx(0.1 * np.log(0.5 / 0.4) + 0.1 * np.log(0.3 / 0.2))
    empty = distances.psi(np.array([0.9, 0.1]), np.array([1.0, 0.0]), 100, 50)
    assert empty == pytest.approx(0.1 * np.log(1 / 0.9) + (0.1 - 0.01) * np.log(0.1 / 0.01))


@given(samples, samples)
@settings(max_examples=200, deadline=None)
def test_exact_points_give_the_distances_of_the_samples(a, b):
    with warnings.catch_warnings(action="ignore"):  # of SciPy's p-value, which nobody asked for
        statistic = ks_2samp(a, b).statistic
    assert distances.kolmogorov_smirnov(of(a), of(b)) == pytest.approx(statistic, abs=1e-9)
    assert distances.wasserstein(of(a), of(b)) == pytest.approx(wasserstein_distance(a, b), abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.1, 1.0])
def test_quantile_midpoints_stay_within_1_in_512_of_the_truth(shift):
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=5000), rng.normal(size=7000) + shift
    assert distances.kolmogorov_smirnov(of(a), of(b)) == pytest.approx(
        ks_2samp(a, b).statistic, abs=1 / 512 + 1e-9
    )
    assert distances.wasserstein(of(a), of(b)) == pytest.approx(wasserstein_distance(a, b), abs=0.01)


def test_a_mixture_weighs_each_night_by_its_rows():
    parts = [points(np.array([0.0, 1.0])), points(np.array([1.0, 1.0, 5.0]))]
    mixed = Points.mixture(parts, [2, 3])
    assert mixed.cdf(np.array([-1, 0, 1, 4.9, 5])) == pytest.approx([0, 0.2, 0.8, 0.8, 1])


@given(samples, st.sampled_from([0.05, 0.25, 0.5, 0.75, 0.95, 1.0]))
@settings(deadline=None)
def test_quantiles_are_those_of_the_inverted_distribution_function(values, level):
    assert of(values).quantiles(np.array([level]))[0] == np.quantile(values, level, method="inverted_cdf")


@given(samples.filter(lambda values: len(set(values)) > 1))
@settings(deadline=None)
def test_bins_split_the_reference_and_hold_every_row(values):
    edges = distances.bins_of(of(values))
    inside = distances.binned(of(values), edges)
    assert inside.sum() == pytest.approx(1)
    assert (inside > 0).all()
    assert len(inside) <= 10
    counted = np.histogram(values, [-np.inf, *np.nextafter(edges, np.inf), np.inf])[0]
    assert inside == pytest.approx(counted / len(values))


def test_the_spread_is_the_first_scale_that_is_not_0():
    assert of([0, 1, 2, 3, 4, 5, 6, 7]).spread() == 4
    assert of([3] * 9 + [5]).spread() == pytest.approx(np.std([3] * 9 + [5]))
    assert of([-7, -7]).spread() == 7
    assert of([0, 0]).spread() == 1


def test_a_slope_of_minus_one_is_zipfs_law():
    assert distances.slope(1000 / np.arange(1, 50)) == pytest.approx(-1)
    assert np.isnan(distances.slope(np.array([3.0, 2.0])))


def test_a_robust_z_of_many_nights_is_the_plain_one_and_of_few_nights_less():
    rng = np.random.default_rng(0)
    many, few = rng.normal(10, 2, 20_000), np.array([8.0, 9.0, 10.0, 11.0, 12.0, 9.5, 10.5])
    assert distances.robust_z(16, many) == pytest.approx(3, abs=0.1)
    assert distances.robust_z(4, many) == pytest.approx(-3, abs=0.1)
    assert 1 < distances.robust_z(16, few) < (16 - 10) / (1.4826 * 1.0)


def test_the_floor_keeps_a_constant_figure_from_infinite_scores():
    assert distances.robust_z(0.001, np.zeros(20), floor=0.01) < 0.2
    assert distances.robust_z(0.5, np.zeros(20), floor=0.01) > 8
    assert distances.robust_z(0.0, np.zeros(20)) == 0
    assert distances.robust_z(1.0, np.zeros(20)) == 38
    assert np.isnan(distances.robust_z(1.0, np.zeros(1)))


@pytest.mark.parametrize("nights", [7, 14, 60])
def test_false_alarms_of_the_robust_z_are_rare_on_few_nights_too(nights):
    rng = np.random.default_rng(nights)
    alarms = sum(abs(distances.robust_z(x[-1], x[:-1])) > 5 for x in rng.normal(size=(4000, nights + 1)))
    assert alarms <= 4  # at most 1 in 1,000; the plain robust z raises 4 % on seven nights
