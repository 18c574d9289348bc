"""The profile of a day or of any DataFrame: exact figures of all rows, distributions from a sample, in one
pass.

docs/reference.md lists its fields.
"""

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from lsml_spark.quality.figures import hyperloglog, points
from lsml_spark.quality.figures.measure import (
    Figures,
    epoch,
    figures_of,
    hashed_by_spark,
    kind_of,
    measure,
    merged,
    range_of,
    spark_hash,
)
from lsml_spark.quality.figures.sampled import KEY, Sample
from lsml_spark.spark.attempt import compiled_apart
from lsml_spark.spark.tables import Watch, look, quoted

SAMPLE_ROWS = 20_000
BATCH = 65_536  # rows measured at a time: Arrow's batches of 10,000 would be small change for NumPy


def hash_name(index: int) -> str:
    """The column that holds Spark's hash of the column at this place."""
    return f"__h{index}"


def hash_columns(types: Mapping[str, str]) -> list[str]:
    """SQL: hashes of those columns whose values are not hashed while they are measured."""
    return [
        f"{spark_hash(quoted(name), type_)} AS {hash_name(i)}"
        for i, (name, type_) in enumerate(types.items())
        if hashed_by_spark(type_)
    ]


def hash_names(types: Mapping[str, str]) -> list[str]:
    return [hash_name(i) for i, type_ in enumerate(types.values()) if hashed_by_spark(type_)]


@dataclass
class Seen:
    """What the profiler of one partition has seen; the sample as an Arrow stream."""

    rows: int
    figures: dict[str, Figures]
    sample: bytes


class Profiler:
    """Measures the rows of one partition and samples them.

    Args:
        types: Spark types by column; the batches also hold `__h…` for those that Spark hashes, and `__key`.
        beside: further columns that the sample keeps.
    """

    def __init__(self, types: Mapping[str, str], sample_rows: int, beside: Sequence[str] = ()):
        self.types = dict(types)
        self.figures = {name: Figures() for name in types}
        self.sample = Sample(sample_rows)
        # Images and sounds are measured, not sampled: 20,000 of them would not fit beside the rest.
        self.kept = [
            KEY,
            *beside,
            *[name for name, type_ in types.items() if kind_of(type_) != "binary"],
            *hash_names(types),
        ]
        self.rows = self.waiting = 0
        self.pending: list[pa.RecordBatch] = []

    def add(self, batch: pa.RecordBatch) -> None:
        self.pending.append(batch)
        self.waiting += batch.num_rows
        if self.waiting >= BATCH:
            self._measure()

    def _measure(self) -> None:
        if not self.waiting:
            return
        rows = pa.Table.from_batches(self.pending).combine_chunks()
        self.pending, self.waiting = [], 0
        self.rows += rows.num_rows
        for i, (name, type_) in enumerate(self.types.items()):
            for chunk in rows[name].chunks:
                measure(self.figures[name], type_, chunk)
            if hashed_by_spark(type_):
                hashes = rows[hash_name(i)].drop_null().to_numpy()
                hyperloglog.add(self.figures[name].registers, hashes.view(np.uint64))
        self.sample.add(rows.select(self.kept))

    def seen(self) -> Seen:
        self._measure()
        return Seen(self.rows, self.figures, _stream(self.sample.table()))

    def finish(self) -> bytes:
        return pickle.dumps(self.seen())


def _stream(sample: pa.Table | None) -> bytes:
    stream = io.BytesIO()
    if sample is not None:
        with pa.ipc.new_stream(
            stream, sample.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
        ) as writer:
            writer.write_table(sample)
    return stream.getvalue()


def _sampled(parts: Sequence[Seen], sample_rows: int) -> pa.Table | None:
    sample = Sample(sample_rows)
    for part in parts:
        if part.sample:
            sample.add(pa.ipc.open_stream(part.sample).read_all())
    return sample.table()


def together(parts: Sequence[Seen], sample_rows: int) -> Seen:
    """What one profiler would have seen of the rows of all."""
    figures = merged([part.figures for part in parts])
    return Seen(sum(part.rows for part in parts), figures, _stream(_sampled(parts, sample_rows)))


def combined(
    parts: Sequence[Seen], types: Mapping[str, str], sample_rows: int, schema: pa.Schema
) -> tuple[dict[str, Any], pa.Table]:
    """The profile of all partitions together (without the table's own metrics) and its sample, in file order
    where it has one.

    `schema` is that of a sample without rows.
    """
    rows = sum(part.rows for part in parts)
    figures = merged([part.figures for part in parts]) or {name: Figures() for name in types}
    drawn = _sampled(parts, sample_rows)
    drawn = schema.empty_table() if drawn is None else drawn
    drawn = drawn.sort_by(
        [(name, "ascending") for name in ("_file", "_line", KEY) if name in drawn.column_names]
    )
    # a table looks through all names for one
    columns, values = {}, dict(zip(drawn.column_names, drawn.columns, strict=True))
    for i, (name, type_) in enumerate(types.items()):
        columns[name] = _column(
            type_, figures[name], rows, drawn.num_rows == rows, values.get(name), values.get(hash_name(i))
        )
    profile = {"rows": rows, "sampled": drawn.num_rows, "metrics": {"rows": rows}, "columns": columns}
    return profile, drawn.drop_columns([KEY, *hash_names(types)])


def _column(
    type_: str,
    figures: Figures,
    rows: int,
    whole: bool,
    sample: pa.ChunkedArray | None,
    hashes: pa.ChunkedArray | None,
) -> dict[str, Any]:
    kind = kind_of(type_)
    distinct = _distinct(kind, type_, sample, hashes) if whole else None
    metrics = figures_of(kind, type_, figures, rows, distinct)
    quantiles, parts = points.described(kind, type_, sample) if sample is not None else ({}, {})
    bounds = range_of(kind, type_, figures)
    return {
        "type": type_,
        "kind": kind,
        "metrics": metrics | quantiles,
        **({"range": bounds} if bounds else {}),
        **parts,
    }


def _distinct(kind: str, type_: str, sample: pa.ChunkedArray | None, hashes: pa.ChunkedArray | None) -> int:
    if hashes is not None:
        return len(hashes.drop_null().unique())
    assert sample is not None, f"no sample of a column of type {type_}"
    values = sample.drop_null().combine_chunks()
    if kind == "number":
        return len(np.unique(hyperloglog.hashes(values.to_numpy(zero_copy_only=False))))
    return len(np.unique(epoch(values))) if kind == "time" else len(values.unique())


def empty_sample(frame: DataFrame, columns: Sequence[str]) -> pa.Schema:
    """The Arrow schema of some columns of a frame."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(
        frame.select(*map(quoted, columns)).schema, timezone="UTC", prefers_large_types=False
    )


def types_of(frame: DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Spark's simple type names."""
    types = {field.name: field.dataType.simpleString() for field in frame.schema}
    return {name: types[name] for name in columns}


def profile_of(
    frame: DataFrame, columns: Sequence[str] | None = None, sample_rows: int = SAMPLE_ROWS
) -> tuple[dict[str, Any], pa.Table]:
    """The profile of any DataFrame and a sample of its rows, by one Spark job.

    The figures do not depend on the partitioning; the sample does, since rows of any frame have no identity
    of their own.
    """
    types = types_of(frame, columns or frame.columns)
    keyed = frame.selectExpr(
        *map(quoted, types), *hash_columns(types), f"xxhash64(0, monotonically_increasing_id()) AS {KEY}"
    )
    watch = Watch(keyed.columns, partial(Profiler, types, sample_rows), partial(_merge, sample_rows))
    with compiled_apart(frame.sparkSession):  # raw records hold attempts
        parts = [pickle.loads(part) for part in look(keyed, watch)]  # our own workers wrote it
    kept = Profiler(types, 0).kept
    return combined(parts, types, sample_rows, empty_sample(keyed, kept))


def _merge(sample_rows: int, parts: Sequence[bytes]) -> bytes:
    return pickle.dumps(together([pickle.loads(part) for part in parts], sample_rows))
