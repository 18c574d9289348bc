import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse

pytestmark = pytest.mark.spark
CONTRACT = {"a": "string", "b": "int"}
RULE = {"unique": ["a", "b"], "on_bad": "quarantine"}


def test_the_first_of_equals_is_kept(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["a,b", "x,1", "x,2", "x,1", "y,1", "x,1"]), rows=[RULE])
    assert [row["_line"] for row in day.clean] == [2, 3, 5]
    assert [row["_line"] for row in day.quarantine] == [4, 6]
    assert {row["reason"] for row in day.quarantine} == {"duplicate of an earlier line by a, b"}


def test_null_equals_nothing(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["a,b", ",1", ",1", "x,", "x,", ",", ",", "x,1", "x,1"]), rows=[RULE])
    assert [row["_line"] for row in day.clean] == [2, 3, 4, 5, 6, 7, 8]


def test_files_of_a_day_are_compared_with_each_other_in_the_order_of_their_names(check_day, raw_day):
    files = raw_day(["a,b", "x,1"], "day.1.csv"), raw_day(["a,b", "x,1", "y,1"], "day.2.csv")
    day = check_day(CONTRACT, *files, rows=[RULE])
    assert [(row["_file"], row["_line"]) for row in day.clean] == [("day.1.csv", 2), ("day.2.csv", 3)]


def test_a_malformed_line_does_not_make_a_good_one_its_duplicate(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["a,b", "x,1,surplus", "x,1"]), rows=[RULE])
    assert [row["_line"] for row in day.clean] == [3]
    assert day.ledger.quarantined == {"malformed line: wrong number of fields": 1}


def test_duplicates_can_be_a_warning_alone(check_day, raw_day):
    day = check_day(CONTRACT, raw_day(["a,b", "x,1", "x,1"]), rows=[{"unique": ["a", "b"]}])
    assert len(day.clean) == 2
    assert day.finding("duplicate of an earlier line by a, b")["rows"] == 1
    assert day.metrics["verdict"] == "warn"


def test_an_unknown_column_is_a_config_error(check_day, raw_day):
    with pytest.raises(ConfigError, match="quality"):
        check_day(CONTRACT, raw_day(["a,b", "x,1"]), rows=[{"unique": ["a", "c"]}])
    with pytest.raises(ValueError, match="columns"):
        parse({"unique": []}, RowCheck)


def test_only_lines_that_the_check_is_about_are_compared(check_day, raw_day):
    rule = {"unique": ["a"], "on_bad": "quarantine", "where": "b = 'x'"}
    day = check_day({"a": "int", "b": "string"}, raw_day(["a,b", "1,y", "1,x", "1,x", "1,y"]), rows=[rule])
    assert [row["_line"] for row in day.quarantine] == [4]
