"""The format options of `raw:`: what is refused and how it is said, and that a pipeline that says nothing
keeps its fingerprints.
"""

import re
from pathlib import Path

import pytest
import yaml

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.raw import Format, Raw
from lsml_spark.flow.pipeline import Pipeline

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"delimiter": ";;"}, "raw.delimiter: expected one character, found ';;'; a tab is '\\t'"),
        ({"delimiter": ""}, "raw.delimiter: expected one character"),
        ({"delimiter": "\n"}, "raw.delimiter: a line break ends a record"),
        ({"delimiter": [";"]}, "raw.delimiter: expected a character"),
        ({"delimiter": '"'}, "raw: delimiter and quote are both"),
        ({"delimitr": ";"}, "unknown key 'delimitr' (did you mean 'delimiter'?)"),
        ({"escape": "x"}, "neither the quote, which is then doubled, nor a backslash"),
        ({"encoding": "utf8-ish"}, "Python knows no encoding 'utf8-ish'; common ones: utf-8, latin-1"),
        ({"encoding": "rot13"}, "Python knows no encoding"),
        ({"encoding": "hex"}, "Python knows no encoding"),
        ({"encoding": 8}, "raw.encoding"),
        ({"date_formats": "dd.MM.YYYY"}, "the letter Y means nothing in a pattern of Spark, did you mean y?"),
        ({"date_formats": ["--"]}, "no letter in it stands for a day or a time"),
        ({"date_formats": ["yyyyyyyy-MM-dd"]}, "at most 6 times y"),
        ({"date_formats": ["EEE dd.MM.yyyy"]}, "the letter E means nothing"),
        ({"date_formats": ["yyyy-[MM"]}, "is no pattern of Spark"),
        ({"timestamp_formats": ["yyyy-MM-dd V"]}, "is no pattern of Spark"),
        ({"timestamp_formats": ["yyyy-MM-ddTHH:mm"]}, "write it as 'T'"),
        ({"timestamp_formats": ["yyyy 'o"]}, "a quote in it is never closed"),
        ({"zone": "Europe/Berlon"}, "there is no time zone 'Europe/Berlon'"),
        ({"zone": "../../etc/passwd"}, "there is no time zone"),
        ({"thousands": ",", "decimal": ","}, "decimal and thousands are both ','"),
        ({"thousands": "x"}, "raw.thousands"),
        ({"compression": "zip"}, "raw.compression"),
        ({"nulls": {"a": 1}}, "raw.nulls"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(given, said):
    with pytest.raises(ConfigError) as caught:
        validate(Format, given, "night.yaml: raw")
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "pattern",
    [
        "dd.MM.yyyy",
        "d/M/yy",
        "yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX",
        "dd-MMM-yyyy h:mm a",
        "yyyyMMdd VV",
        "D yyyy O",
    ],
)
def test_patterns_of_spark_are_taken(pattern):
    assert Format(date_formats=pattern).date_formats == [pattern]


def test_only_what_differs_from_the_defaults_is_said():
    assert Format().changed() == {}
    assert Format(delimiter="\\t", quote=None, encoding="latin1", nulls="NA").changed() == {
        "delimiter": "\t",
        "quote": "",
        "encoding": "iso8859-1",
        "nulls": ["NA"],
    }
    assert Format(encoding="utf-8-sig", delimiter=",").changed() == {}


def test_the_format_reaches_the_quality_stage_and_changes_its_config_only_where_something_is_said(tmp_path):
    path = tmp_path / "p.yaml"
    given = {
        "name": "t",
        "raw": {"folder": "raw", "files": "{{ date }}.csv"},
        "quality": {"contract": {"n": "int"}},
    }
    path.write_text(yaml.safe_dump(given))
    assert "raw" not in Pipeline(path).resolved("quality")
    changed = Pipeline(path, ["raw.delimiter=;", "raw.header=false"])
    assert changed.resolved("quality")["raw"] == {"delimiter": ";", "header": False}
    assert (changed.config("quality").format.delimiter, changed.config("quality").format.header) == (
        ";",
        False,
    )
    path.write_text(yaml.safe_dump({**given, "quality": {"contract": {"n": "int"}, "header": False}}))
    assert Pipeline(path).config("quality").format.header is False
    assert "raw" not in Pipeline(path).resolved("quality")
    path.write_text(
        yaml.safe_dump({**given, "quality": {"contract": {"n": "int"}, "raw": {"delimiter": ";"}}})
    )
    with pytest.raises(ConfigError, match=r"how raw files are written is said in `raw:`"):
        Pipeline(path).config("quality")


def test_the_docs_name_every_option_and_its_default():
    """docs/raw.md: "- `name` (`default`; where it counts): …"."""
    lines = (PROJECT / "docs" / "raw.md").read_text().split("## What is a record")[0]
    said = re.findall(r"^- (`[^(:]*`)(?: \((?:`([^`]*)`)?)?", lines, re.MULTILINE)
    defaults = {name: default for names, default in said for name in re.findall(r"\w+", names)}
    assert set(defaults) == set(Raw.model_fields)
    for name, field in Format.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert defaults[name] == (str(default) if default != [] else "[]")
