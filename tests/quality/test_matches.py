import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse

pytestmark = pytest.mark.spark


def test_an_anchored_pattern_means_the_whole_value(violated):
    values = ["C536379", "536379", "X536379", "5363799", ""]
    assert violated({"matches": r"^[AC]?\d{6}$"}, "string", values) == [False, False, True, True, True]


def test_a_pattern_without_anchors_may_match_anywhere(violated):
    assert violated({"matches": "b+"}, "string", ["abbc", "ac"]) == [False, True]


def test_null_is_not_its_business(violated):
    assert violated({"matches": "x"}, "string", [None, "y"]) == [False, True]


def test_numbers_are_matched_as_they_are_written(violated):
    assert violated({"matches": r"^\d{2}$"}, "int", [12, 123, None]) == [False, True, False]


def test_the_pattern_is_part_of_its_name():
    assert parse({"matches": "^x$"}, RowCheck, column="v").label == "v: does not match ^x$"


def test_a_pattern_that_is_none_is_a_one_line_config_error(check_day, raw_day):
    with pytest.raises(ConfigError, match="quality") as caught:
        check_day({"v": "string"}, raw_day(["v", "a"]), columns={"v": [{"matches": "(unclosed"}]})
    assert len(str(caught.value).splitlines()) == 1
