"""Basket drop-out as a pure function: how much it drops, and all that it must not touch."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.augmentations.basket_dropout import BasketDropout
from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError

baskets = st.lists(st.none() | st.lists(st.none() | st.text(max_size=3), max_size=6), max_size=30)


def batch_of(lists) -> pa.RecordBatch:
    return pa.record_batch(
        {
            "id": pa.array(range(len(lists)), pa.int64()),
            "basket": pa.array(lists, pa.list_(pa.string())),
            "n": pa.array([1.5] * len(lists), pa.float64()),
        }
    )


def seeds_of(n: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64)


def dropped(lists, seed: int = 3, **parameters) -> list:
    return (
        BasketDropout(column="basket", **parameters)
        .apply(batch_of(lists), seeds_of(len(lists), seed))
        .column("basket")
        .to_pylist()
    )


def is_thinned(after: list, before: list) -> bool:
    """Whether `after` is `before` with some items left out, in the same order."""
    rest = iter(before)
    return all(any(item == other for other in rest) for item in after)


def test_items_and_samples_are_dropped_at_the_stated_rates():
    n, length, rows, items = 20_000, 10, 0.5, 0.3
    after = dropped([[str(i) for i in range(length)]] * n, rows=rows, items=items)
    lengths = np.array([len(basket) for basket in after])
    untouched = rows * (1 - items) ** length + (1 - rows)
    assert abs((lengths == length).mean() - untouched) < 4 * np.sqrt(untouched * (1 - untouched) / n)
    assert abs(lengths.mean() - length * (1 - rows * items)) < 4 * lengths.std() / np.sqrt(n)
    present = np.zeros(length)
    for basket in after:
        present[[int(item) for item in basket]] += 1
    assert np.abs(present / n - (1 - rows * items)).max() < 5 * np.sqrt(0.15 * 0.85 / n), (
        "every place in the basket has the same chance"
    )


def test_touched_baskets_lose_a_binomial_number_of_items():
    lengths = np.array([len(basket) for basket in dropped([list("abcd")] * 40_000, rows=1.0, items=0.5)])
    assert np.bincount(lengths, minlength=5) / 40_000 == pytest.approx(
        [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16], abs=0.01
    )


@given(lists=baskets, seed=st.integers(0, 2**32), rows=st.floats(0, 1), items=st.floats(0, 0.99))
def test_baskets_are_thinned_in_order_and_nothing_else_changes(lists, seed, rows, items):
    before = batch_of(lists)
    after = BasketDropout(column="basket", rows=rows, items=items).apply(before, seeds_of(len(lists), seed))
    assert after.schema == before.schema
    assert after.drop_columns(["basket"]) == before.drop_columns(["basket"])
    for found, given_ in zip(after.column("basket").to_pylist(), lists, strict=True):
        assert (found is None) == (given_ is None)
        assert found is None or is_thinned(found, given_)


@pytest.mark.parametrize("parameters", [{"rows": 0.0}, {"items": 0.0}])
def test_a_rate_of_zero_changes_nothing(parameters):
    lists = [["a", "b"], [], None, ["c", None, "c"]] * 50
    assert dropped(lists, **parameters) == lists


@given(lists=baskets, cut=st.data())
def test_a_slice_of_a_batch_gives_the_slice_of_the_result(lists, cut):
    start = cut.draw(st.integers(0, len(lists)))
    length = cut.draw(st.integers(0, len(lists) - start))
    step, seeds = BasketDropout(column="basket", rows=0.8, items=0.5), seeds_of(len(lists))
    whole = step.apply(batch_of(lists), seeds)
    part = step.apply(batch_of(lists).slice(start, length), seeds[start : start + length])
    assert part.to_pylist() == whole.slice(start, length).to_pylist()


def test_lists_of_numbers_are_thinned_too():
    batch = pa.record_batch({"basket": pa.array([[1, 2, 3], None, []], pa.list_(pa.int32()))})
    after = BasketDropout(column="basket", rows=1.0, items=0.6).apply(batch, seeds_of(3))
    assert after.schema == batch.schema
    assert is_thinned(after.column("basket").to_pylist()[0], [1, 2, 3])


def test_the_same_seed_drops_the_same_items_and_another_others():
    lists = [list("abcdefgh")] * 200
    assert dropped(lists, seed=1) == dropped(lists, seed=1)
    assert dropped(lists, seed=1) != dropped(lists, seed=2)


@pytest.mark.parametrize("parameters", [{"rows": 1.5}, {"items": 1.0}, {"items": -0.1}, {"item": 0.5}])
def test_parameters_outside_their_range_are_config_errors(parameters):
    with pytest.raises(ConfigError, match="steps"):
        validate(BasketDropout, {"column": "basket", **parameters}, "augment.steps")
