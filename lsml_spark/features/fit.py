"""Fit the transforms of all columns on the training rows: at most one Spark job for each kind of figure that
they ask for.

No figure depends on how Spark cuts the rows: values are counted, sums are exact, quantiles are those of all
rows.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType

from lsml_spark.core.moments import Moments
from lsml_spark.features.targets import sums_of_targets
from lsml_spark.transforms.transform import Seen, Transform

SHARES = [i / 1000 for i in range(1001)]
MOST_PIECES = 200_000
PIECES = pa.schema({"i": pa.int32(), "value": pa.string(), "count": pa.int64()})
# sums: integers too long for Spark's types
SUMS = "column string, count long, total string, squares string, low double, high double"


def fit(train: DataFrame, columns: Mapping[str, Transform], label: str) -> dict[str, dict[str, Any]]:
    """The encoder of every column, for encoders.json. Those that need the targets come last, since the
    label's makes these.
    """
    of_targets = {
        name: transform.of or name
        for name, transform in columns.items()
        if transform.needs == "targets" and not transform.like
    }
    encoders = _fit(
        train, {name: transform for name, transform in columns.items() if name not in of_targets}, columns, {}
    )
    if of_targets:
        seen = sums_of_targets(train, of_targets, {"label": label, "columns": encoders})
        encoders |= _fit(train, {name: columns[name] for name in of_targets}, columns, seen)
    return {name: encoders[name] for name in columns}


def _fit(
    train: DataFrame,
    chosen: Mapping[str, Transform],
    columns: Mapping[str, Transform],
    seen: Mapping[str, Seen],
) -> dict[str, dict[str, Any]]:
    own = {name: transform for name, transform in chosen.items() if transform.like is None}
    lists = {
        name
        for name, transform in chosen.items()
        if isinstance(train.schema[transform.of or name].dataType, ArrayType)
    }
    seen = seen or _seen(train, own, lists)
    encoders: dict[str, dict[str, Any]] = {}
    for name, transform in chosen.items():
        encoder: dict[str, Any] = {"use": transform.use}
        of_which = columns[transform.like or name]
        if of_which.becomes == "lists" or (name in lists and of_which.becomes == "ids"):
            encoder["list"] = True
        if transform.of is not None:
            encoder["of"] = transform.of
        if transform.like is not None:
            encoders[name] = encoder | {"like": transform.like}
            continue
        fitted = transform.fit(seen.get(name, Seen()))
        width = {"width": 1} if transform.becomes == "numbers" else {}
        encoders[name] = encoder | width | fitted
    return encoders


def _seen(train: DataFrame, own: Mapping[str, Transform], lists: set[str]) -> dict[str, Seen]:
    needs = {name: transform.needs for name, transform in own.items()}
    column = {name: F.col(f"`{transform.of or name}`") for name, transform in own.items()}
    counted = [name for name in own if needs[name] == "counts"]
    numbers = {
        name: _finite(column[name]) for name in own if needs[name] in ("moments", "quantiles", "spread")
    }
    seen = _counts(train, {name: column[name] for name in counted}, lists) if counted else {}
    if cut := {name: transform for name, transform in own.items() if needs[name] == "pieces"}:
        seen |= _pieces(train, {name: column[name] for name in cut}, cut)
    if not numbers:
        return seen
    moments = _moments(train, numbers)
    ranked = [name for name in numbers if needs[name] in ("quantiles", "spread")]
    quantiles = _percentiles(train, {name: numbers[name] for name in ranked}, SHARES)
    middle = {name: quantiles[name][500] for name in quantiles if needs[name] == "spread"}
    spreads = {name: F.abs(numbers[name] - F.lit(value)) for name, value in middle.items()}
    mad = _percentiles(train, spreads, [0.5])
    for name in numbers:
        sums, low, high = moments.get(name, (Moments(), 0.0, 0.0))
        if not sums.count:
            seen[name] = Seen()
            continue
        # The sample's variance, taken back to that of the population.
        deviation = sums.stddev * ((sums.count - 1) / sums.count) ** 0.5 if sums.count > 1 else 0.0
        seen[name] = Seen(
            rows=sums.count,
            mean=sums.mean,
            deviation=deviation,
            low=low,
            high=high,
            quantiles_Q=np.array(quantiles.get(name, np.zeros(1001))),
            mad=mad.get(name, [0.0])[0],
        )
    return seen


def _finite(column: Column) -> Column:
    number = column.try_cast("double")
    return F.when(~F.isnan(number) & (F.abs(number) < float("inf")), number)


def _counts(train: DataFrame, columns: Mapping[str, Column], lists: set[str]) -> dict[str, Seen]:
    """Of each distinct value, as text; of lists, each distinct item."""
    no_items = F.array().cast("array<string>")  # a NULL list would make the whole row NULL
    cells = {
        name: F.coalesce(column.cast("array<string>"), no_items)
        if name in lists
        else F.array(column.cast("string"))
        for name, column in columns.items()
    }
    pairs = [F.transform(cell, _pair_with(name)) for name, cell in cells.items()]
    counted = (
        train.select(F.explode(F.concat(*pairs)).alias("pair"))
        .where("pair.value is not null")
        .groupBy("pair")
        .count()
        .collect()
    )
    seen = {}
    for name in columns:
        value_counts = [(row.pair.value, row["count"]) for row in counted if row.pair.column == name]
        values = np.array([value for value, _ in value_counts], dtype=object)
        counts = np.array([count for _, count in value_counts], dtype=np.int64)
        seen[name] = Seen(rows=int(counts.sum()), values_K=values, counts_K=counts)
    return seen


def _pieces(train: DataFrame, columns: Mapping[str, Column], cut: Mapping[str, Transform]) -> dict[str, Seen]:
    """Of the most frequent pieces of each column's texts, which the driver can hold; among equals by name."""
    transforms = list(cut.values())

    def partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for i, transform in enumerate(transforms):
                counts = Counter(transform.pieces(batch.column(i)))
                yield pa.record_batch(
                    {"i": [i] * len(counts), "value": list(counts), "count": list(counts.values())}, PIECES
                )

    selected = train.select(*[column.alias(f"c{i}") for i, column in enumerate(columns.values())])
    counted = (
        selected.mapInArrow(partition, "i int, value string, count long")
        .groupBy("i", "value")
        .agg(F.sum("count").alias("count"))
    )
    ranked = counted.withColumn(
        "rank", F.row_number().over(Window.partitionBy("i").orderBy(F.desc("count"), "value"))
    )
    rows: list[Any] = (
        ranked.where(F.col("rank") <= MOST_PIECES).select("i", "value", "count").toArrow().to_pylist()
    )
    seen = {}
    for i, name in enumerate(cut):
        own = [row for row in rows if row["i"] == i]
        values = np.array([row["value"] for row in own], dtype=object)
        counts = np.array([row["count"] for row in own], dtype=np.int64)
        seen[name] = Seen(rows=int(counts.sum()), values_K=values, counts_K=counts)
    return seen


def _pair_with(name: str) -> Callable[[Any], Any]:
    return lambda value: F.struct(F.lit(name).alias("column"), value.alias("value"))


def _moments(train: DataFrame, numbers: Mapping[str, Column]) -> dict[str, tuple[Moments, float, float]]:
    """Exact sums, the smallest and the largest value of each column that has any."""
    names = list(numbers)

    def partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        sums, low, high = [Moments() for _ in names], [np.inf] * len(names), [-np.inf] * len(names)
        for batch in batches:
            for i, column in enumerate(batch.columns):
                values = column.drop_null().to_numpy(zero_copy_only=False)
                if len(values):
                    sums[i].add(values)
                    low[i], high[i] = min(low[i], float(values.min())), max(high[i], float(values.max()))
        yield pa.RecordBatch.from_pydict(
            {
                "column": names,
                "count": [one.count for one in sums],
                "total": [str(one.total) for one in sums],
                "squares": [str(one.squares) for one in sums],
                "low": low,
                "high": high,
            }
        )

    moments: dict[str, tuple[Moments, float, float]] = {}
    selected = train.select(*[column.alias(f"c{i}") for i, column in enumerate(numbers.values())])
    for row in selected.mapInArrow(partition, SUMS).collect():
        if row["count"]:
            sums, low, high = moments.get(row["column"], (Moments(), np.inf, -np.inf))
            sums.merge(Moments(row["count"], int(row["total"]), int(row["squares"])))
            moments[row["column"]] = (sums, min(low, row["low"]), max(high, row["high"]))
    return moments


def _percentiles(
    train: DataFrame, columns: Mapping[str, Column], shares: Sequence[float]
) -> dict[str, list[float]]:
    """Exact percentiles of each column that has a value. Columns are groups, since an aggregate for each of
    300 takes Spark minutes to plan.
    """
    if not columns:
        return {}
    cells = train.select(F.posexplode(F.array(*columns.values())).alias("i", "value")).where(
        "value is not null"
    )
    found = cells.groupBy("i").agg(F.percentile("value", list(shares)).alias("values")).collect()
    names = list(columns)
    return {names[row["i"]]: row["values"] for row in found}
