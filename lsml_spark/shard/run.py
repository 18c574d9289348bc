"""The shard stage: rows into shards by the hash of their id, in hash order.

Reading a shard forward is then already a uniform shuffle, and its bytes do not depend on Spark's partitioning.
"""

from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import Field
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core import seeds
from lsml_spark.core.config import Strict
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.work import Outcome, Work
from lsml_spark.shard.layout import to_shard
from lsml_spark.spark import tables
from lsml_spark.spark.session import session

PACE = "pace"  # the stage of a curriculum from which a row is read


class Config(Strict):
    """`shards`: files of the training table (of each pace). `rows_per_group`: rows of a row group, the unit of reading and shuffling."""

    shards: int = Field(4, ge=1, le=100_000)
    rows_per_group: int = Field(1024, ge=1)


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Input `features`. Writes `train` (config.shards files) and `test` (one), byte for byte the same on every rerun.

    Where the rows have a `pace`, each pace has config.shards files of its own, so that a trainer can leave whole row groups unread;
    the metrics say which pace each file of `train` has.
    """
    spark = spark or session()
    source = work.inputs["features"]
    seed = seeds.derive(work.seed, "shard", work.date)
    frames = {name: tables.read(spark, source, table=name) for name in ("train", "test")}
    columns = {name: frame.columns for name, frame in frames.items()}
    stages = _stages(frames["train"])
    every = list(dict.fromkeys(name for names in columns.values() for name in names))
    hashed = F.shiftrightunsigned(F.xxhash64("sample_id", F.lit(seed)), 11)  # 53 bits, so that its share of 2^53 is exact
    placed = [
        _filled(frame, every, frames)
        .withColumn("__table", F.lit(name))
        .withColumn("__order", hashed)
        .withColumn("__shard", _shard(name, config, stages))
        for name, frame in frames.items()
    ]
    ordered = (
        reduce(DataFrame.unionByName, placed)
        .repartitionById(stages * config.shards + 1, F.col("__shard"))
        .sortWithinPartitions("__order", "sample_id")
    )
    written = tables.write(ordered, work.folder, columns, route=F.col("__table"), rows_per_group=config.rows_per_group, layout=to_shard)
    rows_in = sum(table.rows for table in source.manifest.tables.values())
    rows_out = sum(table.rows for table in written.tables.values())
    metrics: dict[str, Any] = {
        "shards": len(written.tables["train"].files),
        "bytes": sum(file.bytes for file in written.tables["train"].files),
    }
    if PACE in columns["train"]:
        metrics["pace"] = [_pace(work.folder / file.path) for file in written.tables["train"].files]
    return Outcome(Ledger(rows_in, rows_out), written.tables, metrics=metrics)


def _stages(train: DataFrame) -> int:
    """How many stages of a curriculum the rows have; 1 where they have no pace."""
    if PACE not in train.columns:
        return 1
    low, high = train.agg(F.min(PACE), F.max(PACE)).first() or (None, None)
    if low is not None and low < 0:
        raise IntegrityError(f"column '{PACE}' holds {low}, expected stages from 0; run the select stage again")
    return 1 + (high or 0)


def _shard(table: str, config: Config, stages: int) -> Column:
    """Shard number: by pace, then by the hash's place in its range; the test rows come after the last training shard."""
    if table == "test":
        return F.lit(stages * config.shards)
    within = F.floor(F.col("__order").cast("double") * (config.shards * 2.0**-53)).cast("int")
    if stages == 1:
        return within
    return F.coalesce(F.col(PACE), F.lit(0)).cast("int") * config.shards + within  # the layout refuses a NULL by name


def _pace(path: Path) -> int:
    """The one pace of a file's rows, as its footer says it."""
    footer = pq.read_metadata(path)
    place = footer.schema.names.index(PACE)
    found = [footer.row_group(group).column(place).statistics for group in range(footer.num_row_groups)]
    paces = {value for statistics in found for value in (statistics.min, statistics.max)}
    if len(paces) != 1:
        raise IntegrityError(f"{path}: rows of stages {sorted(paces)} in one shard; run the shard stage again")
    return paces.pop()


def _filled(frame: DataFrame, every: list[str], frames: dict[str, DataFrame]) -> DataFrame:
    """The frame with the columns that only the other table has, so that both can be written by one job."""
    types = {field.name: field.dataType for other in frames.values() for field in other.schema}
    return frame.select(*[F.col(name) if name in frame.columns else F.lit(None).cast(types[name]).alias(name) for name in every])
