import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.run import Config

pytestmark = pytest.mark.spark


def test_text_is_one_of_the_listed(violated):
    assert violated({"one_of": ["UK", "DE"]}, "string", ["UK", "uk", "DE", "", None]) == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_numbers_are_compared_as_numbers(violated):
    assert violated({"one_of": [1, 2]}, "int", [1, 3, None]) == [False, True, False]
    assert violated({"one_of": [1, 2.5]}, "double", [1.0, 2.5, 2.4]) == [False, False, True]


def test_numbers_listed_for_a_column_of_text_are_compared_as_text(violated):
    assert violated({"one_of": [200, 404]}, "string", ["200", "x", "500"]) == [False, True, True]


def test_a_long_list_is_named_by_its_first_values():
    assert parse({"one_of": list("abcdefg")}, RowCheck, column="v").label == "v: not one of a, b, c, d, e …"


@pytest.mark.parametrize("values", [[], [True, False], "abc"])
def test_a_list_that_cannot_be_meant_is_a_config_error(values):
    # YAML reads an unquoted `no` as false: Norway would be refused in silence.
    with pytest.raises(ConfigError, match=r"one_of|values") as caught:
        validate(
            Config,
            {"contract": {"v": "string"}, "columns": {"v": [{"one_of": values}]}},
            "night.yaml: quality",
        )
    assert len(str(caught.value).splitlines()) == 1
