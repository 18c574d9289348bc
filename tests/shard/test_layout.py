"""The layout of a shard: what is read back is what was put in, in buffers that need no per-row step."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsml_spark.shard.layout import to_shard

lists = st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5), min_size=1, max_size=20)


def decoded(column: pa.ChunkedArray, field: pa.Field) -> list[list]:
    """Each value's bytes as a list of the dtype that the field's metadata names."""
    dtype = json.loads(field.metadata[b"lsml"])["dtype"]
    return [np.frombuffer(value, dtype).tolist() for value in column.to_pylist()]


def table_of(values, type_) -> pa.Table:
    return pa.table({"ids": pa.array(values, pa.list_(type_))})


@settings(deadline=None)
@given(values=lists)
def test_lists_become_bytes_and_back(values):
    shard = to_shard(table_of(values, pa.int32()))
    assert shard.schema.field("ids").type == pa.binary()
    assert decoded(shard["ids"], shard.schema.field("ids")) == values


@pytest.mark.parametrize(
    "type_", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.float32(), pa.float64()], ids=str
)
def test_numbers_of_every_width_are_kept(type_):
    values = [[1, 2], [], [100]]
    shard = to_shard(table_of(values, type_))
    assert json.loads(shard.schema.field("ids").metadata[b"lsml"]) == {
        "kind": "ragged",
        "dtype": str(np.dtype(type_.to_pandas_dtype())),
    }
    assert decoded(shard["ids"], shard.schema.field("ids")) == values


@settings(deadline=None)
@given(values=lists, cut=st.data())
def test_slices_and_chunks_of_a_table_are_laid_out_like_the_rows_themselves(values, cut):
    start = cut.draw(st.integers(0, len(values) - 1))
    whole = pa.concat_tables([table_of(values, pa.int32()), table_of(values[::-1], pa.int32())])
    part = whole.slice(start, len(values))
    shard = to_shard(part)
    assert decoded(shard["ids"], shard.schema.field("ids")) == part["ids"].to_pylist()


def test_empty_lists_alone_are_empty_bytes():
    assert to_shard(table_of([[], []], pa.int32()))["ids"].to_pylist() == [b"", b""]


def test_the_layout_survives_parquet_with_every_column_required(tmp_path):
    table = pa.table(
        {"id": ["a", "b"], "n": pa.array([1, 2], pa.int32()), "w": [0.5, 2.0], "ids": [[7, 8], [9]]}
    )
    shard = to_shard(table)
    assert shard.schema.field("w").type == pa.float32()
    assert all(not field.nullable for field in shard.schema)
    pq.write_table(shard, tmp_path / "x.parquet")
    schema = pq.ParquetFile(tmp_path / "x.parquet").schema
    assert all(schema.column(i).max_definition_level == 0 for i in range(len(schema)))
    assert pq.read_table(tmp_path / "x.parquet").equals(shard, check_metadata=True)


@pytest.mark.parametrize("name", ["id", "n", "ids"])
def test_a_null_is_refused_and_its_column_named(name):
    values = {"id": ["a", "b"], "n": [1, 2], "ids": [[7, 8], [9]]}
    with pytest.raises(ValueError, match=f"column '{name}' has 1 NULLs"):
        to_shard(pa.table({**values, name: [values[name][0], None]}))


def test_a_null_inside_a_list_is_refused_and_its_column_named():
    with pytest.raises(ValueError, match=r"column 'ids'.* NULL"):
        to_shard(table_of([[1, None]], pa.int32()))


@pytest.mark.parametrize("type_", [pa.string(), pa.bool_()], ids=str)
def test_lists_of_what_is_no_number_are_refused_and_their_column_named(type_):
    with pytest.raises(ValueError, match="column 'ids'"):
        to_shard(
            table_of([[None]], type_).set_column(
                0, "ids", pa.array([[True] if type_ == pa.bool_() else ["x"]], pa.list_(type_))
            )
        )
