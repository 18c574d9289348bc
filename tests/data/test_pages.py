"""Column chunks seen in place hold what pyarrow decodes; damaged ones end in an error of ours, never in a
wrong read.
"""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy_tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.parquet import pages
from lsml_spark.data.parquet.columns import Fixed, Part, gather
from lsml_spark.data.parquet.files import Files, Group
from lsml_spark.data.parquet.store import LOCAL

TRUTH = toy_tables.truth(500)
FIXED = ("row", "label", "small", "packed", "image")


def chunk(path, name, group=0):
    footer = pq.read_metadata(path)
    leaf = [footer.schema.column(i).path for i in range(len(footer.schema))].index(name)
    told = pages.chunk_of(footer, group, leaf)
    return memoryview(path.read_bytes())[told.start : told.start + told.size], told


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return toy_tables.write(
        tmp_path_factory.mktemp("x"), toy_tables.table_of(TRUTH), files=1, rows_per_group=200
    )[0]


@pytest.mark.parametrize(
    "options",
    [{}, {"data_page_version": "2.0"}, {"data_page_size": 100, "write_batch_size": 8}],
    ids=["one page", "V2", "many"],
)
def test_plain_columns_are_seen_in_place_and_hold_what_was_written(tmp_path, options):
    (path,) = toy_tables.write(tmp_path, toy_tables.table_of(TRUTH), files=1, rows_per_group=200, **options)
    files = Files(LOCAL)
    for index, start in enumerate((0, 200, 400)):
        columns = files.columns(Group(path, index, 200), FIXED)
        for name in FIXED:
            assert isinstance(columns[name], Fixed)
            assert columns[name].mapped == ("data_page_size" not in options)
            rows = np.arange(len(columns[name]))[::-1].copy()
            assert np.array_equal(
                gather([Part(columns[name], rows, slice(0, len(rows)))], len(rows)),
                TRUTH[name][start : start + 200][::-1],
            )


@pytest.mark.parametrize(
    "options",
    [{"compression": "lz4"}, {"use_dictionary": True}, {"column_encoding": {"row": "DELTA_BINARY_PACKED"}}],
)
def test_what_must_be_decoded_is_left_to_pyarrow(tmp_path, options):
    table = toy_tables.table_of(TRUTH).select(["row"])
    (path,) = toy_tables.write(tmp_path, table, files=1, rows_per_group=200, **options)
    assert pages.view(*chunk(path, "row"), check=True) is None
    column = Files(LOCAL).columns(Group(path, 1, 200), ["row"])["row"]
    assert not column.mapped
    assert gather([Part(column, np.arange(200), slice(0, 200))], 200).tolist() == list(range(200, 400))


def test_nulls_and_nested_columns_are_not_taken_for_plain_ones(tmp_path):
    table = pa.table({"x": pa.array([1, None, 3]), "y": pa.array([[1], [], [2, 3]])})
    pq.write_table(table, tmp_path / "x.parquet", compression="none", use_dictionary=False)
    for name in ("x", "y.list.element"):
        assert pages.view(*chunk(tmp_path / "x.parquet", name), check=True) is None
    with pytest.raises(IntegrityError, match=r"x\.parquet, row group 0, column 'x': it has 1 nulls"):
        Files(LOCAL).columns(Group(tmp_path / "x.parquet", 0, 3), ["x"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_chunk_is_an_error_or_left_to_pyarrow_and_never_another_value(path, data):
    """Truncated, flipped, or garbage: with checksums no damage gives other values than those written."""
    raw, told = chunk(path, data.draw(st.sampled_from(FIXED)))
    whole = pages.view(raw, told, check=True).tobytes()
    damaged = bytearray(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)
    for _ in range(data.draw(st.integers(0, 3))):
        if damaged:
            place = data.draw(st.integers(0, min(len(damaged) - 1, data.draw(st.sampled_from([40, 10**6])))))
            damaged[place] = data.draw(st.integers(0, 255))
    try:
        found = pages.view(memoryview(bytes(damaged)), told, check=True)
    except pages.Damaged:
        return
    crc_gone = found is not None and any(page.crc is None for page in pages.pages(memoryview(bytes(damaged))))
    assert found is None or crc_gone or found.tobytes() == whole


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 9), st.integers(1, 8))
def test_garbage_is_never_read_beyond_its_end(raw, rows, width):
    try:
        found = pages.view(memoryview(raw), pages.Chunk(0, len(raw), rows, width, True), check=True)
        assert found is None or found.shape == (rows, width)
    except pages.Damaged:
        pass


def test_a_column_that_is_not_there_is_named_with_the_near_one(path):
    with pytest.raises(ConfigError, match=r"there is no column 'lable' \(did you mean 'label'\?\)"):
        Files(LOCAL).columns(Group(path, 0, 200), ["lable"])


def test_few_files_are_open_at_once(tmp_path):
    paths = toy_tables.write(tmp_path, toy_tables.table_of(TRUTH), files=10)
    files = Files(LOCAL, open_files=3)
    for path in paths:
        files.columns(Group(path, 0, 50), ["row"])
    assert list(files.opened) == [str(path) for path in paths[-3:]]
