"""JSON lines and Parquet days: the same rows as from CSV, nested types, and every bad record kept as it was
found.
"""

import datetime
import decimal
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lsml_spark.quality.raw.records import read_header

pytestmark = pytest.mark.spark
CONTRACT = {"item": "string", "n": "int", "note": {"type": "string", "required": False}}
ROWS = [{"item": "a", "n": 1, "note": "x"}, {"item": "b", "n": 2, "note": None}]


def values(rows: list[dict]) -> list[tuple]:
    return [tuple(value for name, value in row.items() if name not in ("date", "_file")) for row in rows]


@pytest.mark.parametrize("name", ["day.json", "day.jsonl", "day.json.gz"])
def test_json_lines_are_read_by_key(check_day, raw_day, name):
    lines = [json.dumps(ROWS[0]), "", json.dumps({"more": [1], "n": "2", "item": "b"})]
    day = check_day(CONTRACT, raw_day(lines, name))
    assert values(day.clean) == [("a", 1, "x", 1), ("b", 2, None, 3)]
    assert day.metrics["schema_drift"] == [
        f"column 'more' appeared in {name}; it is not in the contract and is not used"
    ]


BROKEN = [
    '{"item": "a"',
    "[1]",
    "3",
    "null",
    '{"item": "a"} {"item": "b"}',
    '{"item": "a"}, {"item": "b"}',
    '[{"item": "a"}]',
    "nonsense",
]


def test_a_line_that_is_not_one_object_is_quarantined_as_it_was_found(check_day, raw_day):
    day = check_day(CONTRACT, raw_day([json.dumps(ROWS[0]), *BROKEN], "day.jsonl"))
    assert [row["_corrupt"] for row in day.quarantine] == BROKEN
    assert [row["_line"] for row in day.quarantine] == list(range(2, 2 + len(BROKEN)))
    assert day.ledger.quarantined == {
        "malformed line: not JSON": 2,
        "malformed line: JSON, but not an object": 4,
        "malformed line: text after the JSON object": 2,
    }
    assert len(day.clean) == 1


def test_json_values_keep_their_text_until_they_are_typed(check_day, raw_day):
    contract = {
        "price": "decimal(10,2)",
        "tags": "array<string>",
        "size": "struct<w: int, h: int>",
        "counts": "map<string, int>",
        "on": "boolean",
    }
    good = {"price": 1.50, "tags": ["a", "ü"], "size": {"w": 3, "h": None}, "counts": {"x": 1}, "on": True}
    bad = good | {"price": "cheap", "tags": "a", "size": {"w": "wide"}}
    nothing = dict.fromkeys(good)
    day = check_day(contract, raw_day([json.dumps(line) for line in (good, bad, nothing)], "day.jsonl"))
    assert day.clean[0]["price"] == decimal.Decimal("1.50")
    assert (day.clean[0]["tags"], day.clean[0]["size"].asDict(), day.clean[0]["counts"]) == (
        ["a", "ü"],
        {"w": 3, "h": None},
        {"x": 1},
    )
    assert day.clean[1]["on"] is None
    (rejected,) = day.quarantine
    assert rejected["reasons"] == [
        "price: not decimal(10,2)",
        "tags: not array<string>",
        "size: not struct<w: int, h: int>",
    ]
    assert json.loads(rejected["_raw_size"]) == {"w": "wide"}


def test_nested_values_in_csv_are_json(check_day, raw_day):
    day = check_day({"tags": "array<int>"}, raw_day(["tags", '"[1, 2]"', "", "[3]", "[x]", '"[""x""]"']))
    assert [row["tags"] for row in day.clean] == [[1, 2], [3]]
    assert [row["_raw_tags"] for row in day.quarantine] == ["[x]", '["x"]']


@pytest.mark.parametrize(
    ("content", "said"), [("", "empty file"), ("nonsense\n", "none of its first lines is a JSON object")]
)
def test_a_json_file_without_objects_stops_the_night(check_day, raw_day, content, said):
    assert said in check_day(CONTRACT, raw_day(content, "day.json")).failed


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def test_parquet_rows_are_numbered_and_typed(check_day, tmp_path):
    now = datetime.datetime(2011, 2, 1, 10, 30, tzinfo=datetime.UTC)
    path = parquet(
        tmp_path / "day.parquet",
        n=pa.array([1, None, 2**40], pa.int64()),
        x=[1.5, 2.0, 3.0],
        at=[now] * 3,
        tags=[["a"], [], None],
        item=["a", "b", "c"],
    )
    contract = {"item": "string", "n": "int", "x": "int", "at": "timestamp", "tags": "array<string>"}
    day = check_day(contract, path)
    assert [(row["item"], row["_line"], row["n"], row["x"], row["tags"]) for row in day.clean] == [
        ("b", 2, None, 2, [])
    ]
    assert [(row["_line"], row["reasons"]) for row in day.quarantine] == [
        (1, ["x: not int"]),
        (3, ["n: not int"]),
    ]
    assert (day.quarantine[1]["_raw_n"], day.quarantine[0]["_raw_x"]) == (2**40, 1.5)
    assert day.outcome.tables["quarantine"].columns["_raw_n"] == "bigint"
    # a value that does not fit is quarantined; the type alone says nothing
    assert day.metrics["schema_drift"][1:] == []


def test_parquet_files_that_disagree_are_read_as_text(check_day, tmp_path):
    first = parquet(tmp_path / "day.1.parquet", n=[1, 2], item=["a", "b"])
    second = parquet(tmp_path / "day.2.parquet", n=["3", "x"])
    day = check_day({"n": "int", "item": {"type": "string", "required": False}}, first, second)
    assert [(row["_file"], row["n"], row["item"]) for row in day.clean] == [
        ("day.1.parquet", 1, "a"),
        ("day.1.parquet", 2, "b"),
        ("day.2.parquet", 3, None),
    ]
    assert [row["_raw_n"] for row in day.quarantine] == ["x"]


def test_a_parquet_column_of_another_kind_stops_the_night(check_day, tmp_path):
    day = check_day({"n": "int"}, parquet(tmp_path / "day.parquet", n=[[1], [2]]))
    assert "column 'n' is array<bigint> in the files, which cannot become the contract's int" in day.failed


def test_damaged_parquet_is_named(check_day, tmp_path):
    whole = parquet(tmp_path / "day.parquet", n=list(range(100_000))).read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole[:-100])
    assert "cut.parquet: cannot be read as Parquet" in check_day({"n": "bigint"}, cut).failed
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(whole[:50] + b"\xff" * 2000 + whole[2050:])
    assert "broken.parquet: cannot be read to its end" in check_day({"n": "bigint"}, broken).failed


def test_headers_tell_the_types_that_were_found(tmp_path):
    path = parquet(tmp_path / "a.parquet", n=[1], tags=[["x"]], at=[datetime.date(2011, 2, 1)])
    assert read_header(path).types == {"n": "bigint", "tags": "array<string>", "at": "date"}
    lines = tmp_path / "a.json.gz"
    lines.write_bytes(gzip.compress(b'{"n": null}\n{"n": 1, "s": "x", "o": {}}\n'))
    assert read_header(lines).types == {"n": "number", "s": "string", "o": "object"}
