"""A missing value that cannot be kept is a mistake of the config with a way out, not a damaged file; keys
keep their digits.
"""

import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.features import run as features
from lsml_spark.prepare.run import _text

pytestmark = pytest.mark.spark


@pytest.mark.parametrize(
    ("carried", "type_"),
    [("IF(id % 3 = 0, NULL, id)", "double"), ("array(id, IF(id % 3 = 0, NULL, 1))", "array<double>")],
)
def test_a_missing_value_in_a_carried_column_is_named_with_the_ways_out(spark, night, carried, type_):
    rows = spark.range(9).selectExpr(
        "string(id) AS sample_id",
        "'k' AS key",
        "string(id % 2) AS label",
        "'f' AS f",
        f"cast({carried} AS {type_}) AS x",
        "1.0D AS weight",
    )
    inputs = {
        "augment": night.source("augment", train=rows.selectExpr("*", "1.0D AS keep_rate")),
        "prepare": night.source("prepare", train=rows, test=rows.drop("weight")),
    }
    config = features.Config(columns={"label": "vocabulary", "f": "vocabulary"}, carry=["x"])
    with pytest.raises(
        ConfigError, match=r"features.carry: 'x' is missing in 6 rows.*quality.missing.*coalesce\(x"
    ):
        features.run(night.work("features", inputs), config, spark)


def test_a_key_that_is_a_double_is_called_by_its_digits(spark):
    rows = spark.createDataFrame(
        [(12345678.0,), (1e15,), (-3.0,), (0.5,), (1e300,), (float("nan"),), (None,)], "key double"
    )
    found = [row.key for row in rows.select(_text("key", rows.schema["key"].dataType)).collect()]
    assert found == ["12345678", "1000000000000000", "-3", "0.5", "1.0E300", "NaN", None]
