"""Goal: writing shards reaches 0.7 times the speed of Spark's own Parquet writer on the same rows.

    python benchmarks/shard_write.py [--rows 1000000] [--rounds 3] [--sets tabular ragged dense] [--scratch
    DIR]

Three shapes: 13 float32 + 26 int64, lists of up to 64 ints, 256 float32 (as list<float> in the features).
Interleaved, each from the same Parquet features: Spark's writer with its defaults on the rows as they lie,
and on the rows shuffled and sorted into the same shards (so what is compared is the writing); our write of
the same shuffle, columns flat and packed; and the whole shard stage, which also counts, samples and finds the
edges. CPU seconds are those of this process, its JVM and its Python workers. Then, for columns of each kind,
size and speed of reading by compression, which the rule in `shard/stored.py` rests on, and the rate of each
checksum of `lsml verify` over the shards.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import machine
from pyspark.sql import DataFrame, SparkSession
from select_stages import CpuClock, finished, fresh, start

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import ALGORITHMS, File, Table, checksum_of, describe
from lsml_spark.core.work import Outcome, Source
from lsml_spark.shard import run as shard
from lsml_spark.spark import tables

PARTS, SHARDS, GROUP = 8, 8, 32_768
SPARK = {"sample_id": "string", "key": "string", "label": "int", "weight": "double"}
KINDS = {"tabular": 1.0, "ragged": 0.5, "dense": 0.06}  # of --rows
COMPRESSIONS = {
    "plain": ("none", "PLAIN"),
    "lz4": ("lz4", "PLAIN"),
    "zstd": ("zstd", "PLAIN"),
    "byte stream split, lz4": ("lz4", "BYTE_STREAM_SPLIT"),
    "delta": ("none", "DELTA_BINARY_PACKED"),
}


def rows_of(kind: str, first: int, count: int) -> tuple[pa.Table, dict[str, str]]:
    """Rows numbered from `first`, and the Spark types of their features."""
    random = np.random.default_rng(first)
    ids = np.arange(first, first + count)
    table = {
        "sample_id": pa.array([f"2011-01-13:day.csv:{i}" for i in ids]),
        "key": pa.array(np.char.add("k", (random.zipf(1.3, count) % 50_000).astype(str)).tolist()),
        "label": pa.array(random.integers(0, 2, count), pa.int32()),
        "weight": pa.array(random.random(count) + 0.5),
    }
    if kind == "tabular":
        features = {f"f{i}": pa.array(random.lognormal(size=count), pa.float32()) for i in range(13)}
        features |= {f"c{i}": pa.array(random.zipf(1.2, count) % 10_000_000) for i in range(26)}
        types = {name: "float" if name.startswith("f") else "bigint" for name in features}
    elif kind == "ragged":
        lengths = random.integers(1, 65, count)
        offsets = pa.array(np.concatenate([[0], lengths.cumsum()]), pa.int32())
        features = {
            "tokens": pa.ListArray.from_arrays(
                offsets, pa.array(random.integers(0, 30_000, lengths.sum()), pa.int32())
            )
        }
        types = {"tokens": "array<int>"}
    else:
        offsets = pa.array(np.arange(count + 1) * 256, pa.int32())
        features = {
            "embedding": pa.ListArray.from_arrays(
                offsets, pa.array(random.normal(size=count * 256), pa.float32())
            )
        }
        types = {"embedding": "array<float>"}
    return pa.table({**table, **features}), types


def features_of(kind: str, rows: int, folder: Path) -> Source:
    """A features stage with a training table of these rows in PARTS files and an empty test table."""
    work = fresh(folder, "features", {})
    files = []
    (folder / "train").mkdir()
    for part in range(PARTS):
        table, types = rows_of(kind, part * rows // PARTS, (part + 1) * rows // PARTS - part * rows // PARTS)
        path = folder / "train" / f"part-{part}.parquet"
        pq.write_table(table, path, compression="lz4")
        found = describe(folder, path)
        files.append(File(found.path, found.bytes, found.checksum, table.num_rows, [table.num_rows]))
    columns = SPARK | types
    made = {"train": Table(columns, rows, "0" * 16, files), "test": Table(columns, 0, "0" * 16, [])}
    return finished(work, Outcome(Ledger(rows, rows), made))


class Contest:
    """Who writes the same rows; the shard stage is timed as a whole, and by its writing alone."""

    def __init__(self, spark: SparkSession, source: Source, scratch: Path, kind: str):
        self.spark, self.source, self.scratch = spark, source, scratch
        self.config: dict[str, object] = {"shards": SHARDS, "rows_per_group": GROUP}
        if kind == "dense":
            self.config["tensors"] = {"embedding": {"shape": [256]}}
        self.writing = 0.0
        self.tasks: dict[str, Callable[[], object]] = {
            "spark": lambda: self.spark_writes(self.rows()),
            "spark, same shuffle": lambda: self.spark_writes(self.shuffled()),
            "ours": lambda: self.stage({}),
        }
        if kind == "tabular":
            self.tasks["ours, packed"] = lambda: self.stage({"pack": "all"})

    def rows(self) -> DataFrame:
        return tables.read(self.spark, self.source, table="train")

    def shuffled(self) -> DataFrame:
        order = "shiftrightunsigned(xxhash64(sample_id, 7L), 11) AS __order"
        placed = (
            self.rows()
            .selectExpr("*", order)
            .selectExpr("*", f"int(floor(__order * ({SHARDS} * power(2D, -53)))) AS __shard")
        )
        return (
            placed.repartitionById(SHARDS, placed["__shard"])
            .sortWithinPartitions("__order", "sample_id")
            .drop("__order", "__shard")
        )

    def spark_writes(self, frame: DataFrame) -> None:
        frame.write.mode("overwrite").parquet(str(self.scratch / "spark_written"))

    def stage(self, more: dict[str, object]) -> Source:
        work = fresh(self.scratch / "shard", "shard", {"features": self.source})
        return finished(work, shard.run(work, shard.Config(**self.config, **more), self.spark))


def measure(contest: Contest, rounds: int) -> dict[str, dict]:
    """Rounds in which everybody runs once, in an order that turns by one each round; medians."""
    cpu_seconds, names = CpuClock(), list(contest.tasks)
    found: dict[str, list[dict[str, float]]] = {}
    write = tables.write
    spent = {}

    def timed(*arguments: object, **options: object) -> object:
        began, cpu = time.perf_counter(), cpu_seconds()
        written = write(*arguments, **options)
        spent.update(seconds=time.perf_counter() - began, cpu=cpu_seconds() - cpu)
        return written

    tables.write = timed
    try:
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                began, cpu = time.perf_counter(), cpu_seconds()
                contest.tasks[name]()
                one = {"seconds": time.perf_counter() - began, "cpu": cpu_seconds() - cpu}
                stage = f"{name}: whole stage" if name.startswith("ours") else name
                found.setdefault(stage, []).append(one)
                if name.startswith("ours"):
                    found.setdefault(f"{name}: write", []).append(dict(spent))
                print(f"round {number} {name}: {one} {spent}", file=sys.stderr, flush=True)
    finally:
        tables.write = write
    peer = {
        unit: statistics.median(run[unit] for run in found["spark, same shuffle"])
        for unit in ("seconds", "cpu")
    }
    return {
        name: {unit: round(statistics.median(run[unit] for run in runs), 2) for unit in ("seconds", "cpu")}
        | {
            f"speed_of_spark_{unit}": round(peer[unit] / statistics.median(run[unit] for run in runs), 2)
            for unit in ("seconds", "cpu")
        }
        | {"rounds": [{unit: round(value, 2) for unit, value in run.items()} for run in runs]}
        for name, runs in found.items()
    }


def storage(rows: int, scratch: Path, rounds: int) -> dict[str, dict]:
    """Bytes of a row and million rows a second read (pyarrow, one thread, memory map) by kind of column and
    compression.
    """
    random = np.random.default_rng(3)
    strokes = (random.random((rows // 8, 784)) < 0.19) * random.integers(0, 256, (rows // 8, 784))
    columns = {
        "float32, noise": pa.array(random.normal(size=rows), pa.float32()),
        "int64, ids below 10 million": pa.array(random.zipf(1.2, rows) % 10_000_000),
        "int32, 10 classes": pa.array(random.integers(0, 10, rows), pa.int32()),
        "float32, one value": pa.array(np.ones(rows), pa.float32()),
        "uint8 28×28, a fifth not 0": pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(784), rows // 8, [None, pa.py_buffer(strokes.astype(np.uint8).tobytes())]
        ),
    }
    found: dict[str, dict] = {}
    for kind, column in columns.items():
        table = pa.Table.from_arrays([column], schema=pa.schema([pa.field("x", column.type, nullable=False)]))
        for name, (compression, encoding) in COMPRESSIONS.items():
            if encoding == "DELTA_BINARY_PACKED" and not pa.types.is_integer(column.type):
                continue
            path = scratch / "column.parquet"
            pq.write_table(
                table,
                path,
                compression=compression,
                use_dictionary=False,
                column_encoding=encoding,
                row_group_size=GROUP,
            )
            seconds = []
            for _ in range(2 * rounds + 1):
                began = time.perf_counter()
                pq.read_table(path, memory_map=True, use_threads=False)
                seconds.append(time.perf_counter() - began)
            rate = len(column) / statistics.median(seconds) / 1e6
            found.setdefault(kind, {})[name] = {
                "bytes": round(path.stat().st_size / len(column), 2),
                "million_rows": round(rate, 1),
            }
    return found


def checksums(source: Source, rounds: int) -> dict[str, float]:
    """GB a second over the shards, from the page cache, one thread."""
    paths = source.files("train")
    size = sum(path.stat().st_size for path in paths)
    found = {}
    for algorithm in ALGORITHMS:
        seconds = []
        for _ in range(2 * rounds + 1):
            began = time.perf_counter()
            for path in paths:
                checksum_of(path, algorithm)
            seconds.append(time.perf_counter() - began)
        found[algorithm] = round(size / statistics.median(seconds) / 1e9, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "shard_write.json")
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="shard_write-", dir=arguments.scratch))
    spark = start(
        "6g", {"spark.local.dir": str(scratch / "spark"), "spark.sql.shuffle.partitions": str(SHARDS)}
    )
    result = {
        "machine": machine(),
        "command": " ".join(["python", "benchmarks/shard_write.py", *sys.argv[1:]]),
        "sets": {},
    }
    try:
        for kind in arguments.sets:
            rows = round(arguments.rows * KINDS[kind])
            contest = Contest(spark, features_of(kind, rows, scratch / kind), scratch, kind)
            # Java compiles what runs often
            measure(Contest(spark, features_of(kind, rows // 20, scratch / "warm"), scratch, kind), 1)
            found = measure(contest, arguments.rounds)
            source = contest.stage({})
            megabytes = round(sum(file.bytes for file in source.manifest.tables["train"].files) / 1e6)
            result["sets"][kind] = {
                "rows": rows,
                "megabytes": megabytes,
                "figures": found,
                "checksums_gb_s": checksums(source, arguments.rounds),
            }
            print(f"\n{kind}: {rows:,} rows, {megabytes} MB of shards; {result['machine']}\n")
            print("| | seconds | CPU seconds | speed, Spark's writer = 1 | by CPU |\n|---|---|---|---|---|")
            for name, one in found.items():
                print(
                    f"| {name} | {one['seconds']} | {one['cpu']} | {one['speed_of_spark_seconds']} | "
                    f"{one['speed_of_spark_cpu']} |"
                )
            print(f"checksums, GB/s: {result['sets'][kind]['checksums_gb_s']}", flush=True)
            shutil.rmtree(scratch / kind)
        result["storage"] = storage(arguments.rows, scratch, arguments.rounds)
        for kind, one in result["storage"].items():
            print(kind, json.dumps(one, ensure_ascii=False))
        arguments.out.parent.mkdir(exist_ok=True)
        arguments.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    finally:
        spark.stop()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
