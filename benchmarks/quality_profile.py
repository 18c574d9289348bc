"""Goals: the full profile of a table in at most four plain scans; twenty checks in a tenth of Great
Expectations' time.

    python benchmarks/quality_profile.py [--rows 5000000 --columns 20] [--rounds 3] [--peers /path/to/python
    …] [--rules]

Mixed columns (whole numbers, reals, texts of few and of many values, times, booleans; 5 % NULL) as Parquet.
Everything runs interleaved in the same minutes: a plain scan that sums numbers and hashes the rest of every
column; `profile_of`; the same twenty expectations as quality checks, with Great Expectations and with
cuallee; ydata-profiling. Each peer is a process of its own with its own Spark of the same settings, timed
from warm. `--peers` names Pythons that have the peers; a peer that is not there is left out with a message.
Spark jobs are counted by the status tracker.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.driver.memory": "4g",
}


def write_data(folder: Path, rows: int, columns: int) -> None:
    """Eight kinds of columns in turn, four files."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True)
    for part in range(4):
        draw = np.random.default_rng(part)
        n = rows // 4

        def some(values: np.ndarray, draw: np.random.Generator = draw, n: int = n) -> pa.Array:
            return pa.array(values, mask=draw.random(n) < 0.05)

        kinds: list[Callable[[], np.ndarray]] = [
            lambda draw=draw, n=n: draw.integers(0, 10**6, n),
            lambda draw=draw, n=n: draw.lognormal(0, 2, n),
            lambda draw=draw, n=n: np.array([f"word{i}" for i in range(30)], object)[draw.integers(0, 30, n)],
            lambda draw=draw, n=n: draw.integers(0, 10**9, n).astype(str).astype(object),
            lambda draw=draw, n=n: (draw.integers(0, 10**9, n) * 1000 + 1_300_000_000_000_000).astype(
                "datetime64[us]"
            ),
            lambda draw=draw, n=n: draw.random(n) < 0.3,
            lambda draw=draw, n=n: draw.normal(0, 1, n),
            lambda draw=draw, n=n: draw.integers(0, 100, n).astype(np.int32),
        ]
        arrays = {f"c{i}": some(kinds[i % 8]()) for i in range(columns)}
        pq.write_table(pa.table(arrays), folder / f"part-{part}.parquet", row_group_size=250_000)


def spark_session():
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("quality_profile")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def expectations(columns: int) -> list[tuple[str, str, dict]]:
    """Twenty (kind, column, parameters); several columns of each kind are checked."""
    found: list[tuple[str, str, dict]] = []
    i = 0
    while len(found) < 20:
        column, kind = f"c{i % columns}", i % columns % 8
        wide = {"low": -1e9, "high": 1e9}
        by_kind = {
            0: ("in_range", wide),
            1: ("in_range", wide),
            6: ("in_range", wide),
            7: ("in_range", {"low": 0, "high": 98}),
        }
        by_kind |= {
            2: ("one_of", {"values": [f"word{j}" for j in range(29)]}),
            3: ("matches", {"pattern": "^[0-9]+$"}),
        }
        name, parameters = by_kind.get(kind, ("complete", {}))
        found.append((name, column, parameters))
        i += 1
    return found


def plain_scan(spark, data):
    """Σ of numbers, xor of the hashes of everything else: what it costs to look at every value once."""
    frame = spark.read.parquet(data)
    numbers = ("bigint", "double", "int")
    frame.selectExpr(
        *[f"sum({n})" if t in numbers else f"bit_xor(xxhash64({n}))" for n, t in frame.dtypes]
    ).collect()


def our_profile(spark, data):
    from lsml_spark.quality.figures.profile import profile_of

    profile_of(spark.read.parquet(data))


def our_checks(spark, data):
    """The rules alone: states of all rules in one pass, counted as the stage counts them."""
    from lsml_spark.quality.check import RowCheck, parse
    from lsml_spark.quality.rules import names_of_masks, of_check, with_states
    from lsml_spark.spark.attempt import compiled_apart

    frame = spark.read.parquet(data).selectExpr("*", "cast(NULL AS string) AS _corrupt")
    checks = [
        parse({kind: parameters}, RowCheck, column)
        for kind, column, parameters in expectations(len(frame.columns) - 1)
    ]
    with compiled_apart(spark):
        rules = [of_check(check, spark.sparkContext.applicationId) for check in checks]
        states = with_states(frame, rules).selectExpr(*names_of_masks(rules))
        counted = [f"count_if(shiftright(__m{i // 31}, {2 * (i % 31)}) & 3 = 1)" for i in range(len(rules))]
        return [int(count) for count in states.selectExpr(*counted).first()]


def great_expectations(spark, data):
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    batch = (
        context.data_sources.add_spark("s").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
    )
    suite = gx.ExpectationSuite(name="e")
    names = {"in_range": "ExpectColumnValuesToBeBetween", "one_of": "ExpectColumnValuesToBeInSet"}
    names |= {"matches": "ExpectColumnValuesToMatchRegex", "complete": "ExpectColumnValuesToNotBeNull"}
    keys = {"low": "min_value", "high": "max_value", "values": "value_set", "pattern": "regex"}
    frame = spark.read.parquet(data)
    for kind, column, parameters in expectations(len(frame.columns)):
        suite.add_expectation(
            getattr(gx.expectations, names[kind])(
                column=column, **{keys[k]: v for k, v in parameters.items()}
            )
        )
    result = batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite, result_format="BASIC")
    return [int(one.result["unexpected_count"]) for one in result.results]


def cuallee(spark, data):
    from cuallee import Check, CheckLevel

    frame = spark.read.parquet(data)
    check = Check(CheckLevel.WARNING, "c")
    for i, (kind, column, parameters) in enumerate(expectations(len(frame.columns))):
        pct = 1 - i * 1e-9  # cuallee keeps one of two equal rules
        if kind == "in_range":
            check.is_between(column, (parameters["low"], parameters["high"]), pct)
        elif kind == "one_of":
            check.is_contained_in(column, tuple(parameters["values"]), pct)
        elif kind == "matches":
            check.has_pattern(column, parameters["pattern"], pct)
        else:
            check.is_complete(column, pct)
    return [int(row.violations) for row in check.validate(frame).orderBy("id").collect()]


def ydata(spark, data):
    from ydata_profiling import ProfileReport

    ProfileReport(spark.read.parquet(data), minimal=True, progress_bar=False).get_description()


TASKS = {f.__name__: f for f in (plain_scan, our_profile, our_checks, great_expectations, cuallee, ydata)}
NEEDS = {"great_expectations": "great_expectations", "cuallee": "cuallee", "ydata": "ydata_profiling"}


def cpu_seconds() -> float:
    """Of all processes of this session, the JVM and its Python workers too: what a busy machine does not
    change.
    """
    ticks, mine = 0, os.getsid(0)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == mine:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def serve(data: str) -> None:
    """Run the tasks named on stdin, one a line; answer each with seconds and jobs."""
    answers, sys.stdout = sys.stdout, sys.stderr
    spark = spark_session()
    for line in sys.stdin:
        name = line.strip()
        group = f"{name}-{time.time()}"
        spark.sparkContext.setJobGroup(group, name)
        started, before = time.perf_counter(), cpu_seconds()
        try:
            found = TASKS[name](spark, data)
            seconds, cpu = time.perf_counter() - started, cpu_seconds() - before
            jobs = len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))
            answer = {"seconds": seconds, "cpu": cpu, "jobs": jobs, "found": found}
        except Exception as error:
            answer = {
                "failed": f"{type(error).__name__}: "
                f"{str(error).strip().splitlines()[0][:300] if str(error).strip() else ''}"
            }
        print(json.dumps(answer), file=answers, flush=True)


class Peer:
    """A process that runs tasks on request."""

    def __init__(self, python: str, data: Path, log: Path):
        command = [python, __file__, "--serve", str(data)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("a"),
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )

    def run(self, task: str) -> dict:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(task + "\n")
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)
        return {"failed": f"the process ended with code {self.process.wait()}"}


def python_for(module: str, pythons: list[str]) -> str | None:
    for python in pythons:
        if (
            subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode
            == 0
        ):
            return python
    return None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=[])
    parser.add_argument("--only", nargs="*", default=list(TASKS))
    parser.add_argument("--log", type=Path, default=Path(tempfile.gettempdir(), "quality_profile.log"))
    parser.add_argument("--serve")
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    from machine import machine

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        write_data(data, arguments.rows, arguments.columns)
        size = f"{arguments.rows:,} rows × {arguments.columns} columns"
        print(f"{machine()}; {size}, {arguments.rounds} rounds after one to warm up\n", flush=True)
        workers: dict[str, Peer] = {}
        tasks: dict[str, Peer] = {}
        for task in arguments.only:
            python = (
                python_for(NEEDS[task], [sys.executable, *arguments.peers])
                if task in NEEDS
                else sys.executable
            )
            if python is None:
                print(f"{task}: left out, no Python of --peers can import {NEEDS[task]}")
                continue
            # a peer brings settings of its own: a process for each
            key = f"{python} {task if task in NEEDS else ''}"
            if key not in workers:
                workers[key] = Peer(python, data, arguments.log)
            tasks[task] = workers[key]
        measure(tasks, arguments.rounds)
        for worker in workers.values():
            worker.process.kill()


def measure(tasks: dict[str, Peer], rounds: int) -> None:
    """Rounds in which every task runs once; a Markdown table of the medians."""
    results: dict[str, list[dict]] = {task: [] for task in tasks}
    for number in range(rounds + 1):
        for task, worker in list(tasks.items()):
            answer = worker.run(task)
            if "failed" in answer:
                print(f"{task}: failed, {answer['failed']}")
                del tasks[task], results[task]
                continue
            print(f"<!-- round {number} {task} {answer['seconds']:.2f} s -->", file=sys.stderr, flush=True)
            if number:
                results[task].append(answer)
    plain = results["plain_scan"]
    print(
        "| | seconds | CPU seconds | × plain scan, time | × plain scan, CPU | Spark jobs |\n"
        "|---|---|---|---|---|---|"
    )
    for task, found in results.items():
        medians = [statistics.median(result[unit] for result in found) for unit in ("seconds", "cpu")]
        ratios = [
            statistics.median(one[unit] / scan[unit] for one, scan in zip(found, plain, strict=True))
            for unit in ("seconds", "cpu")
        ]
        print(
            f"| {task} | "
            + " | ".join(f"{figure:.2f}" for figure in medians + ratios)
            + f" | {found[-1]['jobs']} |"
        )
    # it counts NULLs
    counts = {
        task: found[-1]["found"]
        for task, found in results.items()
        if found[-1]["found"] and task != "cuallee"
    }
    if len(counts) > 1:
        print(
            f"\nviolations counted alike by {', '.join(counts)}: {len(set(map(str, counts.values()))) == 1}"
        )


if __name__ == "__main__":
    main()
