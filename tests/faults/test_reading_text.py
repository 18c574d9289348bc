"""Days of CSV and JSON as the field writes them: what is clean says what the file says, the rest is kept as
it was found.
"""

import datetime
import decimal
import gzip
import json

import pytest
from text_days import CONTRACT, check

from lsml_spark.quality.raw.csv_text import BYTES, INSIDE, OPEN, SPANS
from lsml_spark.quality.raw.json_text import NO_JSON, SURROGATE
from lsml_spark.quality.raw.records import read_header

pytestmark = pytest.mark.spark
LINE_BREAKS = 'item,n,note\na,1,"line one\nline two"\nb,2,plain\nc,3,"x, y\nz,7,w"\nd,4,"first\n5,fifth"\n'
BACKSLASHES = 'item,n,note\n"a \\"b\\"",1,x\n"c,\\"d",2,y\nf,4,"x"y\ng,5,z\ne,3,"never closed\n'
GOOD = "item,n,note\na,1,x\nb,2,y\n"


def test_records_of_many_files_are_whole_or_quarantined_with_all_their_lines(spark, night, tmp_path):
    files = {
        "breaks.csv": LINE_BREAKS,
        "crlf.csv.gz": LINE_BREAKS.replace("\n", "\r\n"),
        "backslashes.csv": BACKSLASHES,
        "empty.csv": '"item","n","note"\n"a","1","x"\n"","2",""\n"c","",""\n,4,\n',
        "padded.csv.gz": gzip.compress(GOOD.encode()) + bytes(400),
        "members.csv.gz": gzip.compress(b"item,n,note\na,1,x\n")
        + gzip.compress(b"")
        + gzip.compress(b"b,2,y\n"),
        "nul.csv": "item,n,note\n\0a,1,x\nb\0,2,y\n",
        "mac.csv": GOOD.replace("\n", "\r"),
        "case.csv": "item,n,note,ITEM,Note\na,1,x,A,X\nb,2,y,B,Y\n",
    }
    day = check(spark, night, tmp_path, files)
    assert not day.failed
    for name in ("breaks.csv", "crlf.csv.gz"):
        assert day.clean(name, "item", "n", "note") == [(4, "b", 2, "plain")]
        assert [row[:2] for row in day.quarantined(name)] == [(line, SPANS) for line in (2, 3, 5, 6, 7, 8)]
    assert day.quarantined("breaks.csv", "_corrupt")[0][2] == 'a,1,"line one'
    assert day.clean("backslashes.csv", "item", "n", "note") == [(5, "g", 5, "z")]
    assert day.quarantined("backslashes.csv") == [(2, INSIDE), (3, INSIDE), (4, INSIDE), (6, OPEN)]
    assert day.clean("empty.csv", "item", "n", "note") == [
        (2, "a", 1, "x"),
        (3, None, 2, None),
        (4, "c", None, None),
        (5, None, 4, None),
    ]
    for name in ("padded.csv.gz", "members.csv.gz", "mac.csv", "case.csv"):
        assert day.clean(name, "item", "n", "note") == [(2, "a", 1, "x"), (3, "b", 2, "y")]
    assert day.clean("nul.csv", "item", "n", "note") == [(2, "\0a", 1, "x"), (3, "b\0", 2, "y")]


def test_a_quoted_line_break_is_text_where_the_format_says_so(spark, night, tmp_path):
    files = {
        "breaks.csv": LINE_BREAKS,
        "head.csv": '"item","n","no\nte"\r\n"a\r\nb",1,x\r\n\r\nb,2,"y\n\nz"\r\n',
        "good.csv": GOOD,
    }
    day = check(spark, night, tmp_path, files, raw={"multiline": True})
    assert day.clean("breaks.csv", "item", "n", "note") == [
        (2, "a", 1, "line one\nline two"),
        (4, "b", 2, "plain"),
        (5, "c", 3, "x, y\nz,7,w"),
        (7, "d", 4, "first\n5,fifth"),
    ]
    assert day.clean("head.csv", "item", "n") == [(3, "a\r\nb", 1), (6, "b", 2)]
    assert day.clean("good.csv", "item") == [(2, "a"), (3, "b")]
    assert day.ledger.quarantined == {}


def test_the_format_says_how_a_file_is_written(spark, night, tmp_path):
    text = (
        "# made by a till\nname;preis;menge;tag;um\n# noon\nM\u00fcller;1.234,50;NA;01.02.2011;01.02.2011 "
        "10:30\n"
        " B\u00e4r ;0,5; - ;28.02.2011;01.07.2011 10:30\n\u20ac;1.5;x;31.02.2011;2011-02-01\n"
        "z;1,005;x;01.02.+999999999;01.02.+999999999 10:30\n"
    )
    contract = {"name": "string", "preis": "decimal(10,2)", "menge": "int", "tag": "date", "um": "timestamp"}
    form = {
        "delimiter": ";",
        "encoding": "cp1252",
        "comment": "#",
        "decimal": ",",
        "thousands": ".",
        "nulls": ["NA", "-"],
        "trim": True,
        "date_formats": ["dd.MM.yyyy"],
        "timestamp_formats": "dd.MM.yyyy HH:mm",
        "zone": "Europe/Berlin",
    }
    day = check(spark, night, tmp_path, {"kasse.csv": text.encode("cp1252")}, contract, raw=form)
    at = [datetime.datetime(2011, 2, 1, 9, 30), datetime.datetime(2011, 7, 1, 8, 30)]
    assert [(*row[:5], row[5].replace(tzinfo=None)) for row in day.clean("kasse.csv", *contract)] == [
        (4, "M\u00fcller", decimal.Decimal("1234.50"), None, datetime.date(2011, 2, 1), at[0]),
        (5, "B\u00e4r", decimal.Decimal("0.50"), None, datetime.date(2011, 2, 28), at[1]),
    ]
    assert day.tables["quarantine"]["kasse.csv", 6]["reasons"] == [
        "preis: not decimal(10,2)",
        "menge: not int",
        "tag: not date",
        "um: not timestamp",
    ]
    assert (
        day.tables["quarantine"]["kasse.csv", 7]["reasons"]
        == day.tables["quarantine"]["kasse.csv", 6]["reasons"]
    )
    assert day.tables["quarantine"]["kasse.csv", 6]["_raw_name"] == "\u20ac"


def test_names_that_differ_in_an_accent_stay_two_and_bytes_are_kept(spark, night, tmp_path):
    text = "item,n,note\ncaf\u00e9,1,x\ncaf\u00e8,2,y\nb,3,z\n".encode("latin-1")
    unique = {"rows": [{"unique": ["item"], "on_bad": "quarantine"}]}
    day = check(spark, night, tmp_path, {"a.csv": text}, **unique)
    assert day.clean("a.csv", "item") == [(4, "b")]
    assert day.quarantined("a.csv", "_corrupt") == [(2, BYTES, "caf\\xe9,1,x"), (3, BYTES, "caf\\xe8,2,y")]
    day = check(
        spark,
        night,
        tmp_path,
        {"a.csv": text, "b.jsonl": '{"item":"\u00fc","n":4}'.encode("latin-1")},
        raw={"encoding": "latin-1"},
        **unique,
    )
    assert day.clean("a.csv", "item") == [(2, "caf\u00e9"), (3, "caf\u00e8"), (4, "b")]
    assert day.clean("b.jsonl", "item") == [(1, "\u00fc")]


def test_json_keeps_its_digits_and_says_what_is_wrong_with_a_line(spark, night, tmp_path):
    late = (
        "".join(json.dumps({"item": f"k{i}", "n": i}) + "\n" for i in range(10_050))
        + '{"item":"z","n":1,"x":0.5,"id":7}\n'
    )
    files = {
        "a.jsonl": '{"id":12345678901234567890,"x":0.12345678901234567890123,'
        '"m":12345678901234567.89,"n":1}\n'
        '{"id":1,"x":0.1,"m":1.10,"n":1e3}\n'
        '{"id":"2","x":1e-3,"m":1.005,"n":2}\n{"id":"b","n":3,"ITEM":"A","item":"a","e":1e400}\n'
        '{"id":"c","n":4,"e":1e30}\n',
        "b.jsonl": b'{"item":"b \\ud83d","n":1}\n{"item":"b \\udcb2","n":2}\n{"item":"b ?","n":3}\n'
        b'{"item":"caf\xe9","n":4}\n{"item":"caf\xe9',
        "late.jsonl": late,
        "long.jsonl": '{"item":"' + "z" * 20_100_000 + '","n":9}\n',
        "inside.jsonl": '{"item":"a","n":1,"meta":{"lang":"de","to":[{"x":"1"}]}}\n'
        '{"item":5,"n":2,"meta":{"k":1}}\n',
    }
    optional = {
        name: {"type": type_, "required": False}
        for name, type_ in {
            "id": "string",
            "x": "decimal(38,23)",
            "m": "decimal(20,2)",
            "e": "double",
        }.items()
    }
    contract = {
        "item": {"type": "string", "required": False},
        "n": "int",
        **optional,
        "meta": {"type": "struct<k: int>", "required": False},
    }
    day = check(spark, night, tmp_path, files, contract)
    exact = decimal.Decimal("0.12345678901234567890123")
    assert day.clean("a.jsonl", "id", "x", "m", "n", "item", "e") == [
        (1, "12345678901234567890", exact, decimal.Decimal("12345678901234567.89"), 1, None, None),
        (5, "c", None, None, 4, None, 1e30),
    ]
    assert day.quarantined("a.jsonl", "_raw_n", "_raw_m", "_raw_e", "_raw_item") == [
        (2, "n: not int", "1e3", "1.10", None, None),
        (3, "m: not decimal(20,2)", "2", "1.005", None, None),
        (4, "e: not double", "3", None, "1e400", "a"),
    ]
    assert day.clean("b.jsonl", "item") == [(3, "b ?")]
    assert day.quarantined("b.jsonl", "_corrupt") == [
        (1, SURROGATE, '{"item":"b \\ud83d","n":1}'),
        (2, SURROGATE, '{"item":"b \\udcb2","n":2}'),
        (4, BYTES, '{"item":"caf\\xe9","n":4}'),
        (5, BYTES, '{"item":"caf\\xe9'),
    ]
    assert len(day.clean("late.jsonl", "n")) == 10_051
    assert day.clean("late.jsonl", "x")[-1] == (10_051, decimal.Decimal("0.5"))
    assert len(day.clean("long.jsonl", "item")[0][1]) == 20_100_000


def test_json_tells_numbers_in_the_place_of_text_and_fields_that_are_new_inside(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"id":1,"ok":1,"meta":{"lang":"de","k":1,"to":[{"x":"1","y":2}]},"free":{"a":1},"any":{"z":1}}\n'
        '{"id":"2","meta":{"tags":["a",3]}}\n'
    )
    meta = "struct<k: int, to: array<struct<x: string>>, tags: array<string>>"
    found = read_header(path).drift(
        {"id": "string", "ok": "int", "meta": meta, "free": "map<string,int>", "any": "string"}
    )
    assert found == [
        "column 'id' of a.jsonl is number, the contract says string",
        "field 'meta.lang' appeared in a.jsonl; it is not in the contract and is not used",
        "field 'meta.to[].y' appeared in a.jsonl; it is not in the contract and is not used",
        "field 'meta.tags[]' of a.jsonl is number, the contract says string",
    ]


def test_a_key_that_comes_after_ten_thousand_lines_has_not_vanished(spark, night, tmp_path):
    late = (
        "".join(json.dumps({"item": f"k{i}", "n": i}) + "\n" for i in range(10_050))
        + '{"item":"z","n":1,"note":"here"}\n'
    )
    day = check(spark, night, tmp_path, {"a.jsonl": late}, {"item": "string", "n": "int", "note": "string"})
    assert not day.failed
    assert day.metrics["schema_drift"] == []
    assert day.clean("a.jsonl", "note")[-1] == (10_051, "here")


def test_a_value_is_typed_only_if_its_text_says_so(spark, night, tmp_path):
    good = "1e5,2011-02-01,2011-02-01 10:00:00,1.10\n"
    bad = [
        "12D,,,",
        "3f,,,",
        "0x1p3,,,",
        "1e400,,,",
        ",201102,,",
        ",2011,,",
        ",2011-02,,",
        ",2011-02-30,,",
        ",0000-01-01,,",
        ",today,,",
        ",,10:30:00,",
        ",,T08:15,",
        ",,201102,",
        ",,now,",
        ",,2011-02-01 24:00:00,",
        ",,9999-12-31 23:59:59-10:00,",
        ",,,1.239",
        ",,,NaN",
    ]
    contract = {"x": "double", "d": "date", "t": "timestamp", "m": "decimal(10,2)"}
    checks = {"columns": {"x": [{"complete": 1.0}]}}  # whose examples show each row
    day = check(
        spark, night, tmp_path, {"a.csv": "x,d,t,m\n" + good + "\n".join(bad) + "\n"}, contract, **checks
    )
    ((line, x, d, t, m),) = day.clean("a.csv", *contract)
    assert (line, x, d, t.replace(tzinfo=None), m) == (
        2,
        1e5,
        datetime.date(2011, 2, 1),
        datetime.datetime(2011, 2, 1, 10),
        decimal.Decimal("1.10"),
    )
    assert [reason[:1] for _, reason in day.quarantined("a.csv")] == list("xxxxddddddttttttmm")


def test_a_day_without_one_clean_row_is_not_fit(spark, night, tmp_path):
    day = check(spark, night, tmp_path, {"a.csv": "item,n,note\nk0,x0,\nk1,x1,\n"})
    assert day.failed == "a.csv: not one of its 2 rows is clean"
    assert day.ledger.quarantined == {"n: not int": 2}


def test_a_cut_gzip_is_named_before_spark_begins(spark, night, tmp_path, capfd):
    member = gzip.compress(b"c,3,z\n" * 9)
    day = check(spark, night, tmp_path, {"a.csv.gz": gzip.compress(GOOD.encode()) + member[:-9]})
    assert "a.csv.gz: cannot be read to its end" in day.failed
    assert len(day.failed.splitlines()) == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("way", ["lines", "stream"])
def test_every_way_of_reading_gives_the_same_rows_for_every_partitioning(
    spark, night, tmp_path, monkeypatch, way
):
    lines = [
        "item,n,note",
        *[
            f'"k{i}",{i if i % 7 else "x"},"say ""{i}"", {"z" * (i % 40)}"' if i % 5 else ""
            for i in range(2000)
        ],
        "lonely",
    ]
    text = "\n".join(lines)
    expected = check(spark, night, tmp_path, {"a.csv": text})
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "20000")
    monkeypatch.setattr("lsml_spark.quality.raw.csv.way_to_read", lambda *_: way)
    try:
        found = check(spark, night, tmp_path, {"a.csv": text})
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before)
    assert len(found.tables["clean"]) > 1300
    assert found.tables == expected.tables


def test_the_contract_decides_not_the_spelling_of_another_column(spark, night, tmp_path):
    files = {"a.csv": "item,Item,n\na,A,1\n", "b.jsonl": '{"Item":"A","item":"a","n":1,"N":2}\n'}
    day = check(spark, night, tmp_path, files, CONTRACT)
    assert day.clean("a.csv", "item", "n") == [(2, "a", 1)]
    assert day.clean("b.jsonl", "item", "n") == [(1, "a", 1)]
    assert NO_JSON not in day.ledger.quarantined


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_file_that_is_separated_otherwise_is_said_to_be(night, tmp_path, delimiter):
    day = check(None, night, tmp_path, {"a.csv": "item,n,note\na,1,x\n".replace(",", delimiter)})
    assert f"the file seems to be separated by {delimiter!r}: say so in raw.delimiter" in day.failed


def test_columns_may_be_called_as_those_that_the_stage_adds(spark, night, tmp_path):
    contract = {"date": "date", "reason": "string", "reasons": "int"}
    files = {"a.csv": "date,reason,reasons\n2011-01-31,x,1\n2011-01-30,y,z\n"}
    day = check(spark, night, tmp_path, files, contract, columns={"date": [{"complete": 1.0}]})
    assert day.clean("a.csv", *contract, "_date") == [
        (2, datetime.date(2011, 1, 31), "x", 1, datetime.date(2011, 2, 1))
    ]
    assert day.quarantined("a.csv", "_raw_date", "_raw_reason", "_raw_reasons", "date", "reasons") == [
        (3, "reasons: not int", "2011-01-30", "y", "z", datetime.date(2011, 2, 1), ["reasons: not int"])
    ]
