"""The coverage curve against sums over the sorted list of keys."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsml_spark.zipf.coverage import coverage


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=300))
def test_coverage_is_the_share_of_rows_of_the_most_frequent_keys(counts):
    falling = sorted(counts, reverse=True)
    points = coverage(*np.unique(counts, return_counts=True))
    assert points[-1] == (len(counts), 1.0)
    assert [rank for rank, _ in points] == sorted({rank for rank, _ in points})
    for rank, share in points:
        assert share == pytest.approx(sum(falling[:rank]) / sum(counts), abs=1e-6)


def test_coverage_is_thinned_to_a_hundred_points():
    assert 50 < len(coverage(np.arange(1, 5001), np.ones(5000, np.int64))) <= 100


def test_nothing_covers_nothing():
    assert coverage(np.empty(0, np.int64), np.empty(0, np.int64)) == []
