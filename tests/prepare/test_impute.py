"""Missing values are filled in with what pandas computes on the training days alone."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.core.missing import Missing
from lsml_spark.prepare import run as prepare
from lsml_spark.prepare.impute import Imputer

SCHEMA = "shop string, kind string, price double, n int"
SQL = "SELECT concat(date, n) sample_id, kind key, kind label, date, price, price_missing FROM clean"


def some_rows(seed: int, rows: int = 300) -> list[tuple]:
    """Rows with NULL and NaN prices, NULL shops, and one shop that has no price at all."""
    draw = np.random.default_rng(seed)
    shops, kinds = draw.choice(["a", "b", "c", None], rows), draw.choice(["x", "y", "z"], rows)
    prices = [
        draw.choice([None, float("nan"), round(draw.lognormal(), 2)], p=[0.2, 0.1, 0.7]) for _ in range(rows)
    ]
    return [
        (s, k, None if s == "c" else p, i)
        for i, (s, k, p) in enumerate(zip(shops, kinds, prices, strict=True))
    ]


def policies(**given) -> dict[str, Missing]:
    return {name: Missing.model_validate(policy) for name, policy in given.items()}


@pytest.mark.spark
@pytest.mark.parametrize("seed", [1, 2])
def test_a_median_by_group_is_that_of_pandas_and_a_group_without_any_takes_the_whole(spark, seed):
    train, other = some_rows(seed), some_rows(seed + 100)
    frame = pd.DataFrame(train, columns=["shop", "kind", "price", "n"])
    groups = frame.groupby("shop", dropna=False).price.quantile(0.5, interpolation="lower")
    whole = frame.price.quantile(0.5, interpolation="lower")
    imputer = Imputer(
        spark.createDataFrame(train, SCHEMA), policies(price={"impute": "median", "by": ["shop"]})
    )
    assert imputer.values == {"price": whole}
    found = imputer.fill(spark.createDataFrame(other, SCHEMA)).orderBy("n").collect()
    assert len(found) == len(other)
    for (shop, _, price, _), row in zip(other, found, strict=True):
        missing = price is None or np.isnan(price)
        key = np.nan if shop is None else shop
        group = groups.get(key) if shop is not None else groups[groups.index.isna()].iloc[0]
        assert row.price == ((whole if pd.isna(group) else group) if missing else price)
        assert row.price_missing == missing


@pytest.mark.spark
def test_a_mode_takes_the_least_of_equals_and_a_constant_what_it_is_given(spark):
    rows = [
        ("b", "x", 1.0, 1),
        ("a", "x", 1.0, None),
        ("a", "y", None, 3),
        ("b", None, 2.0, 4),
        (None, "y", 2.0, 5),
    ]
    given = policies(
        shop={"impute": "mode"},
        kind={"impute": "mode", "by": ["shop"]},
        n={"impute": "constant", "value": -1, "indicator": False},
    )
    imputer = Imputer(spark.createDataFrame(rows, SCHEMA), given)
    assert imputer.values == {"shop": "a", "kind": "x", "n": -1}
    filled = imputer.fill(spark.createDataFrame(rows, SCHEMA))
    assert filled.columns == ["shop", "kind", "price", "n", "shop_missing", "kind_missing"]
    assert [row.n for row in filled.collect()] == [1, -1, 3, 4, 5]
    assert sorted(row.shop for row in filled.collect()) == ["a", "a", "a", "b", "b"]
    assert dict(filled.dtypes)["n"] == "int"


@pytest.mark.spark
def test_the_night_fills_in_its_test_day_from_its_training_days(spark, night):
    config = {"missing": {"price": {"policy": "impute", "impute": "median"}}}

    def day(date: str, prices: list):
        rows = [(date, "k", price, i) for i, price in enumerate(prices)]
        source = night.on(date).source(
            "quality", clean=spark.createDataFrame(rows, "date string, kind string, price double, n int")
        )
        object.__setattr__(source.manifest, "config", config)
        return source

    inputs = {
        "quality/2011-01-31": day("2011-01-31", [1.0, 3.0, 5.0, None]),
        "quality/2011-02-01": day("2011-02-01", [100.0, None]),
    }
    work = night.work("prepare", inputs)
    made = night.finish(work, prepare.run(work, prepare.Config(sql=SQL), spark))
    assert made.file("imputed.json").read_text() == '{"price":3.0}\n'
    rows = spark.read.parquet(*map(str, made.files("test"))).orderBy("sample_id").collect()
    assert [(row.price, row.price_missing) for row in rows] == [(100.0, False), (3.0, True)]


@pytest.mark.spark
def test_the_order_of_the_policies_does_not_matter_where_one_groups_by_another(spark):
    rows = spark.createDataFrame(
        [("a", "x", 1.0, 1), ("a", "x", 1.0, 2), (None, "x", 9.0, 3), (None, "x", None, 4)], SCHEMA
    )
    shop, price = (
        {"impute": "mode", "indicator": False},
        {"impute": "median", "by": ["shop"], "indicator": False},
    )
    for given in ({"shop": shop, "price": price}, {"price": price, "shop": shop}):
        filled = Imputer(rows, policies(**given)).fill(rows).orderBy("n").collect()
        assert [(row.shop, row.price) for row in filled] == [("a", 1.0), ("a", 1.0), ("a", 9.0), ("a", 9.0)]


@pytest.mark.spark
def test_times_and_decimals_are_filled_in_and_written_down_too(spark, night):
    config = {"missing": {"at": {"impute": "mode", "indicator": False}, "price": {"impute": "median"}}}
    found = "if(id = 1, NULL, TIMESTAMP '2011-01-30 08:00:00') AS at, if(id = 1, NULL, id * 1.5BD) AS price"
    clean = f"SELECT '{{date}}' AS date, id, {found} FROM range(4)"
    inputs = {}
    for date in ("2011-01-31", "2011-02-01"):
        inputs[f"quality/{date}"] = night.on(date).source("quality", clean=spark.sql(clean.format(date=date)))
        object.__setattr__(inputs[f"quality/{date}"].manifest, "config", config)
    work = night.work("prepare", inputs)
    sql = (
        "SELECT concat(date, id) AS sample_id, 'k' AS key, 'l' AS label, date, string(at) AS at, "
        "string(price) AS price FROM clean"
    )
    made = night.finish(work, prepare.run(work, prepare.Config(sql=sql), spark))
    assert made.file("imputed.json").read_text() == '{"at":"2011-01-30 08:00:00","price":"3.0"}\n'
    rows = spark.read.parquet(*map(str, made.files("test"))).orderBy("sample_id").collect()
    assert [(row["at"], row.price) for row in rows][1] == ("2011-01-30 08:00:00", "3.0")


@pytest.mark.spark
def test_nothing_to_learn_from_stops_the_night_and_a_text_has_no_median(spark):
    empty = spark.createDataFrame([("a", "x", None, 1), ("a", "x", float("nan"), 2)], SCHEMA)
    with pytest.raises(QualityGateError, match="price is to be imputed by its median"):
        Imputer(empty, policies(price={"impute": "median"}))
    with pytest.raises(ConfigError, match="`by` names the column 'town'"):
        Imputer(empty, policies(kind={"impute": "mode", "by": ["town"]}))


@pytest.mark.parametrize(
    "given",
    [
        "keep",
        {"impute": "mean"},
        {"impute": "constant"},
        {"impute": "mode", "value": 3},
        {"policy": "drop", "by": ["a"]},
        {},
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(given):
    with pytest.raises(ValidationError):
        Missing.model_validate(given)
