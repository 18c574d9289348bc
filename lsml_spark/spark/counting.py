"""For how many rows each of many conditions is true, in one pass.

Spark's aggregates keep a buffer and generate code for each condition: three hundred take minutes. Here the
answers of a row travel as one list, and NumPy counts them.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lsml_spark.spark.tables import quoted


def rows_where(frame: DataFrame, conditions: Sequence[Column], by: str) -> dict[str, tuple[int, np.ndarray]]:
    """{value of the text column `by`: (its rows, those of them for which each condition is true (C,))}, in
    order of the values. A condition that is NULL is not true.
    """
    many = len(conditions)
    answers = F.array(*[F.coalesce(condition, F.lit(False)) for condition in conditions]).cast(
        "array<boolean>"
    )
    rows = frame.select(F.col(quoted(by)).alias("by"), answers.alias("answers"))

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            true_NC = np.asarray(batch.column("answers").flatten()).reshape(batch.num_rows, many)
            values = batch.column("by").dictionary_encode()
            codes_N = np.asarray(values.indices)
            counts = [true_NC[codes_N == code].sum(0) for code in range(len(values.dictionary))]
            yield pa.RecordBatch.from_arrays(
                [
                    values.dictionary,
                    pa.array(np.bincount(codes_N, minlength=len(counts))),
                    pa.array(counts, pa.list_(pa.int64())),
                ],
                names=["by", "rows", "true"],
            )

    found: dict[str, tuple[int, np.ndarray]] = {}
    for row in rows.mapInArrow(count, "by string, rows bigint, true array<bigint>").collect():
        known, true_C = found.get(row["by"], (0, np.zeros(many, np.int64)))
        found[row["by"]] = known + row["rows"], true_C + np.array(row["true"], np.int64)
    return dict(sorted(found.items()))
