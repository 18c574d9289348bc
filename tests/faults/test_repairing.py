"""Every row that quality sets aside can be looked at, exported as it was found, mended, and taken back."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lsml_spark.cli.main import app
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.raw import Format
from lsml_spark.flow.held_text import texts
from lsml_spark.flow.repaired import mended_rows

YAML = """
name: t
window: 1
raw: {folder: raw, files: '{{ date }}*/*'}
quality:
  contract: {thing: {type: string, source: item}, n: int, note: {type: string, required: false}}
"""
DAY = "2011-02-01"


def test_whatever_is_held_can_be_shown():
    table = pa.table(
        {
            "s": pa.StringArray.from_buffers(
                2, pa.py_buffer(pa.array([0, 4, 4], pa.int32()).buffers()[1]), pa.py_buffer(b"caf\xe9")
            ),
            "d": pa.array([73_000_000, None], pa.date32()),  # the year 201837
            "t": pa.array([2**61, None], pa.timestamp("us", "UTC")),
            "b": [b"\xff", None],
            "l": [[1, 2], None],
            "n": [1.5, None],
        }
    )
    first, second = texts(table, table.column_names)
    assert first["s"] == "caf\\xe9"
    assert first["d"].startswith("201837-")
    assert first["t"].startswith("75039-")
    assert (first["b"], first["l"], first["n"]) == ("\\xff", "[1, 2]", "1.5")
    assert set(second.values()) == {"", None}


@pytest.fixture
def shop(tmp_path):
    """A pipeline with a day of three files, each with a line that is broken."""
    (tmp_path / "p.yaml").write_text(YAML)
    day = tmp_path / "raw" / DAY
    day.mkdir(parents=True)
    (day / "a.csv").write_text('note,item,n\nx,a,1\ny;b;2\nz,"c,3\n')
    (day / "b.jsonl").write_bytes(
        b'{"item":"d","n":4}\n{"item":"e","n":5,\n{"item":"caf\xe9","n":6}\n{"item":"g","n":"seven"}\n'
    )
    pq.write_table(
        pa.table({"item": pa.array([b"h", b"\xe9"]).cast(pa.string(), safe=False), "n": [8, 9]}),
        day / "c.parquet",
    )

    def lsml(*words: str):
        return CliRunner().invoke(
            app, [*words, str(tmp_path / "p.yaml"), "--date", DAY, "--root", str(tmp_path / "runs")]
        )

    return lsml


@pytest.mark.spark
def test_malformed_lines_are_exported_as_they_were_found_and_come_back_mended(spark, shop, tmp_path):
    checked = shop("quality", "check")
    assert checked.exit_code == 0, checked.output
    held = tmp_path / "held.csv"
    for _ in range(2):
        assert shop("quarantine", "show").exit_code == 0
    assert shop("quarantine", "show", "--csv", str(held)).exit_code == 0
    text = held.read_bytes().decode()
    assert "\r" not in text
    assert f"{DAY}/a.csv,3," in text
    for found in ("y;b;2", 'z,""c,3', '{""item"":""e"",""n"":5,', "caf\\xe9", "\\xe9"):
        assert found in text, text

    unchanged = shop("quarantine", "release", "--repaired", str(held))
    assert unchanged.exit_code == 2
    assert "no row of the file differs from the quarantine" in " ".join(unchanged.output.split())
    forgiven = shop("quarantine", "release", "--rule", "malformed line: wrong number of fields")
    assert (forgiven.exit_code, "cannot be forgiven" in " ".join(forgiven.output.split())) == (2, True)

    for was, is_ in (
        (",y;b;2", ',"y,b,2"'),  # the columns of the file, in its order: note, item, n
        ('"z,""c,3"', '"z,c,3"'),
        ('"{""item"":""e"",""n"":5,"', '"{""item"":""e"",""n"":5}"'),
        (",g,seven,", ",g,7,"),
    ):
        assert was in text, (was, text)
        text = text.replace(was, is_)
    held.write_text(text)
    released = shop("quarantine", "release", "--repaired", str(held))
    assert released.exit_code == 0, released.output
    assert "4 rows taken from quarantine, 4 are clean now" in released.output
    folder = tmp_path / "runs" / "t" / DAY / "released" / "clean"
    rows = pa.concat_tables([pq.read_table(path) for path in folder.glob("*.parquet")]).to_pylist()
    assert sorted((row["thing"], row["n"], row["note"]) for row in rows) == [
        ("b", 2, "y"),
        ("c", 3, "z"),
        ("e", 5, None),
        ("g", 7, None),
    ]


class Held:
    """What `mended_rows` needs of a source."""

    class manifest:
        date = DAY
        inputs: dict = {}


KNOWN = {
    "a.jsonl:1": {"_corrupt": '{"n":1', "n": None},
    "a.csv:2": {"_corrupt": "1,2", "n": None},
    "a.csv:3": {"_corrupt": None, "n": "x"},
}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "holds no rows"),
        ("a.jsonl,1,,\n", "p.csv:2: the line is empty"),
        ('a.jsonl,1,,"{""n"":1"\n', "no row of the file differs"),
        ('a.jsonl,1,,"{""n"":1,"\n', "p.csv:2: malformed line: not JSON"),
        ("a.csv,2,,3\n", "its header says what a line of it means.*fill in the row's columns"),
        ("a.csv,9,1,\n", "line 9 of a.csv is not in the quarantine"),
    ],
)
def test_what_cannot_be_taken_back_is_said_by_line(tmp_path, rows, message):
    path = tmp_path / "p.csv"
    path.write_text(f"_file,_line,n,_corrupt\n{rows}")
    with pytest.raises(ConfigError, match=message):
        mended_rows(path, Held, KNOWN, {"n": "n"}, Format())  # type: ignore[arg-type]


def test_columns_that_are_filled_in_win_over_the_line(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text('\ufeff_file,_line,n,_corrupt\r\na.csv,2,7,"1,2"\r\na.csv,3,,\r\n', newline="")
    assert mended_rows(path, Held, KNOWN, {"n": "n"}, Format()) == {
        "a.csv:2": {"n": "7"},
        "a.csv:3": {"n": None},
    }  # type: ignore[arg-type]


@pytest.mark.spark
def test_a_mended_value_that_is_none_of_the_files_type_stays_and_is_said(spark):
    from lsml_spark.quality.release import _mended

    schema = "n bigint, l array<int>, _corrupt string, _why string, _file string, _line bigint"
    records = spark.createDataFrame([(1, [1], None, None, "a", i) for i in (1, 2, 3)], schema)
    repaired = {"a:1": {"n": "7", "l": json.dumps([2])}, "a:2": {"n": "seven", "l": None}}
    found = {row._line: row for row in _mended(spark, records, ["n", "l"], repaired).collect()}
    assert (found[1].n, found[1].l, found[1]._corrupt) == (7, [2], None)
    assert (found[2].n, found[2]._corrupt) == (None, "n: seven")
    assert (found[3].n, found[3].l) == (1, [1])
    assert dt.date.fromisoformat(DAY)
