"""Which columns a batch has is decided by all files, and so the same on every rank and in every epoch."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy_shards
import toy_tables

from lsml_spark import ReadOptions, make_reader, make_torch_dataset
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.order.plan import plan
from lsml_spark.data.read import Shards, batches

FIRST = {"id": pa.array(range(40), pa.int64()), "price": pa.array(np.arange(40) / 2)}
SECOND = {"id": pa.array(range(40, 80), pa.int64()), "price": pa.array(np.arange(40, 80) / 2)}


def write(folder, **files):
    """A file for each day, in row groups of 10."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in files.items():
        table = columns if isinstance(columns, pa.Table) else pa.table(columns)
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=10)
    return folder


def columns_of(folder, **told):
    """The columns of every batch of two ranks in three epochs."""
    found = set()
    for rank in range(2):
        reader = make_reader(folder, **toy_tables.asked(batch=8, rank=rank, world=2, **told))
        for epoch in range(3):
            reader.set_epoch(epoch)
            found |= {tuple(batch) for batch in reader}
    return found


def values(folder, name, **told):
    return sorted(
        itertools.chain.from_iterable(
            batch[name].tolist() for batch in make_reader(folder, **toy_tables.asked(batch=8, **told))
        )
    )


@pytest.mark.parametrize("day", ["day1", "day2"])  # in the first file, in the last
def test_a_column_that_not_all_files_have_is_refused_by_name_and_read_around(tmp_path, day):
    files = {"day1": FIRST, "day2": SECOND}
    files[day] = files[day] | {"discount": pa.array(np.zeros(40))}
    folder = write(tmp_path, **files)
    lacks = "day2" if day == "day1" else "day1"
    with pytest.raises(
        ConfigError,
        match=rf"column 'discount' is not in 1 of 2 files \({lacks}\.parquet\).*columns=\['id', 'price'\]",
    ):
        make_reader(folder)
    with pytest.raises(ConfigError, match="column 'discount' is not in 1 of 2 files"):
        make_torch_dataset(folder, columns=["id", "discount"])
    with pytest.raises(ConfigError, match="column 'discount' is not in 1 of 2 files"):
        make_reader(folder, columns=["id"], options=ReadOptions(filters=[("discount", ">", 0)]))
    assert columns_of(folder, columns=["id", "price"]) == {("id", "price")}
    assert values(folder, "id", columns=["id"]) == list(range(80))


def test_a_text_column_that_nobody_reads_may_be_in_some_files_alone(tmp_path):
    folder = write(tmp_path, day1=FIRST, day2=SECOND | {"note": pa.array(["x"] * 40)})
    assert columns_of(folder) == {("id", "price")}


@pytest.mark.parametrize(
    ("narrow", "wide", "becomes"),
    [
        (pa.int32(), pa.int64(), np.int64),
        (pa.int8(), pa.int16(), np.int16),
        (pa.uint8(), pa.int32(), np.int32),
        (pa.float32(), pa.float64(), np.float64),
        (pa.float16(), pa.float32(), np.float32),
    ],
)
def test_numbers_of_two_widths_come_as_the_wider_one_with_every_value(tmp_path, narrow, wide, becomes):
    def numbers(low, high, type_):
        return pa.array(
            np.arange(low, high).astype(
                str(type_).replace("halffloat", "float16").replace("double", "float64")
            ),
            type_,
        )

    for name, files in {
        "narrow first": {"day1": {"x": numbers(0, 40, narrow)}, "day2": {"x": numbers(40, 80, wide)}},
        "wide first": {"day1": {"x": numbers(0, 40, wide)}, "day2": {"x": numbers(40, 80, narrow)}},
    }.items():
        for shuffle in ("none", "buffer", "full"):
            found = list(make_reader(write(tmp_path / name, **files), batch=8, shuffle=shuffle))
            assert {batch["x"].dtype for batch in found} == {np.dtype(becomes)}
            assert sorted(np.concatenate([batch["x"] for batch in found]).tolist()) == list(range(80))


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (pa.array([1] * 40), pa.array(["a"] * 40), "is int64 in day1.parquet and string in day2.parquet"),
        (pa.array([1] * 40), pa.array([0.5] * 40), "is int64 in day1.parquet and double in day2.parquet"),
        (pa.array([1] * 40, pa.uint64()), pa.array([-1] * 40), "is uint64 in day1.parquet and int64"),
        (pa.array([True] * 40), pa.array([1] * 40), "is bool in day1.parquet and int64"),
        (pa.array([[1]] * 40), pa.array([1] * 40), r"is list<.*> in day1.parquet and int64"),
        (
            pa.array([[1, 2]] * 40, pa.list_(pa.int64(), 2)),
            pa.array([[1, 2, 3]] * 40, pa.list_(pa.int64(), 3)),
            r"is fixed_size_list",
        ),
    ],
)
def test_types_that_have_none_in_common_are_refused_with_both_files(tmp_path, one, other, said):
    folder = write(tmp_path, day1=FIRST | {"x": one}, day2=SECOND | {"x": other})
    with pytest.raises(ConfigError, match=f"column 'x' {said}"):
        make_reader(folder)


@pytest.mark.parametrize("shuffle", ["none", "buffer", "full"])
def test_texts_and_lists_of_several_writers_come_together(tmp_path, shuffle):
    words = [f"w{i}" for i in range(120)]
    lists = [[i] * (i % 3) for i in range(120)]
    types = [
        (pa.string(), pa.list_(pa.int64())),
        (pa.large_string(), pa.large_list(pa.int64())),
        (pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.field("element", pa.int64()))),
    ]
    files = {}
    for number, (text, of_lists) in enumerate(types):
        part = slice(40 * number, 40 * number + 40)
        columns = {
            "row": pa.array(range(120)[part]),
            "word": pa.array(words[part]).cast(text),
            "list": pa.array(lists[part], of_lists),
        }
        files[f"day{number}"] = columns
    seen = []
    for batch in make_reader(
        write(tmp_path, **files), batch=24, columns=["row", "word", "list"], shuffle=shuffle
    ):
        assert batch["word"].tolist() == [words[row] for row in batch["row"]]
        assert [
            part.tolist() for part in np.split(batch["list"].values_T, batch["list"].offsets_N1[1:-1])
        ] == [lists[row] for row in batch["row"]]
        seen += batch["row"].tolist()
    assert sorted(seen) == list(range(120))


def test_two_columns_of_one_name_are_refused_and_the_others_read(tmp_path):
    table = pa.Table.from_arrays([FIRST["id"], FIRST["price"], FIRST["price"]], names=["id", "x", "x"])
    folder = write(tmp_path, day1=table)
    with pytest.raises(ConfigError, match="two columns of one file have the name 'x'"):
        make_reader(folder)
    assert values(folder, "id", columns=["id"]) == list(range(40))


def test_records_whose_columns_changed_places_are_not_mixed_up(tmp_path):
    known = toy_tables.truth(60)
    table = toy_tables.table_of(known)
    swapped = toy_tables.Layout("record", "float32", columns=("b", "a", "c"))
    place = table.schema.get_field_index("packed")
    other = table.set_column(
        place, table.schema.field("packed").with_metadata(swapped.metadata()), table["packed"]
    )
    write(tmp_path / "loose", day1=table, day2=other)
    with pytest.raises(
        ConfigError,
        match=r"column 'a' is record of float32 \['a', 'b', 'c'\] in day1.parquet and record of .*\['b', 'a'",
    ):
        make_reader(tmp_path / "loose", columns=["a"])


def swapped_stage(tmp_path, change):
    """A stage of two shards, of which the second was written again with another schema."""
    samples = toy_shards.baskets(200, seed=1)
    table = toy_shards.encoded(samples, toy_shards.encoders_of(samples))
    source = toy_shards.stage(tmp_path, "shard", {"train": (table, 2, 25)})
    path = source.files("train")[1]
    pq.write_table(change(pq.read_table(path)), path, row_group_size=25)
    return source


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["country"]),
        lambda table: table.set_column(
            table.schema.get_field_index("country"), "country", table["country"].cast(pa.int64())
        ),
        lambda table: table.set_column(table.schema.get_field_index("country"), "country", table["key"]),
    ],
    ids=["gone", "wider", "text"],
)
def test_a_shard_of_a_stage_with_another_schema_is_damage_by_name(tmp_path, change):
    source = swapped_stage(tmp_path, change)
    with pytest.raises(IntegrityError, match=r"part-00001\.parquet, row group \d.* column 'country'"):
        list(make_torch_dataset(tmp_path, batch=16))
    shards = Shards.of(tmp_path, source.manifest.tables["train"].files, ["context", "country"])
    with pytest.raises(IntegrityError, match=r"part-00001\.parquet, row group \d.* column 'country'"):
        list(batches(shards, plan(shards.rows_G, seed=1, epoch=0, world=1, batch=8, lanes=1), 0))


def test_an_unknown_column_is_said_before_the_first_batch(tmp_path):
    folder = write(tmp_path / "loose", day1=FIRST)
    swapped_stage(tmp_path / "stage", lambda table: table)
    for path, near in ((folder, "price"), (tmp_path / "stage", "country")):
        with pytest.raises(ConfigError, match=f"there is no column '{near}s' .did you mean '{near}'"):
            make_torch_dataset(path, columns=[f"{near}s"])


def test_a_table_without_a_column_of_numbers_is_said(tmp_path):
    folder = write(tmp_path, day1={"word": pa.array(["a"] * 10)})
    with pytest.raises(ConfigError, match=r"there is no column to read.*known: \['word'\]"):
        make_reader(folder)
    assert sum(len(batch["word"]) for batch in make_reader(folder, columns=["word"])) == 10
