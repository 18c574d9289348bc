"""Rates on rows: every row has the values of its key's group, whether the listed keys are few enough to be
broadcast or not.
"""

import re

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from lsml_spark.select import apply
from lsml_spark.select.apply import Groups, by_key
from lsml_spark.select.policies.policy import Spectrum

pytestmark = pytest.mark.spark
KEYS = {
    "head": 40,
    None: 30,
    "new": 3,
    **{f"known{i}": 3 for i in range(8)},
    **{f"once{i}": 1 for i in range(20)},
}


@pytest.mark.parametrize("most", [500_000, 5])
def test_each_row_has_the_values_of_its_keys_group(spark, monkeypatch, most):
    monkeypatch.setattr(apply, "MOST", most)
    rows = pd.DataFrame({"key": np.repeat(np.array(list(KEYS), object), list(KEYS.values()))})
    table = pd.DataFrame(
        {"key": list(KEYS), "count": list(KEYS.values()), "new": [key == "new" for key in KEYS]}
    )
    groups = Groups.of(spark.createDataFrame(table, "key string, count long, new boolean"))
    spectrum = Spectrum(np.asarray(groups.column("count"), np.int64), groups.keys_S, new=groups.column("new"))
    columns = {
        "keep_rate": np.where(
            spectrum.new, 1.0, np.array([{1: 0.8, 3: 0.5, 30: 0.25, 40: 0.1}[f] for f in spectrum.frequency])
        ),
        "pace": np.where(spectrum.frequency > 20, 0, 1).astype(np.int32),
    }
    rated = by_key(spark.createDataFrame(rows, "key string"), groups, columns, spectrum, 3)
    found = rated.frame.toPandas().drop_duplicates().set_index("key")
    assert len(found) == len(KEYS)
    for key, count in KEYS.items():
        row = found[found.index.isna()].iloc[0] if key is None else found.loc[key]
        rate = 1.0 if key == "new" else {1: 0.8, 3: 0.5, 30: 0.25, 40: 0.1}[count]
        assert (row.keep_rate, row.pace) == (rate, 0 if count > 20 else 1)
        assert row["__frequency"] == count if count > 1 else pd.isna(row["__frequency"])
    assert rated.heaviest == [["head", 40], [None, 30], ["known0", 3]]
    hints = re.findall("strategy=broadcast", rated.frame._jdf.queryExecution().analyzed().toString())
    assert len(hints) == (2 if most == 500_000 else 1), (
        "the table of groups is always small, that of keys need not be"
    )


def test_the_draw_of_a_row_hangs_on_its_id_and_the_seed_alone(spark):
    ids = spark.range(500).select(F.col("id").cast("string").alias("sample_id"))
    draws = [
        frame.select("sample_id", apply.uniform("sample_id", 5).alias("u"))
        .toPandas()
        .set_index("sample_id")
        .u
        for frame in (ids.repartition(4), ids.coalesce(1))
    ]
    pd.testing.assert_series_equal(draws[0].sort_index(), draws[1].sort_index())
