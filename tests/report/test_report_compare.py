"""Distances are those of SciPy; bins fit both nights and hold every row."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from lsml_spark.report.quality.compare import (
    BINS,
    bins,
    categories,
    distances,
    jensen_shannon,
    stability,
    weighted,
)


def points(values):
    return weighted({"values": list(values), "weights": [1 / len(values)] * len(values)})


@pytest.mark.parametrize("seed", range(5))
def test_distances_are_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    p, q = rng.random(12), rng.random(12)
    p[3] = q[7] = 0
    assert jensen_shannon(p, q) == pytest.approx(distance.jensenshannon(p, q, base=2))
    a, b = rng.normal(0, 1, 200), rng.normal(0.3, 1.2, 300)
    assert distances(points(a), points(b))["ks"] == pytest.approx(stats.ks_2samp(a, b).statistic, abs=1e-4)


def test_the_stability_index_of_a_known_shift():
    assert stability(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(
        0.25 * np.log(2) + 0.25 * np.log(1.5)
    )


@pytest.mark.parametrize("seed", range(8))
def test_bins_hold_every_row_of_both_nights(seed):
    rng = np.random.default_rng(seed)
    shapes = [
        rng.normal(0, 1, 500),
        np.exp(rng.normal(0, 2, 500)),
        rng.integers(0, 60, 500),
        rng.standard_cauchy(500),
    ]
    a, b = points(shapes[seed % 4]), points(shapes[(seed + seed // 4) % 4])
    found = bins(a, b)
    for night in ("now", "last"):
        assert sum(found[night]) == pytest.approx(1000, abs=len(found[night]) / 2)
        assert len(found[night]) == BINS


def test_few_values_have_a_bar_each():
    found = bins(points([1, 1, 2]), points([2, 5, 5]))
    assert found == {"at": [1, 2, 5], "now": [667, 333, 0], "last": [0, 333, 667]}


def test_skewed_values_are_binned_by_ratio():
    assert bins(points(np.exp(np.random.default_rng(0).normal(0, 2, 500))), None)["log"]
    assert not bins(points(np.random.default_rng(0).normal(100, 2, 500)), None)["log"]


def test_one_night_alone_is_drawn_and_compared_with_nothing():
    assert bins(points([1, 2]), None)["last"] is None
    assert bins(None, None) is None
    assert distances(points([1, 2]), None) == {}


@pytest.mark.parametrize("values", [[0.0], [1e300, -1e300], [0.0] * 40 + [1e-300], list(range(600))])
def test_odd_values_are_drawn(values):
    assert sum(bins(points(values), points([0.0]))["now"]) == pytest.approx(1000, abs=12)


def test_a_night_without_points_has_no_distribution():
    assert weighted(None) is None
    assert weighted({"values": [], "weights": []}) is None


def test_the_shares_of_categories_and_the_largest_that_moved():
    rows, rest, apart = categories(
        {"top": [["a", 60], ["b", 40]], "others": 0}, {"top": [["a", 30], ["c", 70]], "others": 0}
    )
    assert rows == [["a", 0.6, 0.3], ["b", 0.4, 0.0], ["c", 0.0, 0.7]]
    assert rest == [0.0, 0.0]
    assert apart["linf"] == 0.7
    assert apart["js"] == pytest.approx(
        distance.jensenshannon([0.6, 0.4, 0], [0.3, 0, 0.7], base=2), abs=1e-4
    )


def test_a_value_that_a_night_does_not_name_has_no_share_and_moved_as_little_as_it_may():
    rows, rest, apart = categories(
        {"top": [["a", 60], ["b", 20]], "others": 20}, {"top": [["a", 55], ["c", 25]], "others": 20}
    )
    assert rows == [["a", 0.6, 0.55], ["b", 0.2, None], ["c", None, 0.25]]
    assert rest == [0.2, 0.2]
    assert apart["linf"] == 0.05  # of a; b may have had 0.2 then, c may have 0.2 now


def test_identifiers_that_are_new_every_night_hardly_drift():
    def ids(start):
        return {"top": [[str(start + place), 1] for place in range(100)], "others": 900}

    assert categories(ids(0), ids(10_000))[2]["linf"] <= 0.001
