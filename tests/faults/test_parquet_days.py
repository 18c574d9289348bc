"""Every value that a Parquet file can hold arrives as it is, or its row is set aside; a type that Spark has
not is no obstacle.
"""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lsml_spark.core.errors import QualityGateError
from lsml_spark.quality.raw.header import drift_of
from lsml_spark.quality.raw.records import read_days, read_header
from lsml_spark.quality.raw.retyped import keeps_values
from lsml_spark.quality.run import Config, run

pytestmark = pytest.mark.spark
BEFORE_1970 = dt.datetime(1969, 12, 31, 23, 59, 59, 999999)

# What is written, and what must be read (microseconds are cut off towards the past).
VALUES = {
    "nanoseconds": (
        pa.array([-1, 1500, None], pa.timestamp("ns")),
        [BEFORE_1970, dt.datetime(1970, 1, 1, 0, 0, 0, 1), None],
    ),
    "milliseconds": (
        pa.array([0, 1, None], pa.timestamp("ms")),
        [dt.datetime(1970, 1, 1), dt.datetime(1970, 1, 1, 0, 0, 0, 1000), None],
    ),
    "nanoseconds inside": (
        pa.array([{"t": 1000}, None], pa.struct([("t", pa.timestamp("ns"))])),
        [{"t": dt.datetime(1970, 1, 1, 0, 0, 0, 1)}, None],
    ),
    "halves": (pa.array(np.array([0.5, 65504, -0.0], np.float16)), [0.5, 65504.0, -0.0]),
    "uint8": (pa.array([0, 255, None], pa.uint8()), [0, 255, None]),
    "uint32": (pa.array([2**32 - 1], pa.uint32()), [2**32 - 1]),
    "uint64": (pa.array([2**64 - 1, 0], pa.uint64()), [Decimal(2**64 - 1), Decimal(0)]),
    "nothing": (pa.nulls(2), [None, None]),
    "decimal": (pa.array([Decimal("-1.10")], pa.decimal128(38, 2)), [Decimal("-1.10")]),
    "wide decimal": (pa.array([Decimal("1.10")], pa.decimal256(60, 2)), ["1.10"]),
    "time of day": (pa.array([1, None], pa.time64("us")), ["00:00:00.000001", None]),
    "time in ms": (pa.array([1], pa.time32("ms")), ["00:00:00.001"]),
    "duration": (pa.array([7], pa.duration("us")), [7]),
    "dictionary": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    "large text": (pa.array(["a", ""], pa.large_string()), ["a", ""]),
    "text view": (pa.array(["a", ""], pa.string_view()), ["a", ""]),
    "bytes of one length": (pa.array([b"ab"], pa.binary(2)), [b"ab"]),
    "uuid": (pa.array([b"0" * 16], pa.uuid()), [b"0" * 16]),
    "map": (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.uint8())), [[("k", 1)]]),
    "lists of halves": (pa.array([[0.5], None], pa.list_(pa.float16())), [[0.5], None]),
}


def frame_of(spark, folder: Path, table: pa.Table, *wanted: str, **options):
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    pq.write_table(table, path, **options)
    names = wanted or table.column_names
    return read_days(spark, [read_header(path)], dict(zip(names, names, strict=True)))


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_of_any_type_is_read_as_it_is_and_a_column_that_nobody_wants_does_not_matter(
    spark, tmp_path, kind
):
    values, expected = VALUES[kind]
    table = pa.table({"n": range(len(values)), kind: values})
    found = frame_of(spark, tmp_path, table, kind, "n").toArrow()
    assert found[kind].to_pylist() == expected
    assert found["_line"].to_pylist() == list(range(1, len(values) + 1))
    assert frame_of(spark, tmp_path, table, "n").toArrow()["n"].to_pylist() == list(range(len(values)))


def test_old_dates_and_int96_are_the_same_instants(spark, tmp_path):
    table = pa.table({"t": pa.array([-62135596800000000, -12219292800000001, 0], pa.timestamp("us"))})
    for halves in (False, True):  # by Spark's reader, and by Arrow's
        both = table.append_column("h", pa.array(np.zeros(3, np.float16))) if halves else table
        found = (
            frame_of(spark, tmp_path, both, use_deprecated_int96_timestamps=True)
            .selectExpr("cast(t AS string) AS t")
            .toArrow()
        )
        assert found["t"].to_pylist() == [
            "0001-01-01 00:00:00",
            "1582-10-14 23:59:59.999999",
            "1970-01-01 00:00:00",
        ]


@pytest.mark.parametrize(
    "options",
    [{"compression": name} for name in ("brotli", "zstd", "gzip", "lz4", "none")]
    + [
        {"use_dictionary": False, "column_encoding": {"n": name}}
        for name in ("BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED")
    ],
)
def test_whatever_the_rows_are_packed_with_they_are_read(spark, tmp_path, options):
    assert frame_of(spark, tmp_path, pa.table({"n": range(1000)}), **options).toArrow()[
        "n"
    ].to_pylist() == list(range(1000))


def test_a_column_is_known_by_its_exact_name(spark, tmp_path):
    table = pa.table({"Item": ["b"], "item": ["a"], "a.b": ["c"], "x`y": ["d"], "": ["e"]})
    found = frame_of(spark, tmp_path, table, "item", "a.b", "x`y").toArrow()
    assert [found[name].to_pylist() for name in ("item", "a.b", "x`y")] == [["a"], ["c"], ["d"]]


def test_line_numbers_go_through_all_row_groups_with_either_reader(spark, tmp_path):
    table = pa.table({"n": range(1000), "h": pa.array(np.zeros(1000, np.float16))})
    for wanted in (["n"], ["n", "h"]):
        found = frame_of(spark, tmp_path, table, *wanted, row_group_size=64).toArrow()
        assert sorted(zip(found["n"].to_pylist(), found["_line"].to_pylist(), strict=True)) == [
            (i, i + 1) for i in range(1000)
        ]


def test_parts_of_a_day_are_read_together_and_each_row_knows_its_part(spark, tmp_path):
    headers = []
    for i, name in enumerate(["a b", "a%20b", "ü", "[1]", "a+b", "#"]):
        path = tmp_path / "day" / f"country={name}" / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"n": [i]} if i else {"n": pa.array([i], pa.int8())}), path)
        headers.append(read_header(path).below(tmp_path))
    found = read_days(spark, headers, {"n": "n", "country": "country"}).toArrow()
    rows = sorted(zip(*[found[name].to_pylist() for name in ("n", "_file", "country")], strict=True))
    # a column of two types is read as text
    assert [(int(n), file, country) for n, file, country in rows] == [
        (i, header.name, {"a%20b": "a b"}.get(header.path.stem, header.path.stem))
        for i, header in enumerate(headers)
    ]


def broken_text() -> pa.Array:
    text = b"caf\xe9xyok \xc3\xbc"
    return pa.StringArray.from_buffers(
        3, pa.py_buffer(np.array([0, 6, 11, 11], np.int32)), pa.py_buffer(text), pa.py_buffer(b"\x03")
    )


@pytest.mark.parametrize("halves", [False, True])
def test_text_that_is_no_utf8_is_set_aside_with_its_bytes(spark, tmp_path, halves):
    columns = {"n": [1, 2, 3], "s": broken_text(), "l": pa.ListArray.from_arrays([0, 1, 2, 3], broken_text())}
    columns |= {"h": pa.array(np.zeros(3, np.float16))} if halves else {}
    found = frame_of(spark, tmp_path, pa.table(columns), *columns).toArrow()
    assert found["s"].to_pylist() == ["caf\\xe9xy", "ok ü", None]
    assert found["l"].to_pylist() == [["caf\\xe9xy"], ["ok ü"], [None]]
    assert found["_why"].to_pylist() == ["malformed row: text that is not UTF-8", None, None]
    assert found["_corrupt"][0].as_py().startswith('{"n":1,"s":"caf\\\\xe9xy"')


def test_a_night_takes_what_is_right_and_sets_aside_what_is_not(spark, night, tmp_path):
    numbers = pa.array([1, 2**53 + 1, 3], pa.int64())
    path = tmp_path / "day.parquet"
    pq.write_table(
        pa.table(
            {
                "item": broken_text(),
                "n": numbers,
                "x": numbers,
                "d": [Decimal("1.239"), Decimal("1.5"), Decimal("1.230")],
            }
        ),
        path,
    )
    config = Config(
        contract={"item": "string", "n": "int", "x": "double", "d": "decimal(10,2)"},
        columns={"n": [{"in_range": {"low": 2}}]},
    )
    work = night.work("quality", raw=(path,))
    done = run(work, config, spark)
    assert done.ledger.quarantined == {"malformed row: text that is not UTF-8": 1, "n: not int": 1}
    assert done.ledger.rows_out == 1
    assert done.metrics["schema_drift"] == []
    held = pq.read_table([work.folder / file.path for file in done.tables["quarantine"].files])
    assert {reason for reasons in held["reasons"].to_pylist() for reason in reasons} == {
        "malformed row: text that is not UTF-8",
        "n: not int",
        "x: not double",  # 2^53 + 1 would become 2^53
    }


def test_a_change_of_type_is_said_once_per_column_and_not_where_no_value_can_change_unseen(tmp_path):
    for i in range(12):
        pq.write_table(
            pa.table({"n": [1], "x": [1], "t": ["a"], "u": pa.array([1], pa.uint8())}),
            tmp_path / f"{i:02}.parquet",
        )
    headers = [read_header(path) for path in sorted(tmp_path.iterdir())]
    contract = {"n": "int", "x": "double", "t": "timestamp", "u": "bigint"}
    assert drift_of(headers, contract) == [
        "column 't' of all 12 files is string, the contract says timestamp"
    ]
    assert drift_of(headers[:1], contract) == [
        "column 't' of 00.parquet is string, the contract says timestamp"
    ]


@pytest.mark.parametrize(
    ("found", "wanted", "kept"),
    [
        ("bigint", "int", True),
        ("uint64", "bigint", True),
        ("float", "double", True),
        ("double", "float", False),
        ("date", "timestamp", True),
        ("timestamp", "date", False),
        ("bigint", "string", False),
        ("string", "int", False),
        ("void", "string", True),
        ("boolean", "int", False),
    ],
)
def test_what_keeps_its_values_is_silent(found, wanted, kept):
    assert keeps_values(found, wanted) == kept


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + bytes(40) + b"PAR1", b"a,b\n1,2\n", b"PAR1" + bytes(4) + b"PARE"]
)
def test_what_is_no_parquet_is_named(tmp_path, content):
    path = tmp_path / "day.parquet"
    path.write_bytes(content)
    with pytest.raises(QualityGateError, match=r"day\.parquet: cannot be read as Parquet"):
        read_header(path)


def test_a_schema_that_names_a_column_twice_is_refused(tmp_path):
    pq.write_table(pa.table([[1], [2]], names=["n", "n"]), tmp_path / "day.parquet")
    with pytest.raises(QualityGateError, match="names 'n' twice"):
        read_header(tmp_path / "day.parquet")


def test_a_damaged_page_is_the_files_fault(spark, night, tmp_path):
    path = tmp_path / "day.parquet"
    pq.write_table(
        pa.table({"n": np.random.default_rng(0).integers(0, 2**40, 50_000)}),
        path,
        use_dictionary=False,
        compression="gzip",
    )
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36  # the header of the first page
    path.write_bytes(content)
    done = run(night.work("quality", raw=(path,)), Config(contract={"n": "bigint"}), spark)
    assert done.failed is not None
    assert "day.parquet: cannot be read to its end" in done.failed
