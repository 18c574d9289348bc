"""What `missing` does day by day: rows dropped or kept aside, each counted; values are filled in later, when
a night prepares.
"""

import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.run import Config

pytestmark = pytest.mark.spark
LINES = ["a,b,n", "x,,1", ",y,2", ",,3", "x,y,nan", "x,y,5", "x,y"]


def test_rows_are_dropped_or_kept_aside_and_every_one_is_counted(check_day, raw_day):
    contract = {"a": "string", "b": "string", "n": "double"}
    day = check_day(contract, raw_day(LINES), missing={"a": "quarantine", "b": "drop", "n": "drop"})
    malformed = "malformed line: wrong number of fields"
    # the row without both is kept: nothing that is wrong is lost
    assert day.ledger.quarantined == {"a: missing": 2, malformed: 1}
    assert day.ledger.dropped == {"b: missing": 1, "n: missing": 1}
    assert (day.ledger.rows_in, day.ledger.rows_out) == (6, 1)
    assert [row["_line"] for row in day.clean] == [6]
    assert [row["_line"] for row in day.quarantine] == [3, 4, 7]


def test_a_column_that_is_to_be_filled_in_stays_as_it_is(check_day, raw_day):
    day = check_day(
        {"a": "string", "b": "string", "n": "double"}, raw_day(LINES), missing={"b": {"impute": "mode"}}
    )
    assert [row["b"] for row in day.clean] == [None, "y", None, "y", "y"]


def test_a_policy_for_a_column_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"quality.missing.c: not in quality.contract"):
        validate(Config, {"contract": {"a": "string"}, "missing": {"c": "drop"}}, "night.yaml: quality")
    with pytest.raises(ConfigError, match=r"missing.a"):
        validate(Config, {"contract": {"a": "string"}, "missing": {"a": "ignore"}}, "night.yaml: quality")
