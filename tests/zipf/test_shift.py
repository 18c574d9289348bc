"""The shift between two nights is that of pandas."""

import numpy as np
import pandas as pd
import pytest

from lsml_spark.zipf import run as zipf
from lsml_spark.zipf.shift import shift

pytestmark = pytest.mark.spark


def table(spark, counts: dict[str, int]):
    return spark.createDataFrame(list(counts.items()), "key string, count long")


def test_keys_that_came_went_and_moved_are_those_of_pandas(spark):
    random = np.random.default_rng(4)
    before, now = (
        pd.Series(random.zipf(1.7, 300).clip(max=500), index=random.choice(500, 300, replace=False))
        for _ in range(2)
    )
    before.index, now.index = before.index.map(str), now.index.map(str)
    found = shift(
        table(spark, now.to_dict()), table(spark, before.to_dict()), int(now.sum()), int(before.sum())
    )

    shares = pd.DataFrame({"before": before / before.sum(), "now": now / now.sum()}).fillna(0.0)
    entered, left = shares[shares.before == 0], shares[shares.now == 0]
    assert found["entered"] == {"keys": len(entered), "share": pytest.approx(entered.now.sum(), abs=1e-6)}
    assert found["left"] == {"keys": len(left), "share": pytest.approx(left.before.sum(), abs=1e-6)}
    assert found["distance"] == pytest.approx((shares.now - shares.before).abs().sum() / 2, abs=1e-6)
    shares["change"] = (shares.now - shares.before).abs().round(9)
    largest = shares.rename_axis("key").reset_index().sort_values(["change", "key"], ascending=False).head(20)
    moved = largest.sort_values(["change", "key"], ascending=[False, True])
    assert [key for key, _, _ in found["movers"]] == moved.key.tolist()
    assert np.array([pair for _, *pair in found["movers"]]) == pytest.approx(
        moved[["before", "now"]].to_numpy(), abs=1e-8
    )


def test_the_same_shares_are_no_shift_and_other_keys_a_whole_one(spark):
    once, tenfold = table(spark, {"a": 1, "b": 3}), table(spark, {"a": 10, "b": 30})
    still = {"keys": 0, "share": 0.0}
    assert shift(tenfold, once, 40, 4) == {"entered": still, "left": still, "distance": 0.0, "movers": []}
    other = shift(table(spark, {"c": 2}), once, 2, 4)
    assert other == {
        "entered": {"keys": 1, "share": 1.0},
        "left": {"keys": 2, "share": 1.0},
        "distance": 1.0,
        "movers": [["c", 0.0, 1.0], ["b", 0.75, 0.0], ["a", 0.25, 0.0]],
    }
    assert shift(once, table(spark, {}), 4, 0) is None
    assert shift(table(spark, {}), once, 0, 4) is None


def test_the_stage_looks_at_the_last_night(spark, night):
    def zipf_of(keys, day, **inputs):
        frame = spark.createDataFrame(
            [(str(i), key) for i, key in enumerate(keys)], "sample_id string, key string"
        )
        work = night.on(day).work("zipf", {"prepare": night.on(day).source("prepare", train=frame), **inputs})
        source = night.finish(work, zipf.run(work, zipf.Config(), spark))
        return source, source.manifest.metrics

    first, metrics = zipf_of("aaab", "2011-02-01")
    assert metrics["shift"] is None
    _, metrics = zipf_of("aabbcc", "2011-02-02", previous=first)
    assert metrics["shift"]["since"] == "2011-02-01"
    assert metrics["shift"]["entered"] == {"keys": 1, "share": pytest.approx(1 / 3, abs=1e-6)}
    assert metrics["shift"]["movers"][0] == ["a", 0.75, pytest.approx(1 / 3)]
    # keys that were not counted are not gone
    assert zipf._shift(spark, None, {"sampled": {"one_in": 100}}, first) is None
