"""The shard stage: rows into shards by the hash of their id, in hash order.

Reading a shard forward is then already a uniform shuffle, its rows are the same number as its neighbour's,
and its bytes do not depend on Spark's partitioning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core import seeds
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.data.parquet.fields import Layout, layout_of
from lsml_spark.data.parquet.shards import GROUP
from lsml_spark.shard.classes import PACE, TABLE, Classes, count, mark
from lsml_spark.shard.config import TEST, TRAIN, Config
from lsml_spark.shard.layout import Form, to_shard
from lsml_spark.shard.leakage import leakage
from lsml_spark.shard.place import CLASS, ORDER, Edges, bin_bits, edges, shard_of
from lsml_spark.shard.sample import Sample, form_of, in_words, is_number, take
from lsml_spark.shard.sizes import group_rows, shard_count
from lsml_spark.shard.statistics import NAME as STATISTICS
from lsml_spark.shard.statistics import Moments, by_table
from lsml_spark.spark import tables
from lsml_spark.spark.session import session
from lsml_spark.transforms.schema import Tensor, column_of

__all__ = ["Config", "run"]
SHARD = "__shard"
ENCODERS, LABEL = "encoders.json", "label"
NO_FEATURES = ("sample_id", "key", "weight", "keep_rate", PACE, "offset")


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Input `features`. Writes `train`, the splits of the config and `test`, byte for byte the same on every
    rerun, and `statistics.json`.

    Each fold and each pace of the training rows has files of its own, so that a trainer can leave whole row
    groups unread; the metrics say which fold and pace each file of `train` has.
    """
    spark = spark or session()
    source = work.inputs["features"]
    names = [TRAIN, *config.split, TEST]
    frames = {name: tables.read(spark, source, table=name) for name in (TRAIN, TEST)}
    columns = {name: frames[TEST if name == TEST else TRAIN].columns for name in names}
    encoders = _encoders(source)
    label = encoders["label"]
    grouped = GROUP in columns[TRAIN] and GROUP not in columns[TEST]
    others = (*NO_FEATURES, label, *([GROUP] if grouped else []))
    features = [name for name in columns[TRAIN] if name not in others]
    form = form_of(config, frames[TRAIN], features, _tensors(encoders))
    rows_in = sum(table.rows for table in source.manifest.tables.values())

    bits = bin_bits(rows_in)
    marked = mark(frames, config, names, work.seed, seeds.derive(work.seed, "shard", work.date), grouped)
    classes = count(marked, config, bits)
    held_rows = rows_in - sum(classes.rows[i] for i in classes.of_table(0))
    # Without splits there are the days before and the day itself, whose ids prepare has compared, and which
    # share keys as days do.
    shared = leakage(marked, names, TABLE, features, config.split, held_rows) if config.split else {}
    sample = take(marked, columns[TRAIN], form, config, classes)
    group = (
        group_rows(sample.bytes_per_row, config.batch)
        if config.rows_per_group == "auto"
        else config.rows_per_group
    )
    numbered = marked.withColumn(CLASS, classes.number(marked))
    shard_edges = edges(numbered, classes.counts, _shards(config, classes, sample.bytes_per_row, group), bits)

    watch = _watch(numbered, columns[TRAIN], label)
    written = _write(numbered, work, columns, config, shard_edges, group, form, sample, watch)
    of_table = {
        name: [shard for i in classes.of_table(t) for shard in shard_edges.numbers(i)]
        for t, name in enumerate(names)
    }
    _refuse_unequal(written, of_table, shard_edges.rows(classes.rows))
    statistics = write_json(work.folder, STATISTICS, by_table(written.seen, of_table, columns))
    metrics: dict[str, Any] = {
        "shards": len(written.tables[TRAIN].files),
        "bytes": sum(file.bytes for file in written.tables[TRAIN].files),
        "rows_per_group": group,
        "bytes_per_row": round(sample.bytes_per_row, 3),
        "columns": _told(sample),
        "leakage": shared,
    }
    of_file = [classes.classes[i] for i in classes.of_table(0) for _ in shard_edges.numbers(i)]
    if PACE in columns[TRAIN]:
        metrics["pace"] = [class_.pace for class_ in of_file]
    if config.folds:
        metrics["fold"] = [class_.fold for class_ in of_file]
    return Outcome(
        Ledger(rows_in, sum(table.rows for table in written.tables.values())),
        written.tables,
        [statistics],
        metrics,
    )


def _encoders(source: Source) -> dict[str, Any]:
    """What the features stage says of its columns."""
    if ENCODERS not in {file.path for file in source.manifest.files}:
        return {"label": LABEL, "columns": {}}
    return source.json(ENCODERS)


def _tensors(encoders: Mapping[str, Any]) -> dict[str, Layout]:
    """The columns that a transform has made tensors of."""
    columns = {name: column_of(encoders, name) for name in encoders["columns"]}
    return {
        name: Layout("tensor", one.dtype, one.shape)
        for name, one in columns.items()
        if isinstance(one, Tensor)
    }


def _shards(config: Config, classes: Classes, bytes_per_row: float, group: int) -> list[int]:
    """Files of each class; a table that no trainer cuts into lanes has one, or more where it is large."""
    shards = []
    for class_, rows in zip(classes.classes, classes.rows, strict=True):
        if class_.table == 0 and isinstance(config.shards, int):
            shards.append(min(config.shards, rows))
        else:
            shards.append(
                shard_count(
                    rows, bytes_per_row, config.target_bytes, group, config.lanes if class_.table == 0 else 1
                )
            )
    return shards


def _watch(frame: DataFrame, columns: Sequence[str], label: str) -> tables.Watch:
    """Statistics of the columns of numbers, and the labels; a partition is a shard."""
    numbers = [field.name for field in frame.schema if field.name in columns and is_number(field.dataType)]
    return tables.Watch([SHARD, *dict.fromkeys([*numbers, label])], partial(Moments, SHARD, numbers, label))


def _write(
    numbered: DataFrame,
    work: Work,
    columns: Mapping[str, Sequence[str]],
    config: Config,
    shard_edges: Edges,
    group: int,
    form: Form,
    sample: Sample,
    watch: tables.Watch,
) -> tables.Written:
    """Each shard is a partition, sorted, and a file."""
    ordered = (
        numbered.withColumn(SHARD, shard_of(shard_edges))
        .repartitionById(max(1, len(shard_edges.first_K)), F.col(SHARD))
        .sortWithinPartitions(ORDER, "sample_id")
        .withColumn(TABLE, F.get(F.array(*map(F.lit, columns)), F.col(TABLE)))
    )
    physical = tables.Physical(partial(to_shard, form=form), sample.storage.options, config.checksum)
    with in_words():
        return tables.write(
            ordered,
            work.folder,
            columns,
            route=F.col(TABLE),
            rows_per_group=group,
            physical=physical,
            watch=watch,
        )


def _refuse_unequal(
    written: tables.Written, of_table: Mapping[str, Sequence[int]], expected: Sequence[int]
) -> None:
    """IntegrityError where a shard has not the rows that it was planned to have: then an id came more than
    once.
    """
    for name, numbers in of_table.items():
        planned, there = (
            [expected[shard] for shard in numbers],
            [file.rows for file in written.tables[name].files],
        )
        if planned != there:
            raise IntegrityError(
                f"shards of table {name} have {there} rows, expected {planned}; is a sample_id in the "
                "features twice?"[:400]
            )


def _told(sample: Sample) -> dict[str, Any]:
    """What each column of the shards is and how it is stored."""
    descriptions = {}
    for field in sample.laid_out.schema:
        compression, encoding = sample.storage.columns[field.name]
        layout = {key: value for key, value in asdict(layout_of(field)).items() if value}
        descriptions[field.name] = {
            **layout,
            "type": str(field.type),
            "compression": compression,
            "encoding": encoding,
        }
    return descriptions
