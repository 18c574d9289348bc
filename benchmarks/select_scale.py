"""Goals: 100 M rows on two cores and a driver of 4 GB; and driver memory that does not grow with the number
of keys.

    python benchmarks/select_scale.py [--rows 100000000] [--memory-rows 20000000] [--scratch DIR]

Rows are made by Spark: the rank of a row's key is log-uniform (Zipf's law, exponent 1), or, for a share of
the rows, uniform, which makes a tail of keys seen once. Each setting is a process of its own that counts the
keys (`zipf`) and selects at falling budgets, at the least of which even keys seen once are thinned. First all
rows on `local[2]`. Then fewer rows with 0.1, 1 and 10 M keys on `local-cluster[2,1,3072]`, where the driver
is a JVM of its own: its live heap is read after a full collection every two seconds, and the largest is
given, with the peak memory of the driver's Python. Every selection is checked: rows within five standard
deviations of the budget, the rows of a smaller budget all among those of the larger.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from machine import machine
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from select_stages import SEED, finished, fresh, prepared, start

from lsml_spark.core.work import Source
from lsml_spark.select import run as select
from lsml_spark.spark import tables
from lsml_spark.zipf import run as zipf

BUDGETS = (0.5, 0.1, 0.02, 0.002)
RESULT = "RESULT "


def rows_of(spark: SparkSession, rows: int, ranks: int, uniform: float) -> DataFrame:
    """(sample_id, key, label, value): a share `uniform` of the rows has uniform ranks 1 … `ranks`, the others
    log-uniform ones.
    """

    def draw(purpose: int):
        return F.shiftrightunsigned(F.xxhash64("id", F.lit(SEED + purpose)), 11).cast("double") * F.lit(
            2.0**-53
        )

    rank = (
        F.when(draw(0) < uniform, draw(1) * ranks).otherwise(F.pow(F.lit(float(ranks)), draw(2))).cast("long")
    )
    columns = [
        F.col("id").cast("string").alias("sample_id"),
        F.concat(F.lit("k"), rank.cast("string")).alias("key"),
    ]
    return spark.range(0, rows, 1, 16).select(
        *columns, F.when(draw(3) < 0.5, "F").otherwise("M").alias("label"), draw(4).alias("value")
    )


class LiveHeap:
    """The largest heap in use right after a full collection, looked at every two seconds; MB."""

    def __init__(self, spark: SparkSession):
        self.jvm, self.largest, self.stopped = spark.sparkContext._jvm, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.stopped.wait(2.0):
            self.look()

    def look(self) -> float:
        self.jvm.java.lang.System.gc()
        runtime = self.jvm.java.lang.Runtime.getRuntime()
        now = (runtime.totalMemory() - runtime.freeMemory()) / 1e6
        self.largest = max(self.largest, now)
        return now

    def since_last(self) -> float:
        """The largest since this was asked before."""
        self.look()
        found, self.largest = self.largest, 0.0
        return round(found, 1)

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()


def python_peak() -> float:
    """MB that this process ever held at once."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return round(int(line.split()[1]) / 1000, 1)


def one(rows: int, ranks: int, uniform: float, master: str, folder: Path, measure: bool) -> dict:
    """Count and select at every budget; what it took."""
    settings = {
        "spark.local.dir": str(folder / "spark"),
        "spark.sql.shuffle.partitions": "32",
        "spark.executor.memory": "2g",
    }
    spark = start("4g", settings, master)
    spark.range(1000).selectExpr("sum(id)").collect()
    heap = LiveHeap(spark) if measure else None
    found: dict = {"rows": rows, "ranks": ranks, "uniform": uniform, "master": master, "driver_memory": "4g"}
    found["idle"] = {"heap": heap.since_last() if heap else None, "python": python_peak()}
    source, found["write"] = timed(
        lambda: prepared(rows_of(spark, rows, ranks, uniform), folder / "prepare"), heap
    )
    work = fresh(folder / "zipf", "zipf", {"prepare": source})
    counts, found["zipf"] = timed(lambda: finished(work, zipf.run(work, zipf.Config(), spark)), heap)
    found |= {name: counts.manifest.metrics[name] for name in ("keys", "hapaxes")}
    before: Source | None = None
    found["select"] = []
    for share in BUDGETS:
        work = fresh(folder / f"select{share}", "select", {"prepare": source, "zipf": counts})
        config = select.Config(policy={"use": "zipf", "beta": 0.5}, budget=share, weights=False)
        chosen, told = timed(
            lambda work=work, config=config: finished(work, select.run(work, config, spark)), heap
        )
        told |= judged(spark, chosen, before, share * rows)
        found["select"].append(told)
        print(f"{rows:,} rows, {found['keys']:,} keys: {told}", file=sys.stderr, flush=True)
        if before:
            shutil.rmtree(before.folder)
        before = chosen
    if heap:
        heap.stop()
    spark.stop()
    return found


def timed(action, heap: LiveHeap | None) -> tuple:
    began = time.perf_counter()
    made = action()
    memory = {"heap": heap.since_last()} if heap else {}
    return made, {"seconds": round(time.perf_counter() - began, 1), **memory, "python": python_peak()}


def judged(spark: SparkSession, chosen: Source, before: Source | None, budget: float) -> dict:
    """Rows against the budget, rates of the rarest keys; whether all rows are among those of the larger
    budget.
    """
    told = json.loads(chosen.file("selection.json").read_text())
    deviation = sum(n * rate * (1 - rate) for _, n, _, rate in told["by_frequency"]) ** 0.5
    kept = told["rows_kept"]
    assert abs(kept - budget) < 5 * deviation + 1, (kept, budget, deviation)
    if before:
        ids, larger = (
            tables.read(spark, source, table="train").select("sample_id") for source in (chosen, before)
        )
        strays = ids.join(larger, "sample_id", "left_anti").count()
        assert not strays, f"{strays} of {kept} rows are not in the selection of the larger budget"
    once = next((rate for f, _, _, rate in told["by_frequency"] if f == 1), None)
    return {
        "budget": budget,
        "kept": kept,
        "coarse_below": told["coarse_below"],
        "rate_of_keys_seen_once": once,
    }


def apart(folder: Path, *arguments) -> dict:
    """`one` in a process of its own; its peak of memory is then its own too."""
    command = [sys.executable, __file__, "--one", json.dumps(arguments), "--scratch", str(folder)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(RESULT)]
    shutil.rmtree(folder, ignore_errors=True)
    return (
        json.loads(found[-1].removeprefix(RESULT))
        if found
        else {"arguments": arguments, "failed": done.returncode}
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--memory-rows", type=int, default=20_000_000)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "select_scale.json")
    parser.add_argument("--only", choices=["large", "memory"])
    parser.add_argument("--one")
    arguments = parser.parse_args()
    if arguments.one:
        rows, ranks, uniform, master, measure = json.loads(arguments.one)
        print(RESULT + json.dumps(one(rows, ranks, uniform, master, arguments.scratch, measure)), flush=True)
        return
    scratch = Path(tempfile.mkdtemp(prefix="select_scale-", dir=arguments.scratch))
    parts = {"large": [(arguments.rows, 20_000_000, 0.0, "local[2]", False)], "memory": []}
    for ranks in (100_000, 1_000_000, 16_000_000):  # of which 10 M are seen
        parts["memory"].append((arguments.memory_rows, ranks, 0.8, "local-cluster[2,1,3072]", True))
    result = {
        "machine": machine(),
        "command": " ".join(["python", "benchmarks/select_scale.py", *sys.argv[1:]]),
    }
    try:
        for part in [arguments.only] if arguments.only else list(parts):
            result[part] = [apart(scratch / f"{part}{i}", *each) for i, each in enumerate(parts[part])]
            arguments.out.parent.mkdir(exist_ok=True)
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
