"""Sums of the target by value, for transforms that need them: in whole units, so that they are exact however
Spark cuts the rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError
from lsml_spark.transforms.encode import encoder_of, source_of, targets
from lsml_spark.transforms.target_mean import counted
from lsml_spark.transforms.transform import Seen

MOST_LABELS = 50
BITS = 24  # of the largest target, so that 2³⁹ rows have a sum of 64 bits
SUMS = pa.schema(
    {"i": pa.int32(), "value": pa.string(), "rows": pa.int64(), "k": pa.int32(), "sum": pa.int64()}
)


def sums_of_targets(
    train: DataFrame, sources: Mapping[str, str], encoders: Mapping[str, Any]
) -> dict[str, Seen]:
    """Of each column, which is read from its source: rows and sums of the target by value. `encoders` hold
    the label's, with which the target is made of it."""
    label = source_of(encoders, encoders["label"])
    width = targets(encoders, pa.record_batch({label: pa.array([], pa.string())})).shape[1]
    if width > MOST_LABELS:
        raise ConfigError(
            f"features.columns: `target_mean` makes a number of each label, at most {MOST_LABELS}; there are "
            f"{width}"
        )
    unit = _unit(train, label, encoders) if "width" in encoder_of(encoders, encoders["label"]) else 1.0

    def partition(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            target_NT = targets(encoders, batch.rename_columns([*map(str, range(len(sources))), label]))
            known = pa.array(~np.isnan(target_NT).any(axis=1))
            units_NT = counted(target_NT, unit)[known.to_numpy(zero_copy_only=False)]
            for i in range(len(sources)):
                coded = (
                    batch.column(i).filter(known).cast(pa.string()).dictionary_encode(null_encoding="encode")
                )
                place_N = coded.indices.to_numpy(zero_copy_only=False)
                values, rows_K = coded.dictionary, np.bincount(place_N, minlength=len(coded.dictionary))
                for k in range(width):
                    sums_K = np.zeros(len(values), np.int64)
                    np.add.at(sums_K, place_N, units_NT[:, k])
                    yield pa.record_batch(
                        [
                            pa.repeat(pa.scalar(i, pa.int32()), len(values)),
                            values,
                            rows_K,
                            np.full(len(values), k, np.int32),
                            sums_K,
                        ],
                        schema=SUMS,
                    )

    selected = train.select(
        *[F.col(f"`{source}`").cast("string").alias(f"c{i}") for i, source in enumerate(sources.values())],
        label,
    )
    summed = selected.mapInArrow(partition, "i int, value string, rows long, k int, sum long").groupBy(
        "i", "value", "k"
    )
    rows: list[Any] = summed.agg(F.sum("rows").alias("rows"), F.sum("sum").alias("sum")).toArrow().to_pylist()
    return {
        name: _seen([row for row in rows if row["i"] == i], width, unit) for i, name in enumerate(sources)
    }


def _seen(rows: list[Any], width: int, unit: float) -> Seen:
    values = sorted({row["value"] for row in rows} - {None})
    place = {value: i for i, value in enumerate(values)}
    rows_K, sums_KT = np.zeros(len(values) + 1, np.int64), np.zeros((len(values) + 1, width), np.int64)
    for row in rows:
        at = place.get(row["value"], len(values))  # NULL is no value; its rows count for the mean of all
        rows_K[at], sums_KT[at, row["k"]] = row["rows"], row["sum"]
    return Seen(
        rows=int(rows_K.sum()),
        values_K=np.array(values, object),
        counts_K=rows_K[:-1],
        sums_KT=sums_KT[:-1],
        all_T=sums_KT.sum(0),
        unit=unit,
    )


def _unit(train: DataFrame, label: str, encoders: Mapping[str, Any]) -> float:
    """A power of two that the largest target holds 2²³ to 2²⁴ times."""

    def largest(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            target_NT = np.nan_to_num(targets(encoders, batch))
            yield pa.record_batch({"most": [float(np.abs(target_NT).max(initial=0.0))]})

    (row,) = train.select(label).mapInArrow(largest, "most double").agg(F.max("most")).collect()
    return float(2.0 ** (np.ceil(np.log2(row[0])) - BITS)) if row[0] else 1.0
