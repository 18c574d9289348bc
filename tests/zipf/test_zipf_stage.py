"""The zipf stage counts every key as pandas does, and describes spectra of any shape."""

import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from lsml_spark.core.ledger import Ledger
from lsml_spark.spark import tables
from lsml_spark.zipf import run as zipf

pytestmark = pytest.mark.spark


def profile_of(spark, night, keys, top: int = 50):
    frame = spark.createDataFrame(
        pd.DataFrame({"sample_id": [str(i) for i in range(len(keys))], "key": keys}), "sample_id string, key string"
    )
    work = night.work("zipf", {"prepare": night.source("prepare", train=frame)})
    outcome = zipf.run(work, zipf.Config(top=top), spark)
    source = night.finish(work, outcome)
    return source, json.loads(source.file("profile.json").read_text())


def test_counts_and_spectrum_of_real_keys_are_those_of_pandas(spark, night, retail):
    keys = pd.read_csv(retail / "2011-02-01.csv.gz", dtype=str).StockCode
    source, profile = profile_of(spark, night, keys)
    expected = keys.value_counts()
    counts = duckdb.read_parquet([str(path) for path in source.files("counts")]).df().set_index("key")["count"]
    assert counts.to_dict() == expected.to_dict()
    assert profile["spectrum"] == [[f, n] for f, n in sorted(expected.value_counts().items())]
    assert (profile["rows"], profile["keys"], profile["hapaxes"]) == (len(keys), keys.nunique(), (expected == 1).sum())
    assert profile["unseen_mass"] == pytest.approx((expected == 1).sum() / len(keys), abs=1e-9)
    falling = sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))
    assert profile["top"] == [list(pair) for pair in falling[:50]]
    assert source.manifest.ledger == Ledger(len(keys), len(keys))


@pytest.mark.parametrize(
    ("keys", "spectrum", "unseen"),
    [(["a"] * 7, [[7, 1]], 0.0), ([f"k{i}" for i in range(60)], [[1, 60]], 1.0), ([], [], 1.0)],
    ids=["one key", "all seen once", "no rows"],
)
def test_degenerate_spectra_are_described(spark, night, keys, spectrum, unseen):
    _, profile = profile_of(spark, night, keys)
    assert profile["spectrum"] == spectrum
    assert profile["unseen_mass"] == unseen
    assert profile["fit"] is None
    assert profile["coverage"] == ([[len(set(keys)), 1.0]] if keys else [])


def test_the_counts_do_not_depend_on_the_partitions_and_ties_of_the_top_are_in_order(spark, night):
    keys = np.random.default_rng(4).choice(list("zyxabc"), 600).tolist()
    frame = spark.createDataFrame(pd.DataFrame({"sample_id": map(str, range(600)), "key": keys}), "sample_id string, key string")
    outcomes = []
    for partitions in (1, 3, 11):
        work = night.work("zipf", {"prepare": night.source("prepare", train=frame.repartition(partitions))})
        outcomes.append(night.finish(work, zipf.run(work, zipf.Config(top=2), spark)))
    assert len({source.manifest.identity for source in outcomes}) == 1
    assert len(json.loads(outcomes[0].file("profile.json").read_text())["top"]) == 2
    assert set(tables.read(spark, outcomes[0], table="counts").dtypes) == {("key", "string"), ("count", "bigint")}
