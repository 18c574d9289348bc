"""Read and write the tables of a stage folder.

Files are written by pyarrow inside the Spark tasks: exact row groups, hashed while they are at hand, named by
their own content. A retried or speculative task writes another file that nobody names, and the driver sweeps
it up before the manifest is written, so no rename of folders is needed and no row can be lost or doubled.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StructType

from lsml_spark.core.manifest import File, Table
from lsml_spark.core.work import Source
from lsml_spark.spark.ddl import ddl
from lsml_spark.spark.in_arrow import in_arrow, part, partitions_of, whole_batches
from lsml_spark.spark.part_file import HASH, PartFile, Physical
from lsml_spark.spark.paths import literal

ROUTE, TALLY = "__route", "__tally"
RESULT = (
    "part int, table string, file string, rows long, hash string, described string, tally string, seen binary"
)
# partitions whose watchers report to the driver themselves; more report through √partitions mergers
MANY = 32


class Watcher(Protocol):
    """Looks at the rows of one partition as they pass, e.g. to measure them."""

    def add(self, batch: pa.RecordBatch) -> None: ...

    def finish(self) -> bytes:
        """What it has seen, to be combined with what the other partitions have."""


@dataclass(frozen=True)
class Watch:
    """`start` makes a watcher per partition; it is shown these columns of the frame, written or not.

    `merge` combines what several have seen into one such report, so that a thousand samples need not meet on
    the driver.
    """

    columns: Sequence[str]
    start: Callable[[], Watcher]
    merge: Callable[[Sequence[bytes]], bytes] | None = None


@dataclass(frozen=True)
class Written:
    """Tables written by one job, how many rows carried each non-null value of the tally column, what the
    watchers saw.
    """

    tables: Mapping[str, Table]
    tally: Mapping[str, int]
    seen: Sequence[bytes] = ()


def read(spark: SparkSession, *sources: Source, table: str, like: Source | None = None) -> DataFrame:
    """One table of one or more stage folders, with the schema that the manifests state (no inference job).

    Folders that were written under several contracts are read by name, with the columns and types of the
    folder `like` (default: the last): a column that one lacks is NULL there.
    """
    columns = (like or sources[-1]).manifest.tables[table].columns
    alike: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for source in sources:
        alike.setdefault(tuple(sorted(source.manifest.tables[table].columns.items())), []).extend(
            _there(source, table)
        )
    frames = [
        _parquet(spark, dict(own), paths).select(*_as(columns, dict(own)))
        for own, paths in alike.items()
        if dict(own) != columns
    ]
    if not frames:
        return _parquet(spark, columns, [path for paths in alike.values() for path in paths])
    same = [_parquet(spark, columns, paths) for own, paths in alike.items() if dict(own) == columns]
    return reduce(DataFrame.unionAll, [*same, *frames])


def _there(source: Source, table: str) -> list[Path]:
    """The table's files; IntegrityError names one that is gone or of another size, which Spark would take for
    a mistake in the SQL.
    """
    for file in source.manifest.tables[table].files:
        path = source.folder / file.path
        if not path.is_file():
            raise source.damaged(path, "it is not there")
        if path.stat().st_size != file.bytes:
            raise source.damaged(path, f"it has {path.stat().st_size:,} bytes, {file.bytes:,} were written")
    return source.files(table)


def _as(columns: Mapping[str, str], there: Mapping[str, str]) -> list[Column]:
    """`columns` of a frame that has those of `there`; a value that its type does not take is NULL."""

    def one(name: str, type_: str) -> Column:
        if name not in there:
            return F.lit(None).cast(type_)
        return F.col(quoted(name)) if type_ in (there[name], "void") else F.col(quoted(name)).try_cast(type_)

    return [one(name, type_).alias(name) for name, type_ in columns.items()]


def read_written(spark: SparkSession, folder: Path, table: Table) -> DataFrame:
    """A table that this stage has just written, before there is a manifest."""
    return _parquet(spark, table.columns, [folder / file.path for file in table.files])


def _parquet(spark: SparkSession, columns: Mapping[str, str], paths: Sequence[Path]) -> DataFrame:
    schema = ", ".join(f"{quoted(name)} {type_}" for name, type_ in columns.items())
    reader = spark.read.option("parquet.page.verify-checksum.enabled", "true").schema(schema)
    return reader.parquet(*map(literal, paths)) if paths else spark.createDataFrame([], schema)


def quoted(name: str) -> str:
    """A column name as SQL and `F.col` take it, whatever is in it: a dot would mean a field of a struct."""
    return "`" + name.replace("`", "``") + "`"


def is_missing(name: str) -> Column:
    """NULL or NaN; `isnan` takes neither dates nor lists."""
    value = F.col(quoted(name))
    return value.isNull() | (value.cast("string") == "NaN")


def write(
    frame: DataFrame,
    folder: Path,
    tables: Mapping[str, Sequence[str]],
    *,
    route: Column | None = None,
    tally: Column | None = None,
    rows_per_group: int = 65_536,
    physical: Physical | None = None,
    watch: Watch | None = None,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Written:
    """Write rows of `frame` into sub-folders of `folder` in one pass; each partition gives at most one file
    per table.

    `tables` names each table's columns; `route` names each row's table (default: the only one; a name that is
    no table is counted, not written). `watch` looks at all rows on their way, in the same pass. `renamed`:
    what a column of the frame is called in the files, where that is another name.
    """
    spark_types = {field.name: ddl(field.dataType) for field in frame.schema}
    names = list(
        dict.fromkeys(
            column for columns in [*tables.values(), watch.columns if watch else ()] for column in columns
        )
    )
    if route is None:
        (columns,) = tables.values()
        row_hash = F.expr(_row_hash(frame, columns, physical is None))
    else:
        hashes = [
            F.when(F.col(ROUTE) == name, F.expr(_row_hash(frame, columns, physical is None)))
            for name, columns in tables.items()
        ]
        row_hash = F.coalesce(*hashes, F.lit(0)).cast("long")
    # A text in every row that is the same in all of them costs more than some columns of data: only what is
    # asked for travels.
    directions = [
        column.alias(name) for column, name in ((route, ROUTE), (tally, TALLY)) if column is not None
    ]
    routed = frame.select(*map(quoted, names), *directions).withColumn(HASH, row_hash)
    for name in tables:
        (folder / name).mkdir(parents=True, exist_ok=True)

    plan = {name: list(columns) for name, columns in tables.items()}
    writer = _writer(str(folder), routed.columns, plan, rows_per_group, physical, watch, renamed)
    with whole_batches(routed):
        results = _few_reports(in_arrow(routed, writer, RESULT), watch).collect()

    tallies: dict[str, int] = {}
    for row in results:
        for value, count in json.loads(row.tally).items():
            tallies[value] = tallies.get(value, 0) + count
    written = {}
    for name, columns in tables.items():
        files = sorted((row for row in results if row.table == name), key=lambda row: row.file)
        written[name] = Table(
            columns={renamed.get(column, column): spark_types[column] for column in columns},
            rows=sum(row.rows for row in files),
            rows_hash=f"{sum(int(row.hash, 16) for row in files) % 2**64:016x}",
            files=[File(path=f"{name}/{row.file}", **json.loads(row.described)) for row in files],
        )
        _sweep(folder / name, {row.file for row in files})
    return Written(
        written, dict(sorted(tallies.items())), [bytes(row.seen) for row in results if row.seen is not None]
    )


def look(frame: DataFrame, watch: Watch) -> list[bytes]:
    """What the watchers of all partitions of a frame saw; one job that writes nothing."""
    names = list(watch.columns)
    watched = frame.select(*map(quoted, names))

    def look_at_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        watcher = watch.start()
        for batch in batches:
            watcher.add(batch.rename_columns(names))
        columns = [pa.array([part()], pa.int32()), pa.array([watcher.finish()], pa.binary())]
        yield pa.RecordBatch.from_arrays(columns, names=["part", "seen"])

    with whole_batches(watched):
        reports = _few_reports(in_arrow(watched, look_at_partition, "part int, seen binary"), watch).collect()
    return [bytes(row.seen) for row in reports if row.seen is not None]


def _few_reports(results: DataFrame, watch: Watch | None) -> DataFrame:
    """The same rows; where they come from many partitions, `seen` is merged and the other columns go through
    as they are.

    All rows of a partition go to the merger that its number says: if Spark must run a task again whose rows
    some mergers have read already, and it names other files this time, no merger has one row of each attempt.
    """
    if watch is None or watch.merge is None:
        return results
    partitions = partitions_of(results)
    if partitions <= MANY:
        return results
    return results.repartition(math.isqrt(partitions - 1) + 1, "part").mapInArrow(
        _merger(watch.merge), results.schema
    )


def _merger(
    merge: Callable[[Sequence[bytes]], bytes],
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def merge_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        gathered = list(batches)
        seen = [report for batch in gathered for report in batch.column("seen").drop_null().to_pylist()]
        if not seen:
            return
        rows = pa.Table.from_batches(gathered)
        merged = pa.array([merge(seen), *[None] * (rows.num_rows - 1)], pa.binary())
        yield from (
            rows.set_column(rows.schema.get_field_index("seen"), "seen", merged).combine_chunks().to_batches()
        )

    return merge_partition


def _row_hash(frame: DataFrame, columns: Sequence[str], nulls_in_lists: bool) -> str:
    """SQL: xxhash64 of a row. It skips nulls, so the null flags are hashed too; it forgets where a list ends,
    so lists go in as JSON.

    Where no list holds a NULL its length before it says as much, and costs nothing.
    """
    nested = {
        field.name for field in frame.schema if isinstance(field.dataType, (ArrayType, MapType, StructType))
    }
    names = sorted(columns)  # the manifest keeps the names of columns, not their order
    sized = (
        set()
        if nulls_in_lists
        else {field.name for field in frame.schema if isinstance(field.dataType, ArrayType)}
    )

    def cell(name: str) -> str:
        if name in sized:
            return f"size({quoted(name)}), {quoted(name)}"
        return (
            f"to_json({quoted(name)}, map('ignoreNullFields', 'false'))" if name in nested else quoted(name)
        )

    flat = [cell(name) for name in names]
    return f"xxhash64({', '.join([*flat, *[f'isnull({quoted(name)})' for name in names]])})"


def _writer(
    folder: str,
    names: list[str],
    plan: dict[str, list[str]],
    rows_per_group: int,
    physical: Physical | None,
    watch: Watch | None = None,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    renamed = dict(renamed)

    def write_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        number = part()
        outputs = {
            name: PartFile(Path(folder, name), number, columns, rows_per_group, physical, renamed)
            for name, columns in plan.items()
        }
        tally: dict[str, int] = {}
        watcher = watch.start() if watch else None
        try:
            for numbered in batches:
                batch = numbered.rename_columns(names)
                if watcher:
                    watcher.add(batch)
                for pair in (
                    pc.value_counts(batch.column(TALLY).drop_null()).to_pylist() if TALLY in names else []
                ):
                    tally[pair["values"]] = tally.get(pair["values"], 0) + pair["counts"]
                for name, output in outputs.items():
                    rows = batch.filter(pc.equal(batch.column(ROUTE), name)) if ROUTE in names else batch
                    if rows.num_rows:
                        output.add(rows)
            finished = [(name, *output.finish()) for name, output in outputs.items() if output.rows]
        finally:
            for output in outputs.values():
                output.discard()
        rows = [
            [number, name, file, count, hash_, described, "{}", None]
            for name, file, count, hash_, described in finished
        ]
        rows.append([number, "", "", 0, "0", "", json.dumps(tally), watcher.finish() if watcher else None])
        types = [
            pa.int32(),
            pa.string(),
            pa.string(),
            pa.int64(),
            pa.string(),
            pa.string(),
            pa.string(),
            pa.binary(),
        ]
        yield pa.RecordBatch.from_arrays(
            [pa.array(column, type_) for column, type_ in zip(zip(*rows, strict=True), types, strict=True)],
            names=["part", "table", "file", "rows", "hash", "described", "tally", "seen"],
        )

    return write_partition


def _sweep(folder: Path, named: set[str]) -> None:
    for path in folder.iterdir():
        if path.name not in named:
            path.unlink()
