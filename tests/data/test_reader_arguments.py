"""What the reader is asked is checked at once, and what gives no rows is said."""

import dataclasses
import datetime
import decimal
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import toy_tables
from torch.nn.functional import cross_entropy

from lsml_spark import ReadOptions, make_reader, make_torch_dataset
from lsml_spark.core.errors import ConfigError, IntegrityError, LsmlError

ROWS = 100
TRUTH = toy_tables.truth(ROWS)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("table")
    toy_tables.write(path, toy_tables.table_of(TRUTH), files=3, rows_per_group=10)
    return path


def rows_of(path, **told):
    return sorted(
        np.concatenate(
            [
                batch["row"]
                for batch in make_reader(path, **toy_tables.asked(batch=16, columns=["row"], **told))
            ]
        ).tolist()
    )


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"batch": "32"}, "batch: must be a whole number from 1 to .*, not '32'"),
        ({"batch": 3.5}, "batch: .*not 3.5"),
        ({"batch": True}, "batch: .*not True"),
        ({"batch": 0}, "batch: .*not 0"),
        ({"batch": 10**30}, "batch: .*not 1000"),
        ({"seed": "7"}, "seed: .*not '7'"),
        ({"seed": None}, "seed: .*not None"),
        ({"seed": 1.0}, "seed: .*not 1.0"),
        ({"memory": "1GB"}, "memory: must be a positive whole number, not '1GB'"),
        ({"memory": -1}, "memory: .*not -1"),
        ({"threads": 0}, "threads: .*not 0"),
        ({"threads": 2.0}, "threads: "),
        ({"retries": -1}, "retries: must be a whole number from 0 on"),
        ({"rank": 2, "world": 2}, "rank of a world of 2: must be a whole number from 0 to 1, not 2"),
        ({"rank": -1}, "rank of a world of 1"),
        ({"world": 0}, "world: "),
        (
            {"lanes": 3, "world": 2, "batch": 3},
            "lanes: 2 ranks cannot share 3 lanes of 6 rows .3 a rank. evenly",
        ),
        ({"lanes": 3, "batch": 4}, "lanes: 1 ranks cannot share 3 lanes"),
        ({"lanes": 0}, "lanes: "),
        ({"lanes": "all"}, "lanes: .*not 'all'"),
        (
            {"columns": "row"},
            r"columns: must be a list of column names, not 'row'; for one column, \['row'\]",
        ),
        ({"columns": [1]}, "columns: must be a list"),
        ({"columns": 5}, "columns: must be a list"),
        ({"label": 5}, "label: must be a list of column names"),
        ({"pad": {"tokens": "3"}}, "pad.tokens: .*not '3'"),
        ({"pad": {"tokens": -1}}, "pad.tokens: "),
        ({"pad": ["tokens"]}, "pad: must say what by column"),
        ({"decode": "rgb"}, "decode: must say what by column"),
        ({"drop_last": "no"}, "drop_last: must be True or False, not 'no'"),
        ({"fill_last": 1}, "fill_last: must be True or False"),
        ({"on_bad": "ignore"}, "on_bad: 'ignore'"),
        ({"shuffle": True}, "shuffle: True"),
        ({"table": 3}, "table and filesystem: must be a name and a filesystem of pyarrow's, not 3"),
        ({"filesystem": "s3"}, "table and filesystem: .*not 'train' and 's3'"),
        ({"schema": 5}, "schema: must be"),
        ({"schema": {"row": 5}}, "schema.row: must be"),
        ({"schema": {"row": {"shape": "ab"}}}, "schema.row.shape: must be a list of lengths"),
        ({"schema": {"row": {"shape": [-1]}}}, "schema.row.shape: must be"),
        ({"filters": 5}, "filters: "),
        ({"filters": [("row", "<", "x")]}, "filters: "),
        ({"device": "gpu"}, "device: 'gpu' is none that torch knows"),
    ],
)
def test_arguments_of_other_types_or_sizes_are_refused_at_once(plain, told, said):
    with pytest.raises(ConfigError, match=said):
        make_torch_dataset(plain, **toy_tables.asked(**told))


def test_numbers_of_numpy_are_numbers(plain):
    assert rows_of(plain, seed=np.int64(3), rank=np.int32(0)) == list(range(ROWS))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"columns": ["day"]}, r"column 'day' holds date32\[day\], of which there are no tensors"),
        ({"columns": ["both"]}, "column 'both' holds struct"),
        ({"columns": ["words"]}, "column 'words' holds list<.*string>"),
        ({"label": "cost"}, "column 'cost' holds decimal128"),
        ({"pad": {"row": 3}}, "pad: column 'row' holds no lists"),
        ({"pad": {"tokens": 3}}, "pad: there is a column 'tokens_length' already"),
        ({"decode": {"row": "rgb"}}, "decode: column 'row' holds int64, no encoded images"),
    ],
)
def test_columns_that_cannot_be_what_is_asked_are_said_before_the_first_batch(tmp_path, told, said):
    pytest.importorskip("PIL.Image")
    row = {"row": 1, "both": {"a": 1}, "words": ["a"], "tokens": [1, 2], "tokens_length": 7}
    table = pa.Table.from_pylist(
        [row | {"day": datetime.date(2011, 2, 24), "cost": decimal.Decimal("1.5")}] * 3
    )
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(ConfigError, match=said):
        make_reader(tmp_path, **toy_tables.asked(**told))


def test_a_label_beyond_int64_is_not_turned_around(tmp_path):
    pq.write_table(pa.table({"label": pa.array([1, 2**63], pa.uint64())}), tmp_path / "x.parquet")
    with pytest.raises(IntegrityError, match="column 'label': 9223372036854775808 is beyond the int64"):
        list(make_torch_dataset(tmp_path))


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_every_rank_gets_its_batch_and_each_row_comes_once(plain, world):
    parts = [
        [
            batch["row"].tolist()
            for batch in make_reader(plain, batch=6, rank=rank, world=world, columns=["row"])
        ]
        for rank in range(world)
    ]
    assert len({len(part) for part in parts}) == 1
    assert all(len(batch) == 6 for part in parts for batch in part[:-1])
    assert sorted(row for part in parts for batch in part for row in batch) == list(range(ROWS))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"filters": [("row", "<", 0)]}, "there is not one step: the filter .* keeps no row"),
        (
            {"drop_last": True, "batch": 1000},
            "there is not one step: 100 rows are fewer than the 1,000 of a step",
        ),
    ],
)
def test_what_gives_not_one_step_is_said(plain, told, said):
    with pytest.warns(UserWarning, match=said):
        assert list(make_torch_dataset(plain, **toy_tables.asked(**told))) == []


def test_files_without_rows_are_said(tmp_path):
    toy_tables.write(tmp_path, toy_tables.table_of(toy_tables.truth(1)).slice(0, 0), files=1)
    with pytest.warns(UserWarning, match="its files have no rows"):
        assert list(make_reader(tmp_path)) == []


@pytest.mark.parametrize(
    "path",
    ["nowhere", "nowhere/*.parquet", "nowhere/x.parquet", ["nowhere"], "", [], 5, None, "a\0b", [None]],
)
def test_what_is_not_there_is_said_at_once(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no such|there is no folder|path: "):
        make_reader(path)


@pytest.mark.parametrize("name", ["a[1]b", "exp[12]", "a*b", "a?b", "[", "x]y"])
def test_a_folder_whose_name_looks_like_a_pattern_is_that_folder(tmp_path, name):
    table = toy_tables.table_of(TRUTH)
    toy_tables.write(tmp_path / name, table.slice(0, 20), files=2)
    for sibling in ("a1b", "exp1", "aXb", "y"):
        toy_tables.write(tmp_path / sibling, table.slice(20, 80), files=1)
    for path in (tmp_path / name, tmp_path / name / "*.parquet", tmp_path / name / "part-0000?.parquet"):
        assert rows_of(path) == list(range(20))
    assert rows_of(tmp_path / name / "part-00000.parquet") == list(range(10))
    assert rows_of(tmp_path / "a1*" / "*.parquet") == list(range(20, 100))


def test_links_are_followed_and_each_row_comes_once(tmp_path):
    folder = tmp_path / "table"
    toy_tables.write(folder / "a", toy_tables.table_of(TRUTH), files=2)
    os.symlink(folder, folder / "a" / "up")
    os.symlink(folder / "a", folder / "b")
    os.symlink(folder / "a" / "part-00000.parquet", folder / "again.parquet")
    assert rows_of(folder) == list(range(ROWS))
    os.symlink(folder, tmp_path / "way")
    assert rows_of(tmp_path / "way") == list(range(ROWS))
    os.symlink(folder / "gone.parquet", folder / "dangling.parquet")
    with pytest.raises(IntegrityError, match=r"dangling\.parquet: a link that leads nowhere"):
        make_reader(folder)


def test_a_file_named_twice_is_refused(plain):
    with pytest.raises(ConfigError, match=r"part-00000\.parquet is named twice"):
        make_reader([plain, plain / "part-00000.parquet"])


@pytest.mark.parametrize("kind", ["folder", "pipe", "empty", "text"])
def test_what_is_no_parquet_file_is_damage_by_name(plain, tmp_path, kind):
    path = tmp_path / "x.parquet"
    if kind == "folder":
        toy_tables.write(tmp_path / "good", toy_tables.table_of(TRUTH))
        path.mkdir()
        assert rows_of(tmp_path) == list(range(ROWS))  # a folder of that name is looked into
        return
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"" if kind == "empty" else b"id,price\n1,2\n")
    with pytest.raises(IntegrityError, match=r"x\.parquet, row group 0: cannot be read"):
        make_reader(tmp_path, options=ReadOptions(retries=0))


def test_what_may_not_be_read_is_a_fault_of_the_machine(plain, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(pa, "memory_map", refuse)
    with pytest.raises(LsmlError, match=r"may not be read \(Permission denied\)") as caught:
        make_reader(plain, options=ReadOptions(on_bad="skip"))
    assert caught.value.exit_code == 7


def test_labels_are_what_torchs_losses_take(plain, tmp_path):
    for batch in make_torch_dataset(plain, batch=32):
        assert batch["label"].dtype == torch.int64
        assert batch["small"].dtype == torch.int8
        cross_entropy(torch.zeros(len(batch["label"]), 5), batch["label"])
    for batch in make_torch_dataset(plain, batch=32, columns=["row"], options=ReadOptions(label="small")):
        assert batch["small"].dtype == torch.int64
        assert batch["small"].tolist() == TRUTH["small"][batch["row"].numpy()].tolist()


@pytest.mark.parametrize("make", [make_reader, make_torch_dataset])
def test_a_dataset_that_is_made_before_the_ranks_know_each_other_is_refused(plain, monkeypatch, make):
    """Or else each of them would read all rows, and nothing would say so."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(
        ConfigError, match=r"WORLD_SIZE=2 processes.*call torch\.distributed\.init_process_group before"
    ):
        make(plain)
    halves = [
        {int(row) for batch in make(plain, rank=rank, world=2, columns=["row"]) for row in batch["row"]}
        for rank in (0, 1)
    ]
    assert halves[0] | halves[1] == set(range(ROWS))
    assert not halves[0] & halves[1]
    # said, so meant
    assert sum(len(batch["row"]) for batch in make(plain, rank=0, world=1, columns=["row"])) == ROWS
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert sum(len(batch["row"]) for batch in make(plain, columns=["row"])) == ROWS


@pytest.mark.parametrize("make", [make_reader, make_torch_dataset])
def test_what_has_become_an_option_says_so_and_what_never_was_an_argument_too(plain, make):
    for option in dataclasses.fields(ReadOptions):
        with pytest.raises(
            TypeError,
            match=rf"^{make.__name__}: {option.name} is now an option: "
            rf"options=ReadOptions\({option.name}=…\)$",
        ):
            make(plain, **{option.name: option.default})
    with pytest.raises(TypeError, match=rf"{make.__name__}\(\) got an unexpected keyword argument 'colums'"):
        make(plain, colums=["row"])
    with pytest.raises(ConfigError, match=r"options: must be ReadOptions\(…\), not \{'lanes': 1\}"):
        make(plain, options={"lanes": 1})
