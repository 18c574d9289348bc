"""CSV files that begin with their first record: the contract says what their columns are."""

import gzip
import json

import pytest

pytestmark = pytest.mark.spark
CONTRACT = {"name": "string", "sex": "string", "births": "int"}
LINES = ["Mary,F,7065", "Anna,F,2604", "John,M,9655"]
ROWS = [("Mary", "F", 7065, 1), ("Anna", "F", 2604, 2), ("John", "M", 9655, 3)]


def cells(rows) -> list[tuple]:
    return [(row["name"], row["sex"], row["births"], row["_line"]) for row in rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("day.csv", "\n".join(LINES)),
        ("day.csv.gz", "\ufeff" + "\n".join(LINES)),
        ("yob1880.txt", "\r\n".join(LINES) + "\r\n"),
    ],
    ids=["no newline at the end", "BOM", "CRLF"],
)
def test_the_first_line_is_a_record_however_the_file_is_written(check_day, raw_day, content, name):
    day = check_day(CONTRACT, raw_day(content, name), header=False)
    assert cells(day.clean) == ROWS
    assert (day.failed, day.metrics["verdict"], day.metrics["schema_drift"]) == (None, "ok", [])
    assert day.ledger.rows_in == 3


def test_a_header_line_that_is_there_all_the_same_is_quarantined(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["name,sex,births", *LINES]), header=False)
    assert [row[:3] for row in cells(day.clean)] == [row[:3] for row in ROWS]
    assert [(row["_line"], row["reason"]) for row in day.quarantine] == [(1, "births: not int")]


def test_too_few_and_too_many_fields_are_quarantined_even_on_the_first_line(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["Mary,F", LINES[1], "John,M,1,2", LINES[2]]), header=False)
    assert [row[0] for row in cells(day.clean)] == ["Anna", "John"]
    assert [(row["_line"], row["_corrupt"]) for row in day.quarantine] == [(1, "Mary,F"), (3, "John,M,1,2")]


def test_several_files_of_one_day_each_begin_with_a_record(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(LINES[:2], "a.csv"), raw_day(LINES[2:], "b.csv.gz"), header=False)
    assert [(row["_file"], row["_line"], row["name"]) for row in day.clean] == [
        ("a.csv", 1, "Mary"),
        ("a.csv", 2, "Anna"),
        ("b.csv.gz", 1, "John"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("day.csv", b"", "empty file"),
        ("day.csv", b"\n \n", "empty file"),
        ("day.csv.gz", b"", "empty file"),
        ("day.csv.gz", gzip.compress(b"Mary,F,1\n")[:-9], "cannot be read"),
    ],
    ids=["no bytes", "blank lines", "empty gz", "gz cut short"],
)
def test_a_file_without_records_stops_the_night_and_is_named(check_day, tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") and not content else content)
    day = check_day(CONTRACT, path, header=False)
    assert f"{name}: {said}" in day.failed
    assert len(day.failed.splitlines()) == 1
    assert day.ledger.rows_in == 0


def test_formats_that_name_their_columns_are_read_by_name(check_day, tmp_path):
    path = tmp_path / "day.jsonl"
    path.write_text(json.dumps({"births": 7065, "name": "Mary", "sex": "F"}) + "\n")
    assert cells(check_day(CONTRACT, path, header=False).clean) == ROWS[:1]
