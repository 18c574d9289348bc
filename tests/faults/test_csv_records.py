"""CSV text as records, without Spark, against Python's own csv module: what is a record, and what is no whole
one.
"""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lsml_spark.core.raw import Format
from lsml_spark.quality.raw import csv_text
from lsml_spark.quality.raw.csv_scan import way_to_read
from lsml_spark.quality.raw.csv_text import INSIDE, OPEN, SPANS, records
from lsml_spark.quality.raw.text import as_found, physical_lines

MULTILINE = Format(multiline=True)
odd_text = st.text(st.sampled_from('ab,"\n\r ;é'), max_size=40)
cells = st.text(st.sampled_from('ab,"\n\r;é\\ '), max_size=6)


def read(path, text: str | bytes, form: Format = MULTILINE):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(records(enumerate(physical_lines(path, form), 1), form))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("csv") / "day.csv"


@given(
    rows=st.lists(st.lists(cells, min_size=2, max_size=4), max_size=6),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from(",;\t"),
    mark=st.sampled_from(["", "\ufeff"]),
)
def test_what_a_writer_wrote_is_read_back_with_its_line_breaks_and_line_numbers(
    path, rows, quoting, end, delimiter, mark
):
    text = io.StringIO()
    if {*"\r\n"}.difference(end).intersection("".join(cell for row in rows for cell in row)):
        quoting = csv.QUOTE_ALL  # Python's writer quotes no line break but its own
    writer, starts = csv.writer(text, quoting=quoting, lineterminator=end, delimiter=delimiter), []
    for row in rows:
        starts.append(1 + len(list(io.StringIO(text.getvalue(), newline=""))) if text.getvalue() else 1)
        writer.writerow(row)
    found = read(path, mark + text.getvalue(), MULTILINE.model_copy(update={"delimiter": delimiter}))
    assert [(record.line, record.fields) for record in found] == list(zip(starts, rows, strict=True))


@given(odd_text)
@example('a,"b\nc"\n')
@example('a,"x"y"\n')
@example('"a""\n"b"\n')
def test_where_every_record_is_whole_they_are_those_of_the_csv_module(path, text):
    found = read(path, text)
    if all(record.why is None for record in found):
        expected = csv.reader(io.StringIO(text, newline=""), strict=True)
        assert [record.fields for record in found if len(record.fields) > 1] == [
            row for row in expected if len(row) > 1
        ]


@given(odd_text)
def test_no_line_is_lost_and_half_a_record_is_never_one(path, text):
    whole, by_line = read(path, text), read(path, text, Format())
    assert all(record.why is None or record.fields is None for record in whole)
    lines = {number for number, line in enumerate(io.StringIO(text, newline=""), 1) if line.strip(" \r\n")}
    assert lines == {record.line for record in by_line}
    several = [
        record
        for record in whole
        if record.fields is not None and ("\n" in record.text or "\r" in record.text)
    ]
    assert {record.line for record in several} <= {record.line for record in by_line if record.why == SPANS}
    assert [record for record in by_line if record.fields is not None] == [
        r for r in whole if r.fields is not None and r not in several
    ]


@given(odd_text)
@example('"","x"\n"a""b",c\n')
@example('a"b\n')
@example('"\n","')
def test_the_quick_look_calls_a_file_ordinary_just_where_each_line_is_whole(path, text):
    by_line = read(path, text, Format())
    expected = all(record.why is None for record in by_line)
    assert (way_to_read(path, Format(), 3) == "ordinary") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a,1,"x\ny"\nb,2,z\n', [(1, SPANS), (2, SPANS), (3, None)]),
        ('"a \\"b\\"",1,x\n', [(1, INSIDE)]),
        ('"c,\\"d",2,y\n', [(1, INSIDE)]),
        ('f,4,"x"y\ng,5,z\n', [(1, INSIDE), (2, None)]),
        ('f,4,5" pipe\ng,5,z\n', [(1, INSIDE), (2, None)]),
        ('f,4, "x"\n', [(1, INSIDE)]),
        ('e,3,"never closed\nf,4,x\n', [(1, OPEN), (2, OPEN)]),
        ('e,3,"never closed\nf,4,"x"y\ng,5,z\n', [(1, INSIDE), (2, INSIDE), (3, None)]),
        ('a,"b\n\nc"\n', [(1, SPANS), (3, SPANS)]),
    ],
)
def test_all_lines_of_a_record_that_is_not_whole_are_malformed_by_one_reason(path, text, expected):
    assert [(record.line, record.why) for record in read(path, text, Format())] == expected


def test_backslashes_before_quotes_are_read_where_the_format_says_so(path):
    form = Format(escape="\\", multiline=True)
    text = '"a \\"b\\"",1,x\n"c,\\"d",2,y\n"e\\\\",3,"f\\n"\n"g ""h""",4,\\N\n"i\\\nj",5,z\n'
    assert [record.fields for record in read(path, text, form)] == [
        ['a "b"', "1", "x"],
        ['c,"d', "2", "y"],
        ["e\\", "3", "f\\n"],
        ['g "h"', "4", "\\N"],
        ["i\\\nj", "5", "z"],
    ]


def test_a_file_without_quoting_has_quotes_that_are_characters(path):
    assert [record.fields for record in read(path, 'a "b,5"\n"c\n', Format(quote=""))] == [
        ['a "b', '5"'],
        ['"c'],
    ]


def test_comments_are_no_records_except_inside_quotes(path):
    found = read(path, '#a "b\n1,2\n"x\n#y",3\n# z\n', MULTILINE.model_copy(update={"comment": "#"}))
    assert [(record.line, record.fields) for record in found] == [(2, ["1", "2"]), (3, ["x\n#y", "3"])]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252", "shift_jis"])
def test_bytes_that_are_not_of_the_encoding_are_kept_as_they_are(path, encoding):
    good, bad = {"utf-16": (b"\xff\xfeb\0,\x001\0\n\0", b"\x00\xd8")}.get(
        encoding, ("b,1\n".encode(encoding), b"\xff\xfe")
    )
    bad = {"utf-16-le": b"\x00\xd8", "cp1252": b"\x81", "shift_jis": b"\xff"}.get(encoding, bad)
    end = "\n".encode("utf-16-le") if encoding.startswith("utf-16") else b"\n"
    first, second = read(path, good + bad + end, Format(encoding=encoding))
    assert first.fields == ["b", "1"]
    assert second.why == csv_text.BYTES
    assert as_found(second.text).startswith("".join(f"\\x{byte:02x}" for byte in bad))


def test_a_longer_file_is_looked_at_in_pieces(path, monkeypatch):
    monkeypatch.setattr("lsml_spark.quality.raw.csv_scan.CHUNK", 7)
    for text, way in [
        ('"ab","cd"\r\n"é""e","g"\n' * 9, "ordinary"),
        ('"ab","cd"\n' * 9 + '"ab\n"\n', "stream"),
        ("ab,cd\n" * 9 + "a\0b\n", "lines"),
    ]:
        path.write_bytes(text.encode())
        assert way_to_read(path, Format(), 2) == way
    path.write_bytes(b"ab,cd\n" * 5 + b"caf\xe9,1\n" + b"ab,cd\n" * 5)
    assert way_to_read(path, Format(), 2) == "lines"
