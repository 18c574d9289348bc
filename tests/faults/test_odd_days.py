"""Control characters around values, encodings without their mark, names that are the stage's own in another
case, bytes as text.
"""

import bz2
import datetime
import gzip
import json
import lzma
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from text_days import check

from lsml_spark.core.errors import QualityGateError
from lsml_spark.core.raw import Format
from lsml_spark.core.scalars import rows_of
from lsml_spark.flow.held_text import texts
from lsml_spark.quality.raw.records import read_header
from lsml_spark.report.quality.examples import first_of, quarantined

TYPES = {"a": "int", "b": "double", "c": "decimal(5,1)", "d": "boolean", "e": "date", "f": "timestamp"}
VALUES = ["5", "5.5", "5.5", "true", "2011-02-01", "2011-02-01 10:00"]


def test_control_characters_around_a_value_are_no_part_of_it(spark, night, tmp_path):
    lines = [VALUES] + [
        [around.format(value) if i == at else value for i, value in enumerate(VALUES)]
        for at in range(len(VALUES))
        for around in ("\t{} ", "\x1f{}", "{}\x00", "{}\x7f")
    ]
    text = ",".join(TYPES) + "\n" + "".join(",".join(line) + "\n" for line in lines)
    day = check(spark, night, tmp_path, {"a.csv": text}, TYPES)
    # blanks and tabs do not matter
    assert [line for line, *_ in day.clean("a.csv")] == [2, *range(3, 3 + 4 * 6, 4)]
    assert [reason for _, reason in day.quarantined("a.csv")] == [
        f"{name}: not {type_}" for name, type_ in TYPES.items() for _ in range(3)
    ]


@pytest.mark.parametrize(
    ("name", "content", "encoding", "said"),
    [
        ("a.csv", "a,b\n1,2\n".encode("utf-16-le"), "utf-8", "raw.encoding: utf-16-le"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16-be"), "utf-16", "BOM"),
        ("a.jsonl", '{"a":1}\n'.encode("utf-16"), "utf-8", "raw.encoding"),
        ("a.jsonl", '{"a":1}\n'.encode("utf-32-be"), "utf-32", "BOM"),
        ("a.jsonl", b'[{"a":1}]\n', "utf-8", "not a list of them"),
        ("a.jsonl", b'{\n"a":1\n}\n', "utf-8", "over several lines"),
    ],
)
def test_a_file_in_another_encoding_or_form_is_refused_with_what_to_try(
    tmp_path, name, content, encoding, said
):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(QualityGateError, match=said) as found:
        read_header(path, Format(encoding=encoding))
    assert str(path) in str(found.value)


def test_a_contract_may_name_columns_as_the_stage_does_in_any_case(spark, night, tmp_path):
    names = ["Date", "REASON", "Reasons", "m", "s0"]
    contract = {**dict.fromkeys(names, "int"), "of": "array<struct<`a b`:double>>"}
    rows = [[1, "1"], ["x", "1"]]
    lines = [",".join([*(f'"{name}":"{row[0]}"' for name in names), '"of":[{"a b":1.5}]']) for row in rows]
    day = check(spark, night, tmp_path, {"a.jsonl": "".join(f"{{{line}}}\n" for line in lines)}, contract)
    ((_, *clean),) = day.clean("a.jsonl", *names, "of", "_date")
    assert clean[:5] == [1] * 5
    assert clean[5][0]["a b"] == 1.5
    assert str(clean[6]) == str(night.date)
    assert day.quarantined("a.jsonl", "_raw_Date") == [(2, "Date: not int", "x")]


def test_bytes_that_are_no_text_are_not_of_the_type_string(spark, night, tmp_path):
    table = pa.table(
        {"g": pa.array([b"caf\xe9", b"ok", None]), "l": pa.array([[b"a"], [b"\xff"], None]), "n": [1, 2, 3]}
    )
    pq.write_table(table, tmp_path / "b")
    day = check(
        spark,
        night,
        tmp_path,
        {"a.parquet": (tmp_path / "b").read_bytes()},
        {"g": "string", "l": "array<string>", "n": "int"},
    )
    assert day.clean("a.parquet", "g", "l", "n") == [(3, None, None, 3)]
    assert [reason for _, reason in day.quarantined("a.parquet")] == ["g: not string", "l: not array<string>"]


def test_a_type_that_never_becomes_the_contracts_names_the_column(spark, night, tmp_path):
    for i, (values, type_, wanted) in enumerate(
        [
            ([[1]], pa.list_(pa.int64()), "int"),
            ([1], pa.date32(), "bigint"),
            ([1], pa.int64(), "struct<x:int>"),
        ]
    ):
        pq.write_table(pa.table({"x": pa.array(values, type_), "n": [1]}), tmp_path / "b")
        day = check(
            spark, night, tmp_path, {f"{i}.parquet": (tmp_path / "b").read_bytes()}, {"x": wanted, "n": "int"}
        )
        assert day.failed is not None
        assert "column 'x' is " in day.failed
        assert wanted in day.failed


def test_columns_that_the_files_call_as_the_stage_calls_its_own_are_read_under_other_names(
    spark, night, tmp_path
):
    names = ["_file", "_line", "_corrupt", "_why", "_path", "_text"]
    row = [f"v{i}" for i in range(len(names))]
    pq.write_table(pa.table({name: [value] for name, value in zip(names, row, strict=True)}), tmp_path / "b")
    # names that differ in case alone are read by Arrow
    twins = zip([*names, "_FILE"], [*row, "x"], strict=True)
    pq.write_table(pa.table({name: [value] for name, value in twins}), tmp_path / "c")
    files = {
        "a.csv": f"{','.join(names)}\n{','.join(row)}\n",
        "a.jsonl": json.dumps(dict(zip(names, row, strict=True))) + "\n",
        "a.parquet": (tmp_path / "b").read_bytes(),
        "b.parquet": (tmp_path / "b").read_bytes(),
        "c.parquet": (tmp_path / "c").read_bytes(),
        "odd.csv": f'{",".join(names)}\n{",".join(row)}\n"\n',
    }
    called = [f"x{name}" for name in names]
    day = check(
        spark, night, tmp_path, files, {f"x{name}": {"type": "string", "source": name} for name in names}
    )
    for file in files:
        assert day.clean(file, *called) == [(1 if "csv" not in file else 2, *row)], file


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"a,b\n1,2\n"), "raw.compression: gzip"),
        (b"PK\x03\x04\x14\x00\x08\x08", "ZIP archive"),
        (bz2.compress(b"a\n"), "raw.compression: bzip2"),
        (lzma.compress(b"a\n"), "raw.compression: xz"),
        (b"caf\xe9,n\n", "raw.encoding names another"),
    ],
    ids=["gzip", "zip", "bzip2", "xz", "latin-1"],
)
def test_a_packed_file_without_its_ending_is_refused_with_what_it_is(tmp_path, content, said):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(QualityGateError, match=said):
        read_header(tmp_path / "a.csv")


def test_days_that_python_has_no_date_for_are_shown_in_the_report(tmp_path):
    """Of Parquet, which holds any: the quarantine keeps them as they were found."""
    days = pa.array([2932897, -800000, None], pa.date32())
    raw = {"_raw_d": days, "_raw_l": pa.array([[2932897], [15006], None], pa.list_(pa.date32()))}
    rows = rows_of(
        pa.table(raw | {"_raw_t": pa.array([253402300800000000, 5, None], pa.timestamp("us", "UTC"))})
    )
    assert [row["_raw_d"] for row in rows] == ["10000-01-01", "-221-09-04", None]
    assert rows[0]["_raw_t"] == "10000-01-01 00:00:00.000000"
    assert rows[1]["_raw_l"] == [datetime.date(2011, 2, 1)]
    table = {
        **raw,
        "reasons": [["n: not int"]] * 3,
        "reason": ["n: not int"] * 3,
        "_file": ["a"] * 3,
        "_line": [1, 2, 3],
    }
    pq.write_table(pa.table(table), tmp_path / "q.parquet")
    source = SimpleNamespace(
        manifest=SimpleNamespace(tables={"quarantine": SimpleNamespace(rows=3)}),
        files=lambda _: [tmp_path / "q.parquet"],
    )
    shown = quarantined(source, 5)
    assert dict(shown["rows"][0]["values"])["d"] == "10000-01-01"
    assert first_of(source, ["n: not int"])["n: not int"]["d"] == "10000-01-01"
    assert texts(pa.table(raw), ["_raw_l"])[1] == {"_raw_l": '["2011-02-01"]'}
