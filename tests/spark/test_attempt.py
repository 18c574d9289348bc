"""An expression that raises gives NULL on that row alone, wherever Spark's optimizer would like to move its
parts.
"""

from contextlib import suppress

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lsml_spark.spark.attempt import attempt, compiled_apart

pytestmark = pytest.mark.spark
EXPRESSIONS = [
    "10 / n > 0",
    "CASE WHEN 10 / n > 0 THEN true ELSE false END",
    "if(10 / n > 0, true, n > 5)",
    "cast(s AS int) > 0",
    "element_at(array(1, 2), n) > 0",
    "exists(array(n, 1), x -> 10 / x > 0)",
]


@pytest.mark.parametrize("cached", [False, True])
def test_a_row_that_raises_is_null(spark, cached):
    rows = [(1, "1"), (0, "x"), (2, "2")]
    frame = spark.createDataFrame(rows, "n int, s string").repartition(1)
    frame = frame.cache() if cached else frame
    with compiled_apart(spark):
        tried = [
            attempt(F.coalesce(F.expr(sql), F.lit(False)).cast("int")).alias(f"c{i}")
            for i, sql in enumerate(EXPRESSIONS)
        ]
        found = frame.select("n", *tried).orderBy("n").collect()
    assert [list(row)[1:] for row in found] == [[None] * 6, [1] * 6, [1] * 6]


def test_without_an_attempt_the_job_ends(spark):
    with pytest.raises(PySparkException, match="DIVIDE_BY_ZERO"):
        spark.range(3).select(F.expr("10 / id > 0")).collect()


def test_settings_are_put_back_after_a_failure(spark):
    keys = [
        "spark.sql.optimizer.excludedRules",
        "spark.sql.subexpressionElimination.enabled",
        "spark.sql.codegen.hugeMethodLimit",
    ]
    before = [spark.conf.get(key, None) for key in keys]
    with suppress(RuntimeError), compiled_apart(spark):
        assert [spark.conf.get(key, None) for key in keys] != before
        raise RuntimeError
    assert [spark.conf.get(key, None) for key in keys] == before
