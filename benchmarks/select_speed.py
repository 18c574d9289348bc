"""Goal: counting the keys and selecting half of the rows by them takes at most 1.5 times two plain scans of
the file.

    python benchmarks/select_speed.py [--rows 20000000] [--rounds 3] [--data ../shared/data/names] [--scratch
    DIR]

Births 1995–2000, one row each, in the order of a hash, as Parquet; once as they are and once with half of all
rows on one key. In the same minutes, interleaved: a plain scan (sums numbers, hashes the rest of every
column); `zipf` and `select` as a night runs them; the plan of `select` into Spark's noop sink; and of the
peers, into noop and into Parquet, `sampleBy` with a fraction for every key and `row_number()` per key with a
quota joined in. All get the same counts and rates; counting is timed alone. CPU seconds are those of this
process, its JVM and its Python workers: what a busy machine changes least.
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
from machine import machine
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from select_stages import DATE, SEED, CpuClock, finished, fresh, prepared, start

from lsml_spark.core import seeds
from lsml_spark.core.work import Source
from lsml_spark.select import run as select
from lsml_spark.select.apply import Groups, by_key, uniform
from lsml_spark.select.policies.policy import Spectrum
from lsml_spark.spark import tables
from lsml_spark.zipf import count
from lsml_spark.zipf import run as zipf

BUDGET = 0.5
YEARS = range(1995, 2001)
# where one key is half
SKEWED = ["scan", "group by key, count", "zipf stage", "select, plan", "select stage", "row_number, plan"]
SELECT = select.Config(policy={"use": "zipf", "beta": 0.5}, budget=BUDGET)


def births(spark: SparkSession, data: Path, rows: int, skewed: bool) -> DataFrame:
    """(sample_id, key, label, date, letters), a row per birth, scaled to about `rows`, in the order of a
    hash.
    """
    frames = [
        spark.read.csv(str(data / f"yob{year}.txt"), schema="name string, sex string, births int").withColumn(
            "year", F.lit(year)
        )
        for year in YEARS
    ]
    each = frames[0]
    for frame in frames[1:]:
        each = each.unionByName(frame)
    total = each.agg(F.sum("births")).first()[0]
    # of the birth that is left over
    share = F.pmod(F.xxhash64("name", "sex", "year"), F.lit(10_000)) / 10_000
    row = each.select(
        "*", F.explode(F.sequence(F.lit(0), F.floor(F.col("births") * (rows / total) + share))).alias("i")
    ).where("i > 0")
    sample_id = F.concat_ws(":", "name", "sex", "year", "i").alias("sample_id")
    key = (
        F.when(F.xxhash64("name", "year", "i") % 2 == 0, F.lit("Michael")).otherwise(F.col("name"))
        if skewed
        else F.col("name")
    )
    date = F.make_date("year", F.lit(12), F.lit(31)).alias("date")
    sample = row.select(
        sample_id, key.alias("key"), F.col("sex").alias("label"), date, F.length("name").alias("letters")
    )
    return sample.repartition(16, "sample_id").sortWithinPartitions(F.xxhash64("sample_id"))


class Contest:
    """The same rows, counts and rates for everybody; `tasks`: name → what is timed."""

    def __init__(self, spark: SparkSession, source: Source, scratch: Path):
        self.spark, self.source, self.scratch = spark, source, scratch
        self.parquet = str(scratch / "peer")
        self.count()  # so that each round can begin anywhere
        key_counts = {row["key"]: row["count"] for row in self.rows().groupBy("key").count().collect()}
        groups, rates_S, _ = self.groups()
        rate = dict(zip((f for (f,) in groups.values), rates_S.tolist(), strict=True))
        # all keys: sampleBy drops those that are not listed
        self.fractions = {key: rate[n] for key, n in key_counts.items()}
        quotas = [(key, round(n * rate[n])) for key, n in key_counts.items()]
        self.quota = spark.createDataFrame(quotas, "key string, quota long").repartition(1).cache()
        self.quota.count()
        self.tasks: dict[str, Callable[[], object]] = {
            "scan": self.scan,
            "group by key, count": lambda: noop(count.every_key(self.rows())),
            "zipf stage": self.count,
            "select, plan": lambda: noop(self.drawn()),
            "select stage": self.select,
            "sampleBy, plan": lambda: noop(self.sample_by()),
            "sampleBy, Parquet": lambda: self.write(self.sample_by()),
            "row_number, plan": lambda: noop(self.window()),
            "row_number, Parquet": lambda: self.write(self.window()),
        }

    def rows(self) -> DataFrame:
        return tables.read(self.spark, self.source, table="train")

    def scan(self) -> None:
        numbers = ("int", "bigint", "double")
        frame = self.rows()
        frame.selectExpr(
            *[f"sum({n})" if t in numbers else f"bit_xor(xxhash64({n}))" for n, t in frame.dtypes]
        ).collect()

    def count(self) -> None:
        work = fresh(self.scratch / "zipf", "zipf", {"prepare": self.source})
        self.counts = finished(work, zipf.run(work, zipf.Config(), self.spark))

    def groups(self) -> tuple[Groups, np.ndarray, Spectrum]:
        groups = Groups.of(tables.read(self.spark, self.counts, table="counts"))
        spectrum = Spectrum(np.asarray(groups.column("count"), dtype=np.int64), groups.keys_S)
        return groups, SELECT.policy.keep_rates(spectrum, BUDGET * spectrum.rows.sum()), spectrum

    def drawn(self) -> DataFrame:
        """What the stage writes, planned as it does: groups of keys, rates, the list of keys that lose most,
        the filter.
        """
        groups, rates_S, spectrum = self.groups()
        rated = by_key(self.rows(), groups, {"keep_rate": rates_S}, spectrum, select.NAMED)
        frame = rated.frame.withColumn("weight", 1 / F.col("keep_rate"))
        return frame.where(uniform("sample_id", seeds.derive(SEED, "select", DATE)) < F.col("keep_rate"))

    def select(self) -> int:
        work = fresh(self.scratch / "select", "select", {"prepare": self.source, "zipf": self.counts})
        return select.run(work, SELECT, self.spark).ledger.rows_out

    def sample_by(self) -> DataFrame:
        return self.rows().sampleBy("key", self.fractions, seed=7)

    def window(self) -> DataFrame:
        numbered = self.rows().withColumn("draw", F.xxhash64("sample_id", F.lit(7)))
        numbered = numbered.withColumn("rn", F.expr("row_number() OVER (PARTITION BY key ORDER BY draw)"))
        return (
            numbered.join(F.broadcast(self.quota), "key")
            .where("rn <= quota")
            .select(*self.source.manifest.tables["train"].columns)
        )

    def write(self, frame: DataFrame) -> None:
        frame.write.mode("overwrite").option("compression", "lz4_raw").parquet(self.parquet)


def noop(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


def task_times(spark: SparkSession, group: str) -> list[float]:
    """Seconds each task of a job group's longest stage ran, from the store behind Spark's web page."""
    tracker, store = spark.sparkContext.statusTracker(), spark.sparkContext._jsc.sc().statusStore()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    best: list[float] = []
    for stage in {stage for job in jobs if job for stage in job.stageIds}:
        info = tracker.getStageInfo(stage)
        if info is None or not info.numCompletedTasks:
            continue
        found = store.taskList(stage, info.currentAttemptId, 10_000)
        runs = [found.apply(i).taskMetrics().get().executorRunTime() / 1000 for i in range(found.size())]
        best = max(best, runs, key=sum)
    return best


def measure(contest: Contest, rounds: int, only: list[str]) -> dict[str, list[dict]]:
    """Rounds in which everybody runs once, in an order that turns by one each round."""
    names = [name for name in contest.tasks if not only or name in only]
    found: dict[str, list[dict]] = {name: [] for name in names}
    cpu_seconds = CpuClock()
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            group = f"{name}-{time.time()}"
            contest.spark.sparkContext.setJobGroup(group, name)
            began, cpu = time.perf_counter(), cpu_seconds()
            contest.tasks[name]()
            one = {"seconds": round(time.perf_counter() - began, 2), "cpu": round(cpu_seconds() - cpu, 2)}
            tasks = task_times(contest.spark, group)
            one |= {
                "tasks": len(tasks),
                "slowest_task": round(max(tasks) / max(statistics.median(tasks), 1e-3), 2),
            }
            print(f"round {number} {name}: {one}", file=sys.stderr, flush=True)
            found[name].append(one)
    return found


def figures(found: dict[str, list[dict]]) -> dict[str, dict]:
    """Medians, and medians over two scans; `count + select` is the sum of the two stages (or plans) of one
    round.
    """
    sums = {
        "zipf + select stages": ("zipf stage", "select stage"),
        "count + select, plans": ("group by key, count", "select, plan"),
        "count + sampleBy, plans": ("group by key, count", "sampleBy, plan"),
        "count + row_number, plans": ("group by key, count", "row_number, plan"),
        "zipf stage + sampleBy, Parquet": ("zipf stage", "sampleBy, Parquet"),
        "zipf stage + row_number, Parquet": ("zipf stage", "row_number, Parquet"),
    }
    for name, (one, other) in sums.items():
        if one in found and other in found:
            pairs = zip(found[one], found[other], strict=True)
            found[name] = [
                {unit: a[unit] + b[unit] for unit in ("seconds", "cpu")} | {"slowest_task": b["slowest_task"]}
                for a, b in pairs
            ]
    medians = {
        name: {unit: statistics.median(one[unit] for one in runs) for unit in runs[0]}
        for name, runs in found.items()
    }
    scan = medians["scan"]
    return {
        name: {unit: round(value, 2) for unit, value in one.items()}
        | {f"of_two_scans_{unit}": round(one[unit] / scan[unit] / 2, 2) for unit in ("seconds", "cpu")}
        | {"rounds": found[name]}
        for name, one in medians.items()
    }


def table(found: dict[str, dict]) -> str:
    lines = [
        "| | seconds | CPU seconds | × two scans | × two scans, CPU | slowest / median task |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        units = ("seconds", "cpu", "of_two_scans_seconds", "of_two_scans_cpu", "slowest_task")
        lines.append(f"| {name} | " + " | ".join(f"{one[unit]:.2f}" for unit in units) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/names"))
    parser.add_argument(
        "--sets", nargs="*", default=["names", "half_on_one_key"], choices=["names", "half_on_one_key"]
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of tasks")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "select_speed.json")
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="select_speed-", dir=arguments.scratch))
    settings = {"spark.local.dir": str(scratch / "spark"), "spark.sql.shuffle.partitions": "16"}
    spark = start("6g", settings)
    result = {
        "machine": machine(),
        "command": " ".join(["python", "benchmarks/select_speed.py", *sys.argv[1:]]),
        "sets": {},
    }
    try:
        warm = Contest(
            spark,
            prepared(births(spark, arguments.data, arguments.rows // 10, skewed=False), scratch / "warm"),
            scratch,
        )
        measure(warm, 1, arguments.only)  # Java compiles what runs often
        for name in arguments.sets:
            data = births(spark, arguments.data, arguments.rows, skewed=name == "half_on_one_key")
            source = prepared(data, scratch / name)
            size = source.manifest.tables["train"]
            contest = Contest(spark, source, scratch)
            tasks = arguments.only or (list(contest.tasks) if name == "names" else SKEWED)
            found = figures(measure(contest, arguments.rounds, tasks))
            megabytes = round(sum(file.bytes for file in size.files) / 1e6)
            result["sets"][name] = {
                "rows": size.rows,
                "megabytes": megabytes,
                "keys": len(contest.fractions),
                "figures": found,
            }
            print(
                f"\n{name}: {size.rows:,} rows, {megabytes} MB, {len(contest.fractions):,} keys; "
                f"{result['machine']}\n",
                flush=True,
            )
            print(table(found), flush=True)
            contest.quota.unpersist()
            shutil.rmtree(scratch / name)
            arguments.out.parent.mkdir(exist_ok=True)
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    finally:
        spark.stop()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
