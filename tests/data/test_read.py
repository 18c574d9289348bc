"""The reader gives exactly the rows of the plan, as pandas reads them from the same files."""

import itertools
import os
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
import toy_shards

from lsml_spark.core.errors import IntegrityError
from lsml_spark.data.batch import Ragged, concat, span, take
from lsml_spark.data.order.epochs import Curriculum
from lsml_spark.data.order.plan import plan
from lsml_spark.data.read import OFFSET, Shards, batches


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    samples = toy_shards.baskets(997, seed=5)
    table = toy_shards.encoded(samples, toy_shards.encoders_of(samples))
    return toy_shards.stage(tmp_path_factory.mktemp("shards"), "shard", {"train": (table, 3, 100)})


def shards_of(source, features=("context", "country")):
    return Shards.of(source.folder, source.manifest.tables["train"].files, features)


def truth(source):
    """Each row by its sample id, through pandas."""
    frame = pq.read_table(source.folder / "train").to_pandas()
    frame["context"] = [tuple(np.frombuffer(value, "<i4").tolist()) for value in frame["context"]]
    return {row.sample_id: (row.label, row.weight, row.country, row.context) for row in frame.itertuples()}


def rows_of(batch):
    lists = batch.ragged["context"]
    contexts = [
        tuple(lists.values_T[a:b].tolist())
        for a, b in zip(lists.offsets_N1, lists.offsets_N1[1:], strict=False)
    ]
    rows = zip(batch.label, batch.weight, batch.scalars["country"], contexts, strict=True)
    return dict(zip(batch.sample_ids, rows, strict=True))


@pytest.mark.parametrize(("world", "lanes", "batch"), [(1, 1, 64), (2, 8, 32), (4, 4, 400), (8, 8, 8)])
def test_all_ranks_together_read_every_row_once_with_its_own_values(source, world, lanes, batch):
    shards = shards_of(source)
    order = plan(shards.rows_G, seed=1, epoch=2, world=world, batch=batch, lanes=lanes)
    seen = {}
    for rank in range(world):
        steps = list(batches(shards, order, rank, sample_ids=True))
        assert len(steps) == order.steps
        for step in steps:
            assert len(step) == lanes // world
            for one in step:
                rows = rows_of(one)
                assert len(rows) == len(one)
                assert not rows.keys() & seen.keys()
                seen |= rows
    assert seen == truth(source)


def test_a_batch_holds_the_rows_that_the_plan_names(source):
    shards = shards_of(source)
    order = plan(shards.rows_G, seed=1, epoch=0, world=2, batch=48, lanes=4)
    for number, step in enumerate(batches(shards, order, 1, sample_ids=True)):
        for lane, batch in zip(order.lanes_of(1), step, strict=True):
            assert shards.sample_ids(order, lane, number).tolist() == batch.sample_ids.tolist()


def test_only_the_row_groups_of_a_ranks_lanes_are_read(source, monkeypatch):
    read = set()
    plain = Shards.held
    monkeypatch.setattr(
        Shards, "held", lambda self, group, names: read.add(group) or plain(self, group, names)
    )
    shards = shards_of(source)
    order = plan(shards.rows_G, seed=1, epoch=0, world=4, batch=16, lanes=4)
    list(batches(shards, order, 2))
    assert read == {shards.groups[piece.group] for piece in order.pieces(2)}
    assert len(read) < len(shards.groups)


def test_each_row_group_is_decoded_once(source, monkeypatch):
    decoded = []
    plain = Shards.held
    monkeypatch.setattr(
        Shards, "held", lambda self, group, names: decoded.append(group) or plain(self, group, names)
    )
    shards = shards_of(source)
    order = plan(shards.rows_G, seed=4, epoch=0, world=1, batch=8, lanes=1)
    list(batches(shards, order, 0))
    assert len(decoded) == len(set(decoded)) == len(shards.groups)


def test_a_closed_stage_of_a_curriculum_is_not_even_opened(source, monkeypatch):
    read = set()
    plain = Shards.held
    monkeypatch.setattr(
        Shards, "held", lambda self, group, names: read.add(group) or plain(self, group, names)
    )
    shards = shards_of(source)
    # the first file comes last
    pace_G = [int(group.path == shards.groups[0].path) for group in shards.groups]
    rule = Curriculum(stages=2, full_by=0.5, epochs=4, pace_G=pace_G)
    for epoch, opened in ((0, {0}), (1, {0}), (2, {0, 1})):
        read.clear()
        # some lanes have no row
        order = plan(shards.rows_G, seed=1, epoch=epoch, world=1, batch=2048, lanes=1024, rule=rule)
        assert sum(len(batch) for step in batches(shards, order, 0) for batch in step) == order.rows
        assert read == {group for group, pace in zip(shards.groups, pace_G, strict=True) if pace in opened}


def test_an_offset_is_read_beside_its_row_where_the_shards_have_one(tmp_path):
    samples = toy_shards.baskets(120, seed=8)
    offset = np.random.default_rng(1).normal(size=120).astype(np.float32)
    samples = samples.append_column("offset", [offset])
    source = toy_shards.stage(
        tmp_path, "shard", {"train": (toy_shards.encoded(samples, toy_shards.encoders_of(samples)), 2, 25)}
    )
    truth = dict(zip(samples["sample_id"].to_pylist(), offset, strict=True))
    for optional in ([OFFSET], []):
        shards = Shards.of(
            source.folder, source.manifest.tables["train"].files, ["context"], optional=optional
        )
        order = plan(shards.rows_G, seed=1, epoch=0, world=1, batch=16, lanes=2)
        for batch in itertools.chain.from_iterable(batches(shards, order, 0, sample_ids=True)):
            if optional:
                assert batch.offset.tolist() == [truth[sample_id] for sample_id in batch.sample_ids]
            else:
                assert batch.offset is None


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "other rows"])
def test_a_damaged_shard_is_named_with_its_row_group(tmp_path, damage):
    samples = toy_shards.baskets(300, seed=6)
    table = toy_shards.encoded(samples, toy_shards.encoders_of(samples))
    source = toy_shards.stage(tmp_path, "shard", {"train": (table, 1, 100)})
    path = source.files("train")[0]
    if damage == "flip":
        meta = pq.ParquetFile(path).metadata.row_group(1)
        column = next(
            meta.column(i) for i in range(meta.num_columns) if meta.column(i).path_in_schema == "context"
        )
        content = bytearray(path.read_bytes())
        content[column.data_page_offset + column.total_compressed_size - 5] ^= 0xFF
        path.write_bytes(content)
    elif damage == "truncate":
        os.truncate(path, path.stat().st_size // 2)
    elif damage == "remove":
        path.unlink()
    else:
        toy_shards.write_table(tmp_path, "train", table.slice(0, 290), 1, 97)
    shards = shards_of(source)
    order = plan(shards.rows_G, seed=1, epoch=0, world=1, batch=8, lanes=1)
    with pytest.raises(IntegrityError, match=r"part-00000\.parquet, row group \d"):
        list(batches(shards, order, 0))


def test_the_threads_end_when_the_reader_is_left_early(source):
    before = threading.active_count()
    shards = shards_of(source)
    items = batches(shards, plan(shards.rows_G, seed=1, epoch=0, world=1, batch=8, lanes=1), 0)
    next(items)
    assert threading.active_count() > before
    items.close()
    assert threading.active_count() == before


def test_ragged_columns_are_taken_cut_and_joined_like_python_lists():
    rng = np.random.default_rng(0)
    lists = [rng.integers(0, 9, size=rng.integers(0, 5)).tolist() for _ in range(50)]
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])])
    column = Ragged(np.array(list(itertools.chain.from_iterable(lists)), np.int32), offsets)

    def plain(ragged):
        return [
            ragged.values_T[a:b].tolist()
            for a, b in zip(ragged.offsets_N1, ragged.offsets_N1[1:], strict=False)
        ]

    order = rng.permutation(50)[:30]
    assert plain(take(column, order)) == [lists[i] for i in order]
    assert plain(span(column, 7, 19)) == lists[7:19]
    assert (
        plain(concat([span(column, 40, 50), span(column, 3, 3), span(column, 0, 5)]))
        == lists[40:50] + lists[0:5]
    )
