import math

import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.run import Config

pytestmark = pytest.mark.spark


def test_the_bounds_belong_to_the_range(violated):
    values = [0.0, 0.01, 1.0, 10.0, 10.001, -math.inf, math.inf]
    assert violated({"in_range": {"low": 0.01, "high": 10}}, "double", values) == [
        True,
        False,
        False,
        False,
        True,
        True,
        True,
    ]


def test_either_bound_can_be_left_out(violated):
    assert violated({"in_range": {"low": 0}}, "int", [-1, 0, 10**9]) == [True, False, False]
    assert violated({"in_range": {"high": 0}}, "int", [-1, 0, 10**9]) == [False, False, True]


def test_null_and_nan_are_not_its_business(violated):
    assert violated({"in_range": {"low": 0, "high": 1}}, "double", [None, math.nan, 2.0]) == [
        False,
        False,
        True,
    ]


def test_text_is_compared_as_a_number_where_it_is_one(violated):
    assert violated({"in_range": {"low": 0, "high": 10}}, "string", ["5", "11", "x", ""]) == [
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("bounds", "words"),
    [({"low": 0.5, "high": 2}, "0.5 to 2"), ({"low": 1}, "below 1"), ({"high": 1000}, "above 1000")],
)
def test_the_rule_is_named_in_words(bounds, words):
    assert words in parse({"in_range": bounds}, RowCheck, column="v").label


@pytest.mark.parametrize("bounds", [{}, {"low": 2, "high": 1}, {"low": "x"}, {"lo": 1}])
def test_a_range_that_is_none_is_a_config_error(bounds):
    with pytest.raises(ConfigError, match=r"quality\.columns") as caught:
        validate(
            Config,
            {"contract": {"v": "int"}, "columns": {"v": [{"in_range": bounds}]}},
            "night.yaml: quality",
        )
    assert len(str(caught.value).splitlines()) == 1
