"""The zipf stage counts every key as pandas does, and describes spectra of any shape."""

import json

import duckdb
import numpy as np
import pandas as pd
import pytest

from lsml_spark.core.ledger import Ledger
from lsml_spark.spark import tables
from lsml_spark.zipf import count
from lsml_spark.zipf import run as zipf

pytestmark = pytest.mark.spark


def profile_of(spark, night, keys, **config):
    frame = spark.createDataFrame(
        pd.DataFrame({"sample_id": [str(i) for i in range(len(keys))], "key": keys}),
        "sample_id string, key string",
    )
    work = night.work("zipf", {"prepare": night.source("prepare", train=frame)})
    outcome = zipf.run(work, zipf.Config(**config), spark)
    source = night.finish(work, outcome)
    return source, json.loads(source.file("profile.json").read_text())


def test_counts_and_spectrum_of_real_keys_are_those_of_pandas(spark, night, retail):
    keys = pd.read_csv(retail / "2011-02-01.csv.gz", dtype=str).StockCode
    source, profile = profile_of(spark, night, keys)
    expected = keys.value_counts()
    counts = (
        duckdb.read_parquet([str(path) for path in source.files("counts")]).df().set_index("key")["count"]
    )
    assert counts.to_dict() == expected.to_dict()
    assert profile["spectrum"] == [[f, n] for f, n in sorted(expected.value_counts().items())]
    assert (profile["rows"], profile["keys"], profile["hapaxes"]) == (
        len(keys),
        keys.nunique(),
        (expected == 1).sum(),
    )
    assert profile["unseen_mass"] == pytest.approx((expected == 1).sum() / len(keys), abs=1e-9)
    assert profile["hapax_share"] == pytest.approx((expected == 1).mean(), abs=1e-6)
    assert profile["heaps"]["curve"][-1] == [len(keys), keys.nunique()]
    assert profile["sampled"] is None
    assert set(profile["tests"]) == {"lognormal", "cutoff"}
    assert set(profile["mandelbrot"]) == {"s", "q", "c"}
    assert [t for t, _, _ in profile["forecast"]] == [0.5, 1.0, 2.0]
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
    assert (profile["fit"], profile["tests"], profile["mandelbrot"]) == (None, None, None)
    assert profile["coverage"] == ([[len(set(keys)), 1.0]] if keys else [])


def test_the_counts_do_not_depend_on_the_partitions_and_ties_of_the_top_are_in_order(spark, night):
    keys = np.random.default_rng(4).choice(list("zyxabc"), 600).tolist()
    frame = spark.createDataFrame(
        pd.DataFrame({"sample_id": map(str, range(600)), "key": keys}), "sample_id string, key string"
    )
    outcomes = []
    for partitions in (1, 3, 11):
        work = night.work("zipf", {"prepare": night.source("prepare", train=frame.repartition(partitions))})
        outcomes.append(night.finish(work, zipf.run(work, zipf.Config(top=2), spark)))
    assert len({source.manifest.identity for source in outcomes}) == 1
    assert len(json.loads(outcomes[0].file("profile.json").read_text())["top"]) == 2
    assert set(tables.read(spark, outcomes[0], table="counts").dtypes) == {
        ("key", "string"),
        ("count", "bigint"),
    }


def test_a_null_key_is_counted_as_a_key_of_its_own(spark, night):
    # prepare lets none through; if one came, no row would be lost
    source, profile = profile_of(spark, night, [None, None, "a"])
    assert profile["top"] == [[None, 2], ["a", 1]]
    assert source.manifest.ledger == Ledger(3, 3)


@pytest.fixture(scope="module")
def long_tail():
    """40,000 rows of 9,000 keys or so."""
    chance = np.arange(1, 30_001) ** -1.05
    return [f"k{i}" for i in np.random.default_rng(8).choice(30_000, 40_000, p=chance / chance.sum())]


def test_beyond_the_budget_the_head_is_exact_and_the_tail_a_sample_of_whole_keys(spark, night, long_tail):
    truth = pd.Series(long_tail).value_counts()
    source, profile = profile_of(spark, night, long_tail, exact="auto", max_keys=1000, one_in=10, head=200)
    counted = (
        duckdb.read_parquet([str(path) for path in source.files("counts")]).df().set_index("key")["count"]
    )
    assert counted.to_dict() == truth[counted.index].to_dict()  # every key that is there is there whole
    assert set(truth.index[truth > truth.iloc[199]]) <= set(counted.index)
    assert [count for _, count in profile["top"]] == truth.iloc[:50].tolist()
    sampled = profile["sampled"]
    assert (sampled["one_in"], sampled["head"]) == (10, 200)
    assert (sampled["keys_counted"], sampled["rows_counted"]) == (len(counted), counted.sum())
    assert source.manifest.ledger == Ledger(
        40_000, counted.sum(), dropped={"key not in the sample": 40_000 - counted.sum()}
    )
    assert profile["rows"] == 40_000
    errors = sampled["errors"]
    assert abs(sampled["rows_estimated"] - 40_000) < 4 * errors["rows"]
    assert abs(profile["keys"] - len(truth)) < 4 * errors["keys"]
    assert abs(profile["unseen_mass"] - (truth == 1).sum() / 40_000) < 4 * errors["unseen_mass"]
    assert 0 < errors["keys"] < 0.1 * len(truth)


def test_auto_counts_every_key_unless_there_are_too_many(spark, long_tail):
    samples = spark.createDataFrame([(key,) for key in long_tail], "key string")
    keys = len(set(long_tail))
    counts_all = {
        most: zipf._counts_all(zipf.Config(exact="auto", max_keys=most), samples, 40_000)
        for most in (40_000, 2 * keys, keys // 2)
    }
    assert counts_all == {40_000: True, 2 * keys: True, keys // 2: False}
    assert zipf._counts_all(zipf.Config(), samples, 10**12)


def test_the_same_keys_are_sampled_every_night(spark, long_tail):
    nobody = spark.createDataFrame([], "key string")
    nights = []
    for rows in (long_tail[:20_000], long_tail[20_000:]):
        samples = spark.createDataFrame([(key,) for key in rows], "key string")
        nights.append({row["key"] for row in count.sampled_keys(samples, nobody, 10).collect()})
    common = set(long_tail[:20_000]) & set(long_tail[20_000:])
    assert nights[0] & common == nights[1] & common
    assert 0.05 < len(nights[0] & common) / len(common) < 0.15


def test_a_sample_of_nothing_is_nothing(spark, night):
    source, profile = profile_of(spark, night, [], exact=False)
    assert (profile["rows"], profile["keys"], profile["unseen_mass"]) == (0, 0, 1.0)
    assert source.manifest.ledger == Ledger(0, 0, dropped={"key not in the sample": 0})
