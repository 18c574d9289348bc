"""Counts from lists that end somewhere, brought to the same names."""

import numpy as np
import pytest
from days import column
from hypothesis import given, settings
from hypothesis import strategies as st

from lsml_spark.quality.figures.categories import Categories, aligned
from lsml_spark.quality.figures.distances import total_variation

words = st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=80)


def of(*days, listed=100) -> Categories:
    return Categories.of([column(list(values), listed) for values in days])


def exact(a, b) -> float:
    names = sorted(set(a) | set(b))
    return sum(abs(a.count(name) / len(a) - b.count(name) / len(b)) for name in names) / 2


@given(words, words)
@settings(max_examples=200, deadline=None)
def test_whole_lists_give_the_exact_shares(a, b):
    names, p, q = aligned(of(a), of(b))
    assert names == sorted(set(a) | set(b))
    assert p[-1] == q[-1] == 0
    assert p[:-1] == pytest.approx([a.count(name) / len(a) for name in names])
    assert total_variation(p, q) == pytest.approx(exact(a, b))


@given(words, words, st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_lists_that_end_give_shares_that_sum_to_1(a, b, listed):
    _, p, q = aligned(of(a, listed=listed), of(b, listed=listed))
    assert [p.sum(), q.sum()] == pytest.approx([1, 1])
    assert min(p.min(), q.min()) >= 0


@pytest.mark.parametrize("changed", [0.0, 0.3, 1.0])
def test_of_lists_that_end_the_distance_is_near_the_true_one(changed):
    rng = np.random.default_rng(1)
    law = 1 / np.arange(1, 301)
    keys = [[f"k{i}" for i in rng.choice(300, 20_000, p=law / law.sum())] for _ in range(2)]
    now = [f"new {key}" if rng.random() < changed else key for key in keys[1]]
    _, p, q = aligned(of(keys[0]), of(now))
    true = exact(keys[0], now)
    assert 0.65 * true - 0.05 < total_variation(p, q) < true + 0.01


def test_a_common_name_that_a_list_does_not_have_was_rare_there():
    was, is_ = of("aaabbbccdefgh", listed=3), of("x" * 8 + "aaab", listed=3)
    names, p, q = aligned(was, is_)
    assert dict(zip(names, q, strict=False))["x"] == 8 / 12
    # twice the mean of d, e, f, g and h
    assert dict(zip(names, p, strict=False))["x"] == pytest.approx(2 / 13)


def test_several_nights_count_together():
    both = of("aab", "bc")
    assert (both.rows, both.names, both.complete) == (5, {"a", "b", "c"}, True)
    assert np.allclose(both.bounds(["a", "b", "c"])[0], [0.4, 0.4, 0.2])
