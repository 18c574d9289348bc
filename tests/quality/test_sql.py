import pytest

from lsml_spark.core.errors import ConfigError

pytestmark = pytest.mark.spark


def test_a_predicate_that_is_false_is_a_violation(violated):
    assert violated({"sql": "v % 2 = 0"}, "int", [2, 3]) == [False, True]


def test_a_predicate_that_is_null_counts_as_held(violated):
    assert violated({"sql": "v > 1"}, "int", [None, 1, 2]) == [False, True, False]


def test_it_sees_all_columns_and_can_be_named(check_day, raw_day):
    rule = {"sql": "low < high", "on_bad": "quarantine", "name": "the wrong way round"}
    day = check_day({"low": "int", "high": "int"}, raw_day(["low,high", "1,2", "2,1", "2,2"]), rows=[rule])
    assert day.ledger.quarantined == {"the wrong way round": 2}


@pytest.mark.parametrize(
    "predicate", ["lwo < high", "low <", "low + high", "no_such_function(low)", "sum(low) > 1"]
)
def test_what_is_no_predicate_is_a_one_line_config_error(check_day, raw_day, predicate):
    with pytest.raises(ConfigError, match="quality: ") as caught:
        check_day({"low": "int", "high": "int"}, raw_day(["low,high", "1,2"]), rows=[{"sql": predicate}])
    assert len(str(caught.value).splitlines()) == 1


def test_a_row_on_which_a_predicate_raises_is_kept_aside_not_the_night(check_day, raw_day):
    day = check_day(
        {"low": "int", "high": "int"},
        raw_day(["low,high", "1,0", "4,2", "1,2"]),
        rows=[{"sql": "low / high > 1"}],
    )
    assert day.ledger.quarantined == {"breaks low / high > 1: raises an error": 1}
    assert [row["_line"] for row in day.clean] == [3, 4]
    assert day.finding("breaks low / high > 1")["rows"] == 1
