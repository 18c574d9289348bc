"""What the writer's watcher counts of the kept rows is what pandas counts of them, however they come in
batches and partitions.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.select.summary import AT_ONCE, PARTS, Tally, combined, watch

NAMES = ["a", "Ännchen", None, "never seen"]
ROW = st.tuples(
    st.floats(1e-6, 1e6),
    st.one_of(st.none(), st.integers(1, 2**40)),
    st.sampled_from(["a", "Ännchen", None, "b", ""]),
)
ROWS = st.lists(ROW, max_size=60)


def tally_of(rows: list[tuple], batch: int, partitions: int) -> Tally:
    """Rows in turn to the partitions, each in batches."""
    made = watch(NAMES)
    reports = []
    for part in range(partitions):
        watcher = made.start()
        mine = rows[part::partitions]
        for start in range(0, len(mine), batch):
            weight, frequency, key = zip(*mine[start : start + batch], strict=True)
            arrays = [
                pa.array(weight, pa.float64()),
                pa.array(frequency, pa.int64()),
                pa.array(key, pa.string()),
            ]
            watcher.add(
                pa.RecordBatch.from_arrays(
                    [pa.array(["x"] * len(key)), *arrays], ["other", "weight", "__frequency", "key"]
                )
            )
        reports.append(watcher.finish())
    return combined(reports)


@given(ROWS, st.integers(1, 9), st.integers(1, 4))
def test_frequencies_named_keys_and_effective_sample_size_are_those_of_pandas(rows, batch, partitions):
    tally = tally_of(rows, batch, partitions)
    frame = pd.DataFrame(rows, columns=["weight", "__frequency", "key"], dtype=object)
    assert dict(tally.frequencies) == frame["__frequency"].dropna().value_counts().to_dict()
    seen = {name: int((frame.key.isna() if name is None else frame.key == name).sum()) for name in NAMES}
    assert {name: tally.keys[name] for name in NAMES} == seen
    assert set(tally.keys) <= set(NAMES), "no key but the named ones goes to the driver"
    weight = frame.weight.astype(float)
    assert tally.ess == pytest.approx(weight.sum() ** 2 / (weight**2).sum() if len(frame) else 0.0, rel=1e-9)


@given(ROWS, st.integers(1, 9), st.integers(1, 4))
def test_the_histogram_of_weights_has_every_row_in_the_bin_that_holds_it(rows, batch, partitions):
    found = tally_of(rows, batch, partitions).histogram
    weight = pd.Series([row[0] for row in rows], dtype=float)
    assert sum(count for *_, count in found) == len(rows)
    assert [low for low, *_ in found] == sorted(low for low, *_ in found)
    edges = 2.0 ** (np.arange(-21 * PARTS, 21 * PARTS) / PARTS)
    # the slack that an edge has
    by_pandas = pd.cut(weight * (1 + 1.7e-10), edges, right=False, labels=False).value_counts().sort_index()
    assert [count for *_, count in found] == by_pandas.tolist()
    assert [low for low, *_ in found] == pytest.approx(edges[by_pandas.index], abs=1e-6)


@pytest.mark.parametrize("power", range(-8, 9))
def test_a_weight_on_the_edge_of_two_bins_is_in_the_upper_one(power):
    (only,) = tally_of([(2.0 ** (power / PARTS), 1, "b")], 1, 1).histogram
    assert only[0] == pytest.approx(2.0 ** (power / PARTS), abs=1e-6)


def test_batches_beyond_those_counted_at_once_are_counted_too():
    rows = [(1.0 + i % 3, 1 + i % 5, "a") for i in range(3 * AT_ONCE + 1)]
    tally = tally_of(rows, 1, 1)
    assert tally.keys["a"] == sum(tally.frequencies.values()) == sum(tally.weights.values()) == len(rows)


def test_nothing_kept_is_nothing_counted():
    tally = tally_of([], 1, 3)
    assert (tally.ess, tally.histogram, dict(tally.frequencies), dict(tally.keys)) == (0.0, [], {}, {})


def test_merging_reports_in_two_steps_changes_nothing():
    merge = watch(NAMES).merge
    assert merge is not None
    reports = []
    for part in range(5):
        tally = Tally(frozenset(NAMES))
        weights = pa.array(np.random.default_rng(part).uniform(1, 8, 50))
        tally.add(
            pa.record_batch({"weight": weights, "__frequency": pa.array([part + 1] * 50), "key": ["a"] * 50})
        )
        reports.append(tally.finish())
    once, twice = combined(reports), combined([merge(reports[:2]), merge(reports[2:])])
    assert (once.histogram, once.frequencies, once.keys) == (twice.histogram, twice.frequencies, twice.keys)
    assert once.ess == pytest.approx(twice.ess, rel=1e-12)
