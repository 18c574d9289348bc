"""Damaged and missing shards: named to the column and checksum, or left out to the row."""

import os
import zlib

import numpy as np
import pyarrow.parquet as pq
import pytest
import toy_tables

from lsml_spark import ReadOptions, make_torch_dataset
from lsml_spark.core.errors import IntegrityError
from lsml_spark.data.parquet import pages

TRUTH = toy_tables.truth(600)
FILES, GROUP = 4, 50  # 150 rows a file, in 3 row groups


@pytest.fixture(params=["none", "lz4"])
def paths(request, tmp_path):
    return toy_tables.write(tmp_path, toy_tables.table_of(TRUTH), FILES, GROUP, request.param)


def flip(path, group, name, from_end=3):
    """One bit of a page of a column; returns its stored and its new CRC-32."""
    footer = pq.read_metadata(path)
    leaf = [footer.schema.column(i).path for i in range(len(footer.schema))].index(name)
    told = pages.chunk_of(footer, group, leaf)
    content = bytearray(path.read_bytes())
    content[told.start + told.size - from_end] ^= 4
    path.write_bytes(content)
    chunk = memoryview(bytes(content))[told.start : told.start + told.size]
    (page,) = pages.pages(chunk)
    return page.crc, zlib.crc32(chunk[page.start : page.stop])


def read(paths, **told):
    dataset = make_torch_dataset(paths, **toy_tables.asked(batch=16, **told))
    return dataset, sorted(np.concatenate([batch["row"].numpy() for batch in dataset]).tolist())


@pytest.mark.parametrize("name", ["row", "image", "packed", "tokens", "name"])
def test_a_flipped_bit_is_named_with_file_row_group_column_and_both_checksums(paths, name):
    stored, found = flip(paths[2], 1, name)
    said = (
        rf"part-00002\.parquet, row group 1, column '{name}': page 0: its CRC-32 is {found:08x}, stored "
        rf"is {stored:08x}"
    )
    with pytest.raises(IntegrityError, match=said):
        read(paths, columns=["row", "image", "packed", "tokens", "name"])


def test_a_column_that_is_not_read_does_no_harm(paths):
    flip(paths[2], 1, "image")
    assert read(paths, columns=["row", "tokens"])[1] == list(range(600))


@pytest.mark.parametrize("shuffle", ["none", "buffer", "groups", "full"])
@pytest.mark.parametrize("lanes", [1, 8])
def test_skipped_row_groups_are_left_out_to_the_row_and_counted_once(paths, shuffle, lanes):
    flip(paths[0], 0, "image")
    flip(paths[2], 1, "tokens")
    dataset, rows = read(paths, shuffle=shuffle, lanes=lanes, on_bad="skip")
    lost = {*range(50), *range(350, 400)}
    assert rows == sorted(set(range(600)) - lost)
    assert dataset.lost.rows == 100
    assert [dataset.reader.shards.groups[group].index for group in sorted(dataset.lost.groups)] == [0, 1]
    list(dataset)
    assert len(dataset.lost.groups) == 2


def test_the_rows_that_are_left_keep_their_own_values_and_other_ranks_their_batches(paths):
    clean = [
        [batch["row"].tolist() for batch in make_torch_dataset(paths, batch=16, rank=rank, world=2, seed=1)]
        for rank in range(2)
    ]
    flip(paths[1], 0, "label")
    bad = set(range(150, 200))
    for rank in range(2):
        batches = list(
            make_torch_dataset(
                paths, batch=16, rank=rank, world=2, seed=1, options=ReadOptions(on_bad="skip")
            )
        )
        assert [batch["row"].tolist() for batch in batches] == [
            [row for row in rows if row not in bad] for rows in clean[rank]
        ]
        for batch in batches:
            assert np.array_equal(batch["image"].numpy(), TRUTH["image"][batch["row"].numpy()])


@pytest.mark.parametrize("damage", ["truncate", "delete", "garbage", "empty"])
def test_a_file_that_is_damaged_or_gone_is_named_and_can_be_skipped(paths, damage):
    folder, path = paths[0].parent, paths[3]
    dataset = make_torch_dataset(folder, batch=16, options=ReadOptions(on_bad="skip"))
    strict = make_torch_dataset(folder, batch=16)
    if damage == "truncate":
        os.truncate(path, path.stat().st_size // 2)
    elif damage == "delete":
        path.unlink()
    else:
        path.write_bytes(np.random.default_rng(0).bytes(5000) if damage == "garbage" else b"")
    for some in (dataset, strict):
        some.reader.shards.files.opened.clear()  # opened to see their footers, before the damage
    with pytest.raises(
        IntegrityError, match=r"part-00003\.parquet, row group \d: (there is no such file|cannot be read)"
    ):
        list(strict)
    assert sorted(np.concatenate([batch["row"].numpy() for batch in dataset]).tolist()) == list(range(450))
    assert dataset.lost.rows == 150


def test_where_nothing_can_be_read_skipping_is_an_error_too(paths):
    for path in paths:
        flip(path, 0, "row"), flip(path, 1, "row"), flip(path, 2, "row")
    with pytest.raises(IntegrityError, match="not one row group can be read"):
        read(paths, on_bad="skip")
