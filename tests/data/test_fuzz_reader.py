"""Whatever lies in a folder, the reader gives the rows that were written or an error that a person can act
on: never another one.
"""

import copy
import datetime
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy_shards
import toy_tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsml_spark import make_reader
from lsml_spark.core.config import digest
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError, LsmlError
from lsml_spark.core.manifest import NAME
from lsml_spark.data.batch import Ragged
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.verify import verify

FEW = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
NAMES = ["row", "label", "small", "packed", "image", "tokens", "name"]


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """The bytes of a file with columns of every kind, half of them compressed, and where its footer
    begins.
    """
    folder = tmp_path_factory.mktemp("shard")
    (path,) = toy_tables.write(
        folder, toy_tables.table_of(toy_tables.truth(60)), files=1, rows_per_group=20, compression="lz4"
    )
    raw = path.read_bytes()
    return raw, len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def read(path, **told):
    """Rows read, or the error."""
    try:
        return list(make_reader(path, **toy_tables.asked(batch=16, threads=1, retries=0, **told)))
    except (ConfigError, IntegrityError, EnvironmentProblem) as error:  # 2, 6, 7
        return error


@FEW
@given(
    raw=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=60).map(lambda middle: b"PAR1" + middle + b"\x10\0\0\0PAR1"),
    )
)
def test_bytes_of_any_kind_are_no_more_than_an_error(scratch, raw):
    (scratch / "x.parquet").write_bytes(raw)
    assert isinstance(read(scratch / "x.parquet"), LsmlError)


@FEW
@given(data=st.data())
def test_a_shard_whose_pages_were_changed_is_never_read_wrong(shard, scratch, data):
    raw, footer = shard
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(4, footer - 1))] ^= data.draw(st.integers(1, 255))
    (scratch / "x.parquet").write_bytes(changed)
    known = toy_tables.truth(60)
    found = read(scratch / "x.parquet", columns=NAMES)
    for batch in [] if isinstance(found, LsmlError) else found:
        for name in ("label", "small", "packed", "image"):
            assert np.array_equal(batch[name], known[name][batch["row"]])
        assert batch["name"].tolist() == [f"row {row}" for row in batch["row"]]


@settings(FEW, max_examples=150)
@given(data=st.data())
def test_a_shard_whose_footer_was_changed_is_no_more_than_an_error(shard, scratch, data):
    raw, footer = shard
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(footer, len(raw) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.none(), st.integers(0, len(raw))))
    (scratch / "x.parquet").write_bytes(
        changed if end is None else changed[end:] if end % 2 else changed[:end]
    )
    read(scratch / "x.parquet", columns=data.draw(st.sampled_from([None, NAMES])))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value, at=()):
    """Paths to every value inside."""
    yield at
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*at, key))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A night with a shard stage of 100 rows: its folder, its root, its manifest."""
    root = tmp_path_factory.mktemp("told")
    folder = root / "toy" / "2011-02-24" / "shard"
    samples = toy_shards.baskets(100, seed=1)
    toy_shards.stage(
        folder, "shard", {"train": (toy_shards.encoded(samples, toy_shards.encoders_of(samples)), 2, 25)}
    )
    return root, folder, json.loads((folder / NAME).read_bytes())


@settings(FEW, max_examples=150)
@given(data=st.data())
def test_a_manifest_that_says_something_else_is_an_error_or_changes_no_row(told, data):
    root, folder, known = told
    changed = copy.deepcopy(known)
    inside = [place for place in places(known["tables"]) if place]
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(inside))
        holder = changed["tables"]
        try:
            for step in way:
                holder = holder[step]
            if data.draw(st.integers(0, 3)) == 0:
                del holder[last]
            else:
                holder[last] = data.draw(JSON | st.integers(0, 120))
        except (KeyError, IndexError, TypeError):
            continue  # the first change took the place of the second away
    changed.pop("checksum")
    changed["checksum"] = digest(changed)
    (folder / NAME).write_text(
        json.dumps(changed, indent=1, sort_keys=True, ensure_ascii=False) + "\n", errors="surrogatepass"
    )
    found = read(folder)
    assert isinstance(found, LsmlError) or sum(len(batch["label"]) for batch in found) == 100
    try:
        verify(Runs(root, "toy"), [datetime.date(2011, 2, 24)])
    except LsmlError:
        pass
    finally:
        (folder / NAME).write_text(json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


NUMBERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
NUMBERS += [pa.float16(), pa.float32(), pa.float64(), pa.bool_()]
OTHERS = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.date32(),
    pa.timestamp("us"),
    pa.timestamp("ns", "UTC"),
    pa.time64("us"),
]
OTHERS += [pa.decimal128(9, 2), pa.binary(3), pa.null(), pa.dictionary(pa.int32(), pa.string())]
TYPES = st.recursive(
    st.sampled_from([*NUMBERS, *NUMBERS, *OTHERS]),
    lambda inner: (
        inner.map(pa.list_)
        | inner.map(pa.large_list)
        | inner.map(lambda type_: pa.list_(type_, 2))
        | st.dictionaries(st.sampled_from("xyz"), inner, min_size=1, max_size=2).map(
            lambda fields: pa.struct(list(fields.items()))
        )
        | inner.map(lambda type_: pa.map_(pa.string(), type_))
    ),
    max_leaves=2,
)
COLUMNS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "a.b", "label", "weight", "ü", "", "a b"]), TYPES),
    min_size=1,
    max_size=4,
)


def value(draw, type_, depth=0):
    """A value of an Arrow type, small enough for every number type."""
    if pa.types.is_boolean(type_):
        return draw(st.booleans())
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return draw(st.integers(0, 100))
    if pa.types.is_dictionary(type_) or pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return draw(st.text(st.characters(codec="utf-8"), max_size=3))
    if pa.types.is_fixed_size_binary(type_):
        return b"abc"
    if pa.types.is_binary(type_):
        return draw(st.binary(max_size=3))
    if pa.types.is_decimal(type_):
        return 1
    if pa.types.is_date(type_) or pa.types.is_timestamp(type_):
        return datetime.datetime(2011, 2, 24)
    if pa.types.is_time(type_):
        return datetime.time(1, 2)
    if pa.types.is_fixed_size_list(type_):
        return [value(draw, type_.value_type) for _ in range(2)]
    if pa.types.is_map(type_):
        return [("k", value(draw, type_.item_type))]
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return [value(draw, type_.value_type) for _ in range(draw(st.integers(0, 2)))]
    if pa.types.is_struct(type_):
        return {field.name: value(draw, field.type) for field in type_}
    return None


def same(column, expected):
    lists = (
        [part.tolist() for part in np.split(column.values_T, column.offsets_N1[1:-1])]
        if isinstance(column, Ragged)
        else column.tolist()
    )
    return lists == expected


@settings(FEW, max_examples=150)
@given(data=st.data())
def test_files_of_any_schema_give_the_values_of_pyarrow_or_an_error(scratch, data):
    folder = scratch / "schemas"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tables = []
    columns = data.draw(COLUMNS)
    for number in range(data.draw(st.integers(1, 2))):
        if number and data.draw(st.booleans()):
            columns = data.draw(COLUMNS)
        rows, nulls = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 9)) == 0
        arrays = [
            pa.array([None if nulls and row == 1 else value(data.draw, type_) for row in range(rows)], type_)
            for _, type_ in columns
        ]
        table = pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
        try:
            pq.write_table(table, folder / f"part-{number}.parquet", row_group_size=2)
        except (pa.ArrowException, ValueError):
            return  # pyarrow itself cannot
        tables.append(table)
    names = data.draw(st.sampled_from([None, sorted({name for name, _ in columns})]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *told, **options: None)
        found = read(folder, shuffle="none", columns=names)
    if isinstance(found, LsmlError) or not found:
        return
    assert sum(table.num_rows for table in tables) == sum(len(next(iter(batch.values()))) for batch in found)
    for name in found[0]:
        expected = [row for table in tables for row in table[name].to_pylist()]
        assert same(found[0][name], expected)
