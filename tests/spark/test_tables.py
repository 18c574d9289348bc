"""Tables: the same rows give the same checksum however they lie, and a task that fails or runs twice leaves
no trace.
"""

import json
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import cloudpickle
from pyspark.sql import functions as F

from lsml_spark.core import manifest
from lsml_spark.spark import tables

pytestmark = pytest.mark.spark
PROJECT = Path(__file__).parents[2]
ROWS = 5000
COLUMNS = ["id", "text", "number", "real", "day", "items"]
SCHEMA = (
    "id long, text string, number int, real double, day date, items array<string>, route string, "
    "reason string"
)


@pytest.fixture(scope="module")
def arrow_rows() -> pa.Table:
    """Every type that a stage writes, with NULLs in each column but the id."""
    random = np.random.default_rng(5)

    def some(values: list) -> list:
        return [
            None if drawn < 0.1 else value for drawn, value in zip(random.random(ROWS), values, strict=True)
        ]

    route = random.choice(["train", "test", "dropped"], ROWS, p=[0.7, 0.2, 0.1])
    return pa.table(
        {
            "id": np.arange(ROWS),
            "text": pa.array(some([f"ä{n}" for n in random.integers(0, 300, ROWS)])),
            "number": pa.array(some(random.integers(-9, 9, ROWS).tolist()), pa.int32()),
            "real": pa.array(some(random.normal(size=ROWS).tolist())),
            "day": pa.array(some(random.integers(0, 9999, ROWS).tolist()), pa.int32()).cast(pa.date32()),
            "items": pa.array(
                some([[f"i{j}" for j in range(n)] for n in random.integers(0, 5, ROWS)]),
                pa.list_(pa.string()),
            ),
            "route": route,
            "reason": pa.array(
                [f"no {n % 3}" if name == "dropped" else None for n, name in enumerate(route)]
            ),
        }
    )


@pytest.fixture(scope="module")
def rows(spark, arrow_rows):
    return spark.createDataFrame(arrow_rows, SCHEMA).repartition(3).cache()


def hash_of(folder: Path, frame) -> str:
    return tables.write(frame, folder / uuid.uuid4().hex, {"t": frame.columns}).tables["t"].rows_hash


def stored(folder: Path, table: manifest.Table) -> pd.DataFrame:
    """The rows of a table as another engine reads them."""
    return duckdb.read_parquet([str(folder / file.path) for file in table.files]).df()


def test_the_checksum_of_rows_is_the_same_in_any_partitioning_and_order(rows, tmp_path):
    chosen = rows.select(*COLUMNS)
    hashes = {hash_of(tmp_path, chosen.repartition(n)) for n in (1, 3, 11)}
    hashes.add(hash_of(tmp_path, chosen.coalesce(1).sortWithinPartitions(F.desc("real"))))
    hashes.add(hash_of(tmp_path, chosen.repartition(3, "text")))
    assert len(hashes) == 1


def test_the_checksum_differs_where_one_value_or_one_null_differs(spark, tmp_path):
    variants = {
        "whole": "1, 1, 'a', 'b', array('x'), array('y', 'z')",
        "another number": "1, 2, 'a', 'b', array('x'), array('y', 'z')",
        "NULL first": "NULL, 1, 'a', 'b', array('x'), array('y', 'z')",
        "NULL second": "1, NULL, 'a', 'b', array('x'), array('y', 'z')",
        "texts swapped": "1, 1, 'b', 'a', array('x'), array('y', 'z')",
        "texts run together": "1, 1, 'ab', '', array('x'), array('y', 'z')",
        "empty text": "1, 1, '', 'b', array('x'), array('y', 'z')",
        "NULL text": "1, 1, NULL, 'b', array('x'), array('y', 'z')",
        "item in the list before": "1, 1, 'a', 'b', array('x', 'y'), array('z')",
        "all items in one list": "1, 1, 'a', 'b', array(), array('x', 'y', 'z')",
        "NULL list": "1, 1, 'a', 'b', NULL, array('x', 'y', 'z')",
        "items swapped": "1, 1, 'a', 'b', array('x'), array('z', 'y')",
        "NULL item last": "1, 1, 'a', 'b', array('x'), array('y', 'z', NULL)",
        "NULL item inside": "1, 1, 'a', 'b', array('x'), array('y', NULL, 'z')",
    }
    columns = {
        "a": "int",
        "b": "int",
        "c": "string",
        "d": "string",
        "e": "array<string>",
        "f": "array<string>",
    }
    values = ", ".join(f"('{name}', {cells})" for name, cells in variants.items())
    frame = spark.sql(f"SELECT * FROM VALUES {values} AS t(variant, {', '.join(columns)})")
    typed = frame.selectExpr(
        "variant", *(f"CAST({name} AS {type_}) AS {name}" for name, type_ in columns.items())
    ).coalesce(1)
    written = tables.write(
        typed, tmp_path, {name: list(columns) for name in variants}, route=F.col("variant")
    )
    seen = Counter(table.rows_hash for table in written.tables.values())
    assert {name for name, table in written.tables.items() if seen[table.rows_hash] > 1} == set()


def test_a_row_that_comes_twice_counts_twice(spark, tmp_path):
    once, twice, thrice = (
        hash_of(tmp_path, spark.sql(f"SELECT 1 AS a, 'x' AS b FROM range({n})")) for n in (1, 2, 3)
    )
    assert int(twice, 16) == 2 * int(once, 16) % 2**64
    assert int(thrice, 16) == 3 * int(once, 16) % 2**64


@pytest.mark.parametrize("partitions", [1, 4])
def test_row_groups_are_exact(rows, tmp_path, partitions):
    written = tables.write(
        rows.select("id", "items").repartition(partitions),
        tmp_path,
        {"t": ["id", "items"]},
        rows_per_group=128,
    ).tables["t"]
    assert len(written.files) == partitions
    for file in written.files:
        *full, last = file.row_groups
        assert full == [128] * len(full)
        assert 0 < last <= 128
        assert sum(file.row_groups) == file.rows == pq.read_metadata(tmp_path / file.path).num_rows
    assert sum(file.rows for file in written.files) == written.rows == ROWS


def test_a_file_is_described_as_it_lies_there(rows, tmp_path):
    written = tables.write(rows.select("id"), tmp_path, {"t": ["id"]}).tables["t"]
    for file in written.files:
        found = manifest.describe(tmp_path, tmp_path / file.path)
        assert (found.bytes, found.checksum) == (file.bytes, file.checksum)
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == sorted(
        Path(file.path).name for file in written.files
    )


def test_routed_rows_tallies_and_columns_are_those_of_pandas(rows, arrow_rows, tmp_path):
    plan = {"train": COLUMNS, "test": ["items", "id"]}
    written = tables.write(rows, tmp_path, plan, route=F.col("route"), tally=F.col("reason"))
    expected = arrow_rows.to_pandas()
    assert written.tally == expected.reason.value_counts().sort_index().to_dict()
    for name, columns in plan.items():
        table, wanted = written.tables[name], expected[expected.route == name]
        assert list(table.columns) == columns
        assert table.rows == len(wanted)
        found = pq.ParquetDataset([tmp_path / file.path for file in table.files]).read().sort_by("id")
        assert (
            found.to_pylist()
            == arrow_rows.filter(arrow_rows["route"].to_numpy() == name)
            .select(columns)
            .sort_by("id")
            .to_pylist()
        )


def test_another_engine_and_spark_read_the_same_rows(spark, rows, arrow_rows, tmp_path):
    written = tables.write(rows, tmp_path, {"t": COLUMNS}).tables["t"]
    assert sorted(stored(tmp_path, written)["id"]) == list(range(ROWS))
    again = tables.read_written(spark, tmp_path, written)
    assert again.schema == rows.select(*COLUMNS).schema
    assert again.orderBy("id").toArrow().to_pylist() == arrow_rows.select(COLUMNS).to_pylist()


def test_reading_several_folders_gives_all_their_rows(spark, night, rows):
    few = rows.select("id", "text")
    first, second, empty = (
        night.source("quality", clean=few.where(rule)) for rule in ("id < 10", "id >= 4990", "false")
    )
    assert sorted(row.id for row in tables.read(spark, first, empty, second, table="clean").collect()) == [
        *range(10),
        *range(4990, 5000),
    ]
    assert tables.read(spark, empty, table="clean").schema == few.schema


@pytest.mark.parametrize("partitions", [1, 5])
def test_an_empty_frame_gives_a_table_without_files(spark, tmp_path, partitions):
    frame = spark.createDataFrame([], "id long, items array<int>").repartition(partitions)
    written = tables.write(frame, tmp_path, {"t": ["id", "items"]}, tally=F.lit("x"))
    assert written.tables["t"] == manifest.Table({"id": "bigint", "items": "array<int>"}, 0, f"{0:016x}", [])
    assert written.tally == {}
    assert (tmp_path / "t").is_dir()
    read = tables.read_written(spark, tmp_path, written.tables["t"])
    assert (read.count(), read.dtypes) == (0, [("id", "bigint"), ("items", "array<int>")])


def test_names_that_sql_would_have_to_quote_are_written_too(spark, tmp_path):
    frame = spark.sql("SELECT 1 AS `Unit.Price`, 'x' AS `two words`, 2 AS `select`")
    written = tables.write(frame, tmp_path, {"t": frame.columns}).tables["t"]
    assert tables.read_written(spark, tmp_path, written).first().asDict() == {
        "Unit.Price": 1,
        "two words": "x",
        "select": 2,
    }


# Attempts of one task, run one after the other as an executor would, without the time that another Spark
# takes to start.

PLAN = {"train": ["id"], "test": ["id"]}


def batches(n: int = 4, broken_at: int | None = None):
    for i in range(n):
        if i == broken_at:
            raise RuntimeError("the executor's disk went away")
        yield pa.record_batch(
            {
                "id": np.arange(100) + 100 * i,
                tables.ROUTE: np.where(np.arange(100) % 10 < 8, "train", "test"),
                tables.TALLY: pa.nulls(100, pa.string()),
                tables.HASH: np.full(100, -1, dtype=np.int64),
            }
        )


def attempt(folder: Path, **how) -> list[dict]:
    for name in PLAN:
        (folder / name).mkdir(parents=True, exist_ok=True)
    write = tables._writer(str(folder), ["id", tables.ROUTE, tables.TALLY, tables.HASH], PLAN, 32, None)
    return [row for batch in write(batches(**how)) for row in batch.to_pylist() if row["table"]]


def test_an_attempt_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(RuntimeError, match="disk"):
        attempt(tmp_path, broken_at=3)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_two_attempts_of_one_task_give_one_file(tmp_path):
    with pytest.raises(RuntimeError):
        attempt(tmp_path, broken_at=1)
    first, second = attempt(tmp_path), attempt(tmp_path)
    assert first == second
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 2
    assert [row["rows"] for row in first] == [320, 80]
    assert sorted(pq.read_table(tmp_path / "train" / first[0]["file"])["id"].to_pylist()) == [
        i for i in range(400) if i % 10 < 8
    ]


def test_checksums_wrap_around_at_64_bits(tmp_path):
    assert [int(row["hash"], 16) for row in attempt(tmp_path)] == [2**64 - 320, 2**64 - 80]


class Adder:
    """Adds up the ids of a partition."""

    def __init__(self):
        self.total = 0

    def add(self, batch):
        self.total += sum(batch.column("id").to_pylist())

    def finish(self):
        return str(self.total).encode()


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_watcher_sees_every_row_of_every_route_in_the_same_pass(rows, tmp_path, partitions):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    watch = tables.Watch(["id"], Adder)
    frame = rows.repartition(partitions)
    written = tables.write(
        frame, tmp_path, {"train": ["text"], "test": ["text"]}, route=F.col("route"), watch=watch
    )
    assert len(written.seen) == partitions
    assert sum(map(int, written.seen)) == sum(range(ROWS))
    assert stored(tmp_path, written.tables["train"]).columns.tolist() == ["text"], (
        "what is watched need not be written"
    )
    assert sum(map(int, tables.look(frame, watch))) == sum(range(ROWS))


def added(reports):
    return str(sum(map(int, reports))).encode()


@pytest.mark.parametrize(("partitions", "reports"), [(3, 3), (40, 7)])
def test_reports_of_many_partitions_are_merged_before_they_reach_the_driver(
    rows, tmp_path, partitions, reports
):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    plan, how = {"train": COLUMNS, "test": ["id"]}, {"route": F.col("route"), "tally": F.col("reason")}
    watch = tables.Watch(["id"], Adder, added)
    frame = rows.repartition(partitions)
    written = tables.write(frame, tmp_path / "many", plan, watch=watch, **how)
    single = tables.write(rows.coalesce(1), tmp_path / "one", plan, watch=watch, **how)
    assert 1 <= len(written.seen) <= reports
    assert sum(map(int, written.seen)) == sum(map(int, single.seen)) == sum(range(ROWS))
    assert written.tally == single.tally
    for name, table in written.tables.items():
        assert (table.rows, table.rows_hash, len(table.files)) == (
            single.tables[name].rows,
            single.tables[name].rows_hash,
            partitions,
        )
        assert len(stored(tmp_path / "many", table)) == table.rows
    assert sum(map(int, tables.look(frame, watch))) == sum(range(ROWS))


def test_leftovers_of_other_attempts_are_swept(rows, tmp_path):
    (tmp_path / "t").mkdir()
    for name in (".part-00000-of-a-killed-task", "part-00009-0123456789abcdef.parquet"):
        (tmp_path / "t" / name).write_bytes(b"half a row group")
    written = tables.write(rows.select("id"), tmp_path, {"t": ["id"]}).tables["t"]
    assert sorted(f"t/{path.name}" for path in (tmp_path / "t").iterdir()) == sorted(
        file.path for file in written.files
    )
    assert sorted(stored(tmp_path, written)["id"]) == list(range(ROWS))


RETRIED = """
import json, sys
from pathlib import Path
from lsml_spark.spark import tables
from lsml_spark.spark.session import session

folder = Path(sys.argv[1])
spark = session({"spark.sql.shuffle.partitions": "2"}, master="local[2,4]")  # four attempts, as on a cluster

def fails_once(batches):
    for number, batch in enumerate(batches):
        yield batch
        marker = folder / f"failed-{batch.column('part')[0].as_py()}"
        if number == 1 and not marker.exists():  # after rows were written already
            marker.touch()
            raise RuntimeError("the first attempt dies")

spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "100")
rows = spark.range(0, 4000, 1, 2).selectExpr("id", "spark_partition_id() AS part")
undisturbed = tables.write(rows, folder / "undisturbed", {"t": ["id"]}, rows_per_group=64).tables["t"]
failing = rows.mapInArrow(fails_once, rows.schema)
retried = tables.write(failing, folder / "retried", {"t": ["id"]}, rows_per_group=64).tables["t"]
print(json.dumps({
    "failed": len(list(folder.glob("failed-*"))),
    "same": undisturbed == retried,
    "files": [str(path) for path in (folder / "retried" / "t").iterdir()],
    "named": [file.path for file in retried.files],
}))
"""


@pytest.mark.slow
def test_a_task_that_spark_retries_gives_the_same_table(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RETRIED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["failed"] == 2
    assert told["same"]
    assert len(told["files"]) == len(told["named"]) == 2


def test_the_checksum_of_shards_knows_where_a_list_ends(spark, tmp_path):
    """Lists of shards hold no NULL, so their lengths stand in for the JSON of other tables."""
    physical = tables.Physical(lambda table: table, lambda _: {}, "xxh128")
    hashes = []
    for i, cells in enumerate(
        ["array(1, 2), array(3)", "array(1), array(2, 3)", "array(2, 1), array(3)", "array(1, 2, 3), array()"]
    ):
        frame = spark.sql(
            f"SELECT CAST(a AS array<int>) AS a, CAST(b AS array<int>) AS b FROM VALUES ({cells}) AS t(a, b)"
        )
        written = tables.write(frame, tmp_path / str(i), {"t": ["a", "b"]}, physical=physical).tables["t"]
        assert written.files[0].checksum.startswith("xxh128:")
        hashes.append(written.rows_hash)
    assert len(set(hashes)) == 4
