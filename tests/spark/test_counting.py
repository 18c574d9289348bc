"""Rows that meet conditions, against NumPy."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from lsml_spark.spark.counting import rows_where

pytestmark = pytest.mark.spark


def test_conditions_are_counted_by_file_and_null_is_not_true(spark):
    x_N = np.random.default_rng(0).integers(0, 10, 500)
    rows = [(f"{'ba'[i % 3 == 0]}.csv", None if x == 9 else int(x)) for i, x in enumerate(x_N)]
    frame = spark.createDataFrame(rows, "`a.file` string, x int").repartition(4)
    found = rows_where(frame, [F.col("x") > limit for limit in range(8)] + [F.col("x").isNull()], by="a.file")
    assert list(found) == ["a.csv", "b.csv"]
    for (count, true_C), mine in zip(
        found.values(), (np.arange(500) % 3 == 0, np.arange(500) % 3 > 0), strict=True
    ):
        own_N = x_N[mine]
        assert count == len(own_N)
        assert true_C.tolist() == [
            *[int(((own_N > limit) & (own_N < 9)).sum()) for limit in range(8)],
            int((own_N == 9).sum()),
        ]


def test_no_rows_and_no_conditions(spark):
    assert rows_where(spark.createDataFrame([], "f string"), [F.lit(True)], by="f") == {}
    ((count, true_C),) = rows_where(spark.createDataFrame([("a",)], "f string"), [], by="f").values()
    assert count == 1
    assert true_C.tolist() == []
