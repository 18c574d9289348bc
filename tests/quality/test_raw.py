"""Raw CSV as it comes: whatever is in the file, each record ends in `clean` or in `quarantine` with its
physical line number.
"""

import csv
import gzip
import io
import random

import pandas as pd
import pytest

from lsml_spark.core.errors import QualityGateError
from lsml_spark.quality.raw.records import read_header

pytestmark = pytest.mark.spark
CONTRACT = {"item": "string", "n": "int", "note": {"type": "string", "required": False}}
LINES = ["item,n,note", "a,1,x", "b,2,y"]
ROWS = [("a", 1, "x", 2), ("b", 2, "y", 3)]


def cells(rows) -> list[tuple]:
    return [(row["item"], row["n"], row["note"], row["_line"]) for row in rows]


@pytest.mark.parametrize("name", ["day.csv", "day.csv.gz"])
@pytest.mark.parametrize(
    "content",
    [
        "item,n,note\na,1,x\nb,2,y\n",
        "item,n,note\na,1,x\nb,2,y",
        "item,n,note\r\na,1,x\r\nb,2,y\r\n",
        "\ufeffitem,n,note\na,1,x\nb,2,y\n",
    ],
    ids=["plain", "no newline at the end", "CRLF", "BOM"],
)
def test_the_same_rows_however_the_file_is_written(check_day, raw_day, content, name):
    day = check_day(CONTRACT, raw_day(content, name))
    assert cells(day.clean) == ROWS
    assert (day.failed, day.metrics["verdict"], day.ledger.rows_in) == (None, "ok", 2)


def test_blank_lines_are_no_records_but_count_as_lines(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["item,n,note", "", "a,1,x", "", "   ", "b,2,y", ""]))
    assert cells(day.clean) == [("a", 1, "x", 3), ("b", 2, "y", 6)]
    assert day.ledger.rows_in == 2


def test_reordered_columns_are_read_by_name_and_reported(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["note,item,n", "x,a,1", "y,b,2"]))
    assert cells(day.clean) == ROWS
    assert day.metrics["schema_drift"] == ["columns of day.csv are reordered: note, item, n"]
    assert day.metrics["verdict"] == "warn"


def test_a_column_that_appears_is_reported_and_not_used(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["item,n,extra,note", "a,1,?,x", "b,2,?,y"]))
    assert cells(day.clean) == ROWS
    assert "extra" not in day.clean[0]
    assert day.metrics["schema_drift"] == [
        "column 'extra' appeared in day.csv; it is not in the contract and is not used"
    ]


@pytest.mark.parametrize("name", ["", "Unit.Price", "a`b", "_line", "_corrupt", "ITEM", "two words", "日本"])
def test_a_column_that_appears_may_have_any_name(check_day, raw_day, name):
    day = check_day(CONTRACT, raw_day([f"item,n,{name},note", "a,1,?,x", "b,2,?,y"]))
    assert cells(day.clean) == ROWS
    assert len(day.metrics["schema_drift"]) == 1


def test_the_contract_may_name_columns_that_sql_has_to_quote(check_day, raw_day):
    contract = {"Unit.Price": "double", "two words": "string", "select": "int"}
    checks = {
        "Unit.Price": [{"in_range": {"low": 1}, "on_bad": "quarantine"}],
        "two words": ["complete"],
        "select": [{"one_of": [1]}],
    }
    day = check_day(
        contract, raw_day(["Unit.Price,two words,select", "2.5,x,1", "0.5,y,1", "z,y,1"]), columns=checks
    )
    assert [(row["Unit.Price"], row["two words"], row["select"]) for row in day.clean] == [(2.5, "x", 1)]
    assert [row["reason"] for row in day.quarantine] == ["Unit.Price: below 1", "Unit.Price: not double"]


def test_an_optional_column_that_vanishes_is_null_and_reported(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["item,n", "a,1", "b,2"]))
    assert cells(day.clean) == [("a", 1, None, 2), ("b", 2, None, 3)]
    assert day.metrics["schema_drift"] == ["column 'note' vanished from day.csv"]


def test_a_required_column_that_vanishes_stops_the_night_and_names_it(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["item,note", "a,x"]))
    assert "required column 'n' vanished" in day.failed
    assert "found: 'item', 'note'" in day.failed
    assert day.metrics["schema_drift"] == ["column 'n' vanished from day.csv"]
    assert day.metrics["findings"][0]["severity"] == "fail"
    assert list(day.work.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("day.csv", b"", "empty file"),
        ("day.csv.gz", b"", "empty file"),
        ("day.csv", b"\n\na,1,x\n", "first line is blank"),
        ("day.csv", random.Random(3).randbytes(4096), "cannot be read as CSV"),
        ("day.csv", gzip.compress(b"item,n,note\na,1,x\n"), "cannot be read as CSV"),
        ("day.csv", "item,n,note\n".encode("utf-16"), "cannot be read as CSV"),
        ("day.csv", b"item,n,item\na,1,x\n", "header names 'item' twice"),
    ],
    ids=[
        "empty",
        "empty gz",
        "blank header",
        "garbage",
        "gzip without its suffix",
        "UTF-16",
        "doubled header",
    ],
)
def test_a_file_without_a_header_stops_the_night_and_is_named(check_day, raw_day, name, content, said):
    day = check_day(CONTRACT, raw_day(content, name))
    assert said in day.failed
    assert name in day.failed
    assert len(day.failed.splitlines()) == 1
    assert day.ledger.rows_in == 0
    assert list(day.work.folder.iterdir()) == []


def test_a_gzip_that_is_none_is_named(check_day, raw_day, tmp_path):
    path = tmp_path / "plain.csv.gz"
    path.write_bytes(b"item,n,note\na,1,x\n")
    assert "plain.csv.gz: cannot be read as CSV" in check_day(CONTRACT, path).failed


def test_a_gzip_cut_short_is_named_and_nothing_of_it_is_kept(check_day, tmp_path):
    random.seed(9)
    content = "item,n,note\n" + "".join(f"i{random.randrange(10**9)},{n},x\n" for n in range(20_000))
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(content.encode())[:-5000])
    day = check_day(CONTRACT, path)
    assert "cut.csv.gz: cannot be read to its end" in day.failed
    assert day.ledger.rows_in == 0
    assert list(day.work.folder.iterdir()) == []


def test_a_header_alone_is_a_day_without_rows(check_day, raw_day):
    day = check_day(
        CONTRACT,
        raw_day(["item,n,note"]),
        columns={"n": ["complete"]},
        table=[{"kept": 0.5, "on_bad": "fail"}],
    )
    assert day.failed.startswith("day.csv: the day has no rows, only a header")
    assert day.ledger.rows_in == 0
    assert (day.clean, day.quarantine) == ([], [])


def test_too_few_and_too_many_fields_are_quarantined_as_they_were_found(check_day, raw_day):
    day = check_day(
        CONTRACT,
        raw_day(["item,n,note", "a,1,x", "b,2", "c,3,z,surplus", "lonely", "d,4,"]),
        columns={"n": ["complete"]},
    )
    assert cells(day.clean) == [("a", 1, "x", 2), ("d", 4, None, 6)]
    assert [(row["_line"], row["_corrupt"]) for row in day.quarantine] == [
        (3, "b,2"),
        (4, "c,3,z,surplus"),
        (5, "lonely"),
    ]
    assert day.ledger.quarantined == {"malformed line: wrong number of fields": 3}
    assert day.finding("n: missing")["rows"] == 0, (
        "fields of a malformed line are in the wrong places; no check looks at them"
    )


def test_values_of_the_wrong_type_are_quarantined_with_the_text_as_found(check_day, raw_day):
    contract = {"n": "int", "price": "double", "day": "timestamp"}
    good = "1, 2.5 ,2011-02-01 10:00:00"
    bad = [
        "x,1,2011-02-01",
        "1,2,5,2011-02-01",
        "1,cheap,2011-02-01",
        "1,1,2011-02-30",
        "99999999999,1,2011-02-01",
        "1.5,y,never",
    ]
    day = check_day(contract, raw_day(["n,price,day", good, *bad]))
    assert [(row["n"], row["price"]) for row in day.clean] == [(1, 2.5)]
    assert [row["reasons"] for row in day.quarantine] == [
        ["n: not int"],
        ["malformed line: wrong number of fields"],
        ["price: not double"],
        ["day: not timestamp"],
        ["n: not int"],
        ["n: not int", "price: not double", "day: not timestamp"],
    ]
    assert all(row["reason"] == row["reasons"][0] for row in day.quarantine)
    assert [row["_raw_n"] for row in day.quarantine] == ["x", "1", "1", "1", "99999999999", "1.5"]


def test_a_missing_value_is_not_one_of_the_wrong_type(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["item,n,note", "a,,x", "b,  ,y"]))
    assert [row["n"] for row in day.clean] == [None, None]


def test_fields_are_those_of_the_csv_standard(check_day, raw_day):
    written = [
        ["plain", 1, "x"],
        ["comma, inside", 2, "a,b"],
        ['say "hi", you', 3, '"'],
        ["back\\slash", 4, "\\"],
        ["it's", 5, " spaced "],
    ]
    text = io.StringIO()
    csv.writer(text).writerows([["item", "n", "note"], *written])
    day = check_day(CONTRACT, raw_day(text.getvalue()))
    assert [[row["item"], row["n"], row["note"]] for row in day.clean] == written


def test_markup_and_formulas_are_kept_as_they_are(check_day, raw_day):
    notes = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "=1+1",
        "{{ date }}",
        "${HOME}",
        "'; DROP TABLE clean; --",
    ]
    day = check_day(CONTRACT, raw_day(["item,n,note", *[f"a,1,{note}" for note in notes], "a,1,<b>,</b>"]))
    assert [row["note"] for row in day.clean] == notes
    assert day.quarantine[0]["_corrupt"] == "a,1,<b>,</b>"


def test_a_line_with_bytes_that_are_no_utf8_is_quarantined_with_its_bytes(check_day, raw_day):
    for filler in (0, 2000):  # near the header, and far below it
        lines = [
            b"item,n,note",
            *[b"a,1,x"] * filler,
            b"caf\xe9,2,\xff\xfe",
            b"b,3,y",
            b"c,4\xe9,z",
            b"\xe9,1,2,3",
        ]
        day = check_day(CONTRACT, raw_day(b"\n".join(lines)))
        assert [row["item"] for row in day.clean[-1:]] == ["b"]
        assert [row["_corrupt"] for row in day.quarantine] == [
            "caf\\xe9,2,\\xff\\xfe",
            "c,4\\xe9,z",
            "\\xe9,1,2,3",
        ]
        assert [row["_line"] for row in day.quarantine] == [filler + 2, filler + 4, filler + 5]
        assert day.ledger.quarantined == {"malformed line: bytes that are not of the encoding": 3}
        assert day.ledger.rows_in == filler + 4


def test_two_part_files_of_one_day_are_read_together_each_with_its_own_lines(check_day, raw_day):
    first = raw_day(LINES, "day.1.csv")
    second = raw_day(["n,item", "3,c", "", "x,d", "5,e"], "day.2.csv.gz")
    day = check_day(CONTRACT, first, second)
    assert [(row["_file"], *cells([row])[0]) for row in day.clean] == [
        *(("day.1.csv", *row) for row in ROWS),
        ("day.2.csv.gz", "c", 3, None, 2),
        ("day.2.csv.gz", "e", 5, None, 5),
    ]
    assert [(row["_file"], row["_line"]) for row in day.quarantine] == [("day.2.csv.gz", 4)]
    assert day.metrics["schema_drift"] == ["column 'note' vanished from day.2.csv.gz"]


def test_line_numbers_are_physical_when_large_files_are_split_into_partitions(spark, check_day, tmp_path):
    random.seed(4)
    paths, expected = [], []
    for part in (1, 2):
        lines = ["item,n,note"]
        for n in range(3000):
            kind = random.random()
            lines.append(
                ""
                if kind < 0.1
                else f"broken {n}"
                if kind < 0.2
                else f"i{part}-{n},{n},{'z' * random.randrange(60)}"
            )
        path = tmp_path / f"day.{part}.csv"
        path.write_text("\n".join(lines) + "\n")
        paths.append(path)
        expected += [(path.name, number, line) for number, line in enumerate(lines, 1) if line and number > 1]
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "20000")
    try:
        assert spark.read.text(str(paths[0])).rdd.getNumPartitions() > 3
        day = check_day(CONTRACT, *paths)
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before)
    found = [
        (row["_file"], row["_line"], f"{row['item']},{row['n']},{row['note'] or ''}") for row in day.clean
    ]
    found += [(row["_file"], row["_line"], row["_corrupt"]) for row in day.quarantine]
    assert sorted(found) == expected


def test_the_header_is_read_from_its_own_line_alone(tmp_path):
    path = tmp_path / "day.csv"
    path.write_bytes(b'"a, b",c\r\n\xff\xff\n')
    assert read_header(path).columns == ["a, b", "c"]
    with pytest.raises(QualityGateError, match=r"nowhere\.csv"):
        read_header(tmp_path / "nowhere.csv")


def test_a_real_day_is_read_as_pandas_reads_it(check_day, retail, retail_sections):
    path = retail / "2011-01-11.csv.gz"
    day = check_day(retail_sections["quality"]["contract"], path)
    expected = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert day.ledger.rows_in == day.ledger.rows_out == len(expected)
    found = pd.DataFrame(day.clean)
    assert found._line.tolist() == list(range(2, len(expected) + 2))
    for column in ("InvoiceNo", "StockCode", "Description", "Country"):
        assert found[column].fillna("").tolist() == expected[column].tolist()
    assert found.Quantity.tolist() == expected.Quantity.astype(int).tolist()
    assert found.UnitPrice.tolist() == expected.UnitPrice.astype(float).tolist()
    assert found.InvoiceDate.astype(str).tolist() == expected.InvoiceDate.tolist()
