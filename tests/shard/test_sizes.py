"""Sizes: no shard without a whole row group, none above the target unless that is why, and the lanes share
them evenly.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.shard.sizes import GROUP_BYTES, group_rows, shard_count

lanes_ = st.integers(0, 6).map(lambda k: 2**k)


@given(st.integers(0, 10**10), st.floats(1, 1e6), st.integers(10**6, 10**9), st.integers(1, 10**6), lanes_)
def test_lanes_share_the_shards_and_each_has_a_row_group(rows, bytes_per_row, target, group, lanes):
    shards = shard_count(rows, bytes_per_row, target, group, lanes)
    assert shards % lanes == 0 or lanes % shards == 0
    assert shards == 1 or rows // shards >= group
    kind = [
        n for n in (*range(1, lanes + 1), shards + lanes) if n > shards and (n % lanes == 0 or lanes % n == 0)
    ]
    # larger than asked: then the next number would leave some without a row group
    if rows * bytes_per_row / shards > target:
        assert rows // min(kind) < group
    else:  # never more files than the target and the lanes ask for
        fewer = [n for n in range(max(1, shards - lanes), shards) if n % lanes == 0 or lanes % n == 0]
        assert all(rows * bytes_per_row / n > target for n in fewer)


@pytest.mark.parametrize(
    ("rows", "bytes_per_row", "expected"),
    [
        (1_000, 100, 1),
        (3_000_000, 100, 4),
        (9_000_000, 100, 8),
        (20_000_000, 100, 16),
        (100_000_000, 100, 80),
    ],
)
def test_shards_of_128_mb_for_eight_lanes(rows, bytes_per_row, expected):
    assert shard_count(rows, bytes_per_row, 128_000_000, 40_960, 8) == expected


@given(st.floats(0, 1e9), st.integers(1, 10**6))
def test_a_row_group_is_whole_batches_of_about_four_mebibytes(bytes_per_row, batch):
    rows = group_rows(bytes_per_row, batch)
    assert rows >= batch
    assert rows % batch == 0
    assert rows == batch or abs(rows * max(bytes_per_row, 1) - GROUP_BYTES) <= 0.51 * batch * max(
        bytes_per_row, 1
    )
