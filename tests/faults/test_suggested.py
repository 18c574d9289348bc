"""What `quality suggest` writes is YAML that reads back, that the config takes, and that reads the very days
it was shown.
"""

import bz2
import gzip
import lzma
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.raw import Format
from lsml_spark.quality.raw.habits import habits_of
from lsml_spark.quality.raw.infer import type_of
from lsml_spark.quality.raw.sniff import sniff
from lsml_spark.quality.raw.time_forms import form_of
from lsml_spark.quality.run import Config, run
from lsml_spark.quality.suggest import look_at, raw_files, suggest
from lsml_spark.quality.suggested_yaml import comment, flow

WORDS = ["ab", "cd", "ef", "gh"]


def written(*rows: str, times: int = 40) -> str:
    """A header and rows, again and again; `#` in a row becomes its number."""
    header, *body = rows
    return "".join(
        f"{line}\n" for line in [header, *[row.replace("#", str(i)) for i in range(times) for row in body]]
    )


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (written("a,b,c", "x,#,1"), {}),
        (written("a", "x", "y"), {}),
        (written("preis;menge;n", "1,50;#;7", "2,25;#;8"), {"delimiter": ";"}),
        (written("a;b", "1,5;2,5"), {"delimiter": ";"}),
        (written("a\tb\tc", "x, y\t#\tz"), {"delimiter": "\t"}),
        (written("a|b", "x|#"), {"delimiter": "|"}),
        (written("a,b", '"x, ""y""",#'), {}),
        (written("a,b", '"x, \\"y\\"",#'), {"escape": "\\"}),
        (written("a,b", "'x, y',#"), {"quote": "'"}),
        (written("a,b", "it's,#"), {}),
        (written("a,b", '5" pipe,#', '3.5" pipe,#'), {"quote": ""}),
        (written("a,b", '"x\ny",#'), {"multiline": True}),
        ("# made by hand\n" + written("a,b", "x,#"), {"comment": "#"}),
        (written("7,ab,#", "8,cd,#", "9,ab,#").replace("#", "5", 1), {"header": False}),
        (written("2011-02-01 10:00:00,x,1.5", "2011-02-01 10:00:00,x,1.5"), {"header": False}),
        (written("101\t7\t4", "101\t#\t4", "102\t#\t5"), {"delimiter": "\t", "header": False}),
    ],
)
def test_the_way_a_file_is_written_is_told_from_the_file(raw_day, text, options):
    assert sniff([raw_day(text)]).options == options


def test_a_field_of_quotes_that_are_inches_and_lines_that_are_not_whole_do_not_mislead(raw_day):
    good = [f"{word},{i},x" for i, word in enumerate(WORDS * 50)]
    assert sniff([raw_day(["a,b,c", *good, "cut", "a;b;c;d", '"open,1,2'])]).options == {}


@pytest.mark.parametrize(
    ("encode", "encoding"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("latin-1", "latin-1"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_the_encoding_is_told_and_its_letters_are_right(tmp_path, encode, encoding):
    path = tmp_path / "day.csv.gz"
    path.write_bytes(
        gzip.compress("".join(["ort,n\n", *[f"Düsseldorf,{i}\n" for i in range(100)]]).encode(encode))
    )
    form = sniff([path]).form
    assert form.encoding.replace("iso8859-1", "latin-1").replace("_", "-") == encoding


def test_a_byte_that_is_broken_among_many_that_are_right_makes_no_other_encoding(tmp_path):
    path = tmp_path / "day.csv"
    path.write_bytes(
        "".join(["ort,n\n", *[f"Düsseldorf,{i}\n" for i in range(100)]]).encode() + b"K\xf6ln,1\n"
    )
    assert sniff([path]).options == {}


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (["1", "2", "NA", "3"] * 30, {"nulls": ["NA"]}),
        (["1.5", "-", "2", "NULL"] * 30, {"nulls": ["NULL", "-"]}),
        (["ab", "?", "cd", "ef"] * 30, {"nulls": ["?"]}),
        (["ab", "NA", "cd", "ef"] * 30, {}),  # Namibia, perhaps
        (["?"] * 100 + ["x"], {}),
        ([" ab", " cd"] * 30, {"trim": True}),
        ([" ab", " ?", " cd"] * 30, {"nulls": ["?"], "trim": True}),
        (["1,5", "2,25", "3"] * 30, {"decimal": ","}),
        (["1.234,50", "2,25", "3"] * 30, {"decimal": ",", "thousands": "."}),
        (["1,234.50", "2.25", "3"] * 30, {"thousands": ","}),
        (["1'234.50", "2.25", "3"] * 30, {"thousands": "'"}),
        (["1 234,50", "2,25", "3"] * 30, {"decimal": ",", "thousands": " "}),
        (["1,234", "2,250"] * 30, {}),  # a thousand, or a fraction
        (["31.12.2011", "01.02.2011"] * 30, {"date_formats": ["dd.MM.yyyy"]}),
        (["31.12.2011", "1.2.2011"] * 30, {"date_formats": ["d.M.yyyy"]}),
        (["12/31/2011 10:30", "02/01/2011 08:15"] * 30, {"timestamp_formats": ["MM/dd/yyyy HH:mm"]}),
        (["02/01/2011", "03/04/2011"] * 30, {}),  # February or January
        (["2011-02-01 10:00:00,123"] * 30, {"timestamp_formats": ["yyyy-MM-dd HH:mm:ss,SSS"]}),
        (["2011-02-01T100000"] * 30, {"timestamp_formats": ["yyyy-MM-dd'T'HHmmss"]}),
        (["2011-02-01 10:00:00"] * 30, {}),
        (["10:30:00", "11:30:00"] * 30, {}),
        (["2011-13-01"] * 30, {}),
    ],
)
def test_the_way_values_are_written_is_told_from_the_values(values, options):
    found = habits_of({"c": values}, commas_part_fields=False)
    assert found.options == options
    Format.model_validate(found.options)
    assert set(found.why) == set(options)


def test_what_means_missing_is_said_with_its_share_and_what_may_mean_it_too():
    found = habits_of({"job": ["ab", "cd", "?", "ef"] * 25, "land": ["NA", "DE", "FR", "NA"] * 25}, False)
    assert found.why["nulls"] == "? is 25.0% of job"
    assert found.notes == ["50.0% of land is 'NA': if that means missing, add it to raw.nulls"]


def test_a_day_that_may_be_two_days_is_text_and_says_so():
    form = form_of(["02/01/2011", "03/04/2011"])
    assert form is not None
    assert form.pattern == ""
    assert "dd/MM" not in form.pattern
    assert "no value tells which" in form.note


def test_where_one_time_needs_a_pattern_the_others_get_theirs_too():
    found = habits_of(
        {"a": ["2011-02-01 10:00:00,123"] * 9, "b": ["2011-02-01 10:00:00", "2011-02-01T10:00:00.5"] * 9},
        False,
    )
    patterns = found.options["timestamp_formats"]
    assert patterns == ["yyyy-MM-dd HH:mm:ss,SSS", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"]


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["11401365285846887035", "6963066410161384201"], "string"),
        (["9223372036854775807"], "bigint"),
        (["9223372036854775808"], "string"),
        (["0.1234567890123456789", "1.5"], "decimal(20,19)"),
        (["1e400", "1.12345678901234567890"], "string"),
        (["2011-02-01T100000"], "string"),
        (["2011-02-01 10:00:00,123"], "string"),
        (["2011-W05-2"], "string"),
        (["2011-02-01 25:00"], "string"),
        (["2011-02-30"], "string"),
        (["2011-02-01T10:00:00.123Z", "2011-02-01 10:00+01:00"], "timestamp"),
        (["12D", "3f"], "string"),
        (["0x1p3"], "string"),
        (["١٢"], "string"),
    ],
)
def test_a_type_is_what_the_reader_will_read(values, type_):
    assert type_of(values * 3) == type_


@given(
    st.recursive(
        st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none(),
        lambda of: st.lists(of) | st.dictionaries(st.text(), of),
    )
)
def test_any_value_is_one_line_of_yaml_that_reads_back(value):
    line = flow(value)
    assert len(line.splitlines()) <= 1
    assert yaml.safe_load(f"k: {line}  # why")["k"] == value


@given(st.text())
def test_a_comment_ends_with_its_line(text):
    assert yaml.safe_load(f"k: 1  # {comment(text)}\nn: 2") == {"k": 1, "n": 2}


def test_names_are_looked_at_before_spark_starts(tmp_path):
    (tmp_path / "day.xlsx").touch()
    with pytest.raises(ConfigError, match=r"no files that end in \.csv, \.tsv"):
        raw_files([tmp_path])
    for name in ("u.data", "a.tsv", "b.txt.gz", "_SUCCESS", ".b.csv.crc", "part/c.ndjson"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(b"1\t2\n") if name.endswith("gz") else b"1\t2\n")
    assert [path.name for path in raw_files([tmp_path])] == ["a.tsv", "b.txt.gz", "c.ndjson", "u.data"]
    assert [path.name for path in raw_files([tmp_path / "day.xlsx"])] == ["day.xlsx"]  # who names it means it
    assert look_at([tmp_path / "u.data"]).form.delimiter == "\t"


DAYS = {
    "odd.csv": (
        "date;Reason;_x;preis;at;id;job;datum\n"
        + "".join(
            f"2011-02-01;r{i % 3};{i};{i},5;2011-02-01 10:{i % 60:02}:00,{i:03};{2**63 + i};"
            f"{'?' if i % 9 == 0 else WORDS[i % 4]};{i % 28 + 1:02}.02.2011\n"
            for i in range(200)
        ),
        {
            "raw_date": "date",
            "raw_Reason": "string",
            "raw_x": "int",
            "preis": "double",
            "at": "timestamp",
            "id": "string",
            "job": "string",
            "datum": "date",
        },
    ),
    "odd.jsonl": (
        "".join(
            f'{{"a\\nb": {i}, "x: y": "v{i % 3}", "#c": {i}.5, "null": true, "": "e", "Item": 1, "item": '
            f'"p\\nq\\u0085"}}\n'
            for i in range(200)
        ),
        {
            "a\nb": "int",
            "x: y": "string",
            "#c": "double",
            "null": "boolean",
            "column_5": "string",
            "Item": "int",
            "item_": "string",
        },
    ),
    "u.data": (
        "".join(f"{i % 40 + 1}\t{i % 17}\t{i % 5 + 1}\t{1300000000 + i * 7}\n" for i in range(200)),
        None,
    ),
}


@pytest.mark.spark
@pytest.mark.parametrize("name", DAYS)
def test_it_reads_the_days_that_it_was_shown_by_what_it_wrote(spark, night, raw_day, name):
    text, types = DAYS[name]
    path = raw_day(text, name)
    proposed = suggest(spark, [path])
    assert suggest(spark, [path]) == proposed
    values = yaml.safe_load(proposed)
    options = {key: value for key, value in values.get("raw", {}).items() if key not in ("folder", "files")}
    config = validate(Config, {**values["quality"], "raw": options}, "proposed")
    if types:
        assert {column: field.type for column, field in config.contract.items()} == types
    work = night.work("quality", raw=(path,))
    done = run(work, config, spark)
    assert (done.failed, done.ledger.rows_in) == (None, 200)
    assert sum(done.ledger.quarantined.values()) <= 2
    clean = pq.read_table([work.folder / file.path for file in done.tables["clean"].files]).sort_by("_line")
    if name == "odd.csv":
        assert clean["preis"].to_pylist()[:2] == [0.5, 1.5]
        assert clean["job"].null_count == 23
        assert clean["id"].to_pylist()[0] == str(2**63)
        assert clean["at"][7].as_py().microsecond == 7000
        assert Decimal(clean["raw_x"][3].as_py()) == 3


@pytest.mark.parametrize(
    ("pack", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")]
)
def test_packed_files_are_known_by_their_first_bytes(tmp_path, pack, name):
    (tmp_path / "a.csv").write_bytes(pack("stadt;n\nKöln;1\nBonn;2\n".encode("latin-1")))
    assert sniff([tmp_path / "a.csv"]).options == {
        "compression": name,
        "encoding": "latin-1",
        "delimiter": ";",
    }
