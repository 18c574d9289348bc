"""fill_last: batches of one shape, filling at the end of the epoch only and with weight 0, the same global
batches at any world size.
"""

import numpy as np
import pyarrow as pa
import pytest
import toy_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from planned_rows import rows_of

from lsml_spark import ReadOptions, make_reader
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.batch import Ragged
from lsml_spark.data.fill import filled
from lsml_spark.data.order.plan import plan
from lsml_spark.data.parquet.fields import Layout

ROWS = 301
TRUTH = toy_tables.truth(ROWS)


def lists(values):
    return Ragged(
        np.concatenate([np.empty(0, np.int64), *values]),
        np.concatenate([[0], np.cumsum([len(value) for value in values])]),
    )


@settings(deadline=None)
@given(
    st.data(),
    st.lists(st.integers(0, 30), min_size=1, max_size=8),
    st.sampled_from([1, 2, 3, 4, 6, 8]),
    st.integers(1, 9),
)
def test_filling_comes_at_the_end_only_weighs_nothing_and_leaves_global_batches_alike_at_any_world_size(
    data, rows_G, lanes, each
):
    told = {
        "seed": data.draw(st.integers(0, 2**40)),
        "epoch": data.draw(st.integers(0, 5)),
        "shuffle": "buffer",
    }
    told["shuffle"] = data.draw(st.sampled_from(["none", "buffer", "groups", "full"]))
    weighted = data.draw(st.booleans())
    found = {}
    for world in [world for world in range(1, lanes + 1) if lanes % world == 0]:
        order = plan(rows_G, world=world, batch=lanes * each, lanes=lanes, **told)
        steps = []
        for step in range(order.steps):
            parts = []
            for rank in range(world):
                by_lane = [rows_of(order, lane, step) for lane in order.lanes_of(rank)]
                ids = np.array(
                    [1 + group * 100 + row for rows in by_lane for group, row in rows], dtype=np.int64
                )
                arrays = {"id": ids, "tokens": lists([np.full(i % 3, i) for i in ids.tolist()])}
                given_weight = {"weight": ids / 7.0} if weighted else {}
                batch = filled(arrays | given_weight, [len(rows) for rows in by_lane], each)
                assert {len(column) for column in batch.values()} == {order.batch // world}
                assert np.array_equal(batch["weight"], batch["id"] / 7.0 if weighted else batch["id"] > 0)
                tokens = batch["tokens"]
                assert np.array_equal(np.diff(tokens.offsets_N1), batch["id"] % 3)
                assert np.array_equal(tokens.values_T, np.repeat(batch["id"], batch["id"] % 3))
                parts.append(batch["id"])
            steps.append(np.concatenate(parts).tolist())
            assert 0 not in steps[-1] or step == order.steps - 1
        rows = [row for step in steps for row in step if row]
        assert sorted(rows) == [
            1 + group * 100 + row for group, size in enumerate(rows_G) for row in range(size)
        ]
        found[world] = steps
    assert all(steps == found[1] for steps in found.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("table")
    toy_tables.write(path, toy_tables.table_of(TRUTH))
    return path


@pytest.mark.parametrize("world", [1, 2, 8])
def test_every_batch_of_a_reader_has_one_shape_also_on_a_rank_without_rows(folder, world):
    told = {
        "world": world,
        "fill_last": True,
        "pad": {"tokens": 5},
        "columns": ["row", "image", "packed", "tokens", "name"],
    }
    parts = [
        list(make_reader(folder, **toy_tables.asked(batch=296 // world, rank=rank, **told)))
        for rank in range(world)
    ]
    seen = []
    for batch in (batch for part in parts for batch in part):
        shapes = {name: (column.dtype, column.shape[1:]) for name, column in batch.items()}
        assert shapes["image"] == (np.uint8, (4, 5))
        assert shapes["tokens"] == (np.int32, (5,))
        assert shapes["weight"] == (np.float32, ())
        assert {len(column) for column in batch.values()} == {296 // world}
        there = batch["weight"] == 1
        assert np.array_equal(batch["image"][there], TRUTH["image"][batch["row"][there]])
        assert batch["name"][there].tolist() == [f"row {row}" for row in batch["row"][there]]
        assert not batch["image"][~there].any()
        assert not batch["weight"][~there].any()
        seen += batch["row"][there].tolist()
    assert sorted(seen) == list(range(ROWS))


def test_a_weight_in_the_table_is_kept_and_one_that_is_no_number_refused(tmp_path):
    weight = np.random.default_rng(0).random(ROWS)
    table = toy_tables.table_of(TRUTH)
    toy_tables.write(tmp_path / "good", table.append_column("weight", [weight]))
    batches = list(
        make_reader(tmp_path / "good", batch=128, columns=["row"], options=ReadOptions(fill_last=True))
    )
    found = np.concatenate([batch["weight"] for batch in batches])
    order = np.concatenate([batch["row"] for batch in batches])
    assert len(found) == 384
    assert np.array_equal(found[found > 0], weight[order[found > 0]])
    toy_tables.write(tmp_path / "bad", table.append_column("weight", [TRUTH["name"]]))
    with pytest.raises(ConfigError, match="column 'weight' must be one number per row"):
        list(make_reader(tmp_path / "bad", batch=128, columns=["row"], options=ReadOptions(fill_last=True)))


def test_bytes_are_filled_with_bytes_also_on_a_rank_without_rows(tmp_path):
    known = toy_tables.truth(17)
    jpeg = pa.field("jpeg", pa.binary(), nullable=False, metadata=Layout("bytes").metadata())
    toy_tables.write(
        tmp_path,
        toy_tables.table_of(known).append_column(jpeg, [[name.encode() for name in known["name"]]]),
        files=1,
    )
    told = {"world": 2, "fill_last": True, "columns": ["row", "jpeg", "name"], "shuffle": "none"}
    parts = [
        list(make_reader(tmp_path, **toy_tables.asked(batch=8, lanes=8, rank=rank, **told)))
        for rank in range(2)
    ]
    cells = [
        (cell, name)
        for part in parts
        for batch in part
        for cell, name in zip(batch["jpeg"], batch["name"], strict=True)
    ]
    assert len(cells) == 32
    assert any(not any(batch["weight"]) for part in parts for batch in part)
    assert {type(cell) for cell, _ in cells} == {bytes}
    assert sorted(filter(None, (cell.decode() for cell, _ in cells))) == sorted(
        filter(None, (name for _, name in cells))
    )


def test_the_last_step_cannot_be_both_dropped_and_filled(folder):
    with pytest.raises(ConfigError, match="drop_last and fill_last"):
        make_reader(folder, options=ReadOptions(drop_last=True, fill_last=True))
