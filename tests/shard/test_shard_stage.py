"""The shard stage: the same bytes whatever the partitions, in an order that is a shuffle, every row once."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F
from scipy import stats

from lsml_spark.core.config import validate
from lsml_spark.core.ledger import Ledger
from lsml_spark.data.read import GROUP
from lsml_spark.shard import run as shard

pytestmark = pytest.mark.spark
ROWS, TESTS = 3000, 500
SCHEMA = "sample_id string, key string, label int, context array<int>, weight double, keep_rate double"


def rows(n: int, name: str) -> pd.DataFrame:
    random = np.random.default_rng(n)
    return pd.DataFrame(
        {
            "sample_id": [f"{name}{i:06d}" for i in range(n)],
            "key": random.choice(list("abc"), n),
            "label": np.arange(n),  # sorted, as a day's log is: the order of the shards must not be
            "context": [random.integers(0, 99, k).tolist() for k in random.integers(0, 5, n)],
            "weight": random.random(n),
            "keep_rate": random.random(n),
        }
    )


TRAIN, TEST = rows(ROWS, "train"), rows(TESTS, "test").drop(columns="keep_rate")


@pytest.fixture(scope="module")
def frames(spark):
    test_schema = SCHEMA.removesuffix(", keep_rate double")
    return spark.createDataFrame(TRAIN, SCHEMA).cache(), spark.createDataFrame(TEST, test_schema).cache()


def run_stage(spark, night, train, test, **config):
    work = night.work("shard", {"features": night.source("features", train=train, test=test)})
    parameters = validate(shard.Config, {"shards": 4, "rows_per_group": 256, **config}, "x")
    return night.finish(work, shard.run(work, parameters, spark))


@pytest.fixture(scope="module")
def finished(spark, module_night, frames):
    return run_stage(spark, module_night, *frames)


def read(source, table: str) -> pd.DataFrame:
    """All shards one after the other, ragged columns as lists."""
    found = pa.concat_tables([pq.read_table(path) for path in source.files(table)])
    frame = found.to_pandas()
    dtype = json.loads(found.schema.field("context").metadata[b"lsml"])["dtype"]
    frame["context"] = [np.frombuffer(value, dtype).tolist() for value in frame.context]
    return frame


@pytest.mark.parametrize("partitions", [1, 3, 11])
def test_files_are_the_same_bytes_for_any_partitions_of_the_input(spark, night, frames, finished, partitions):
    source = run_stage(spark, night, *(frame.repartition(partitions) for frame in frames))
    for table in ("train", "test"):
        assert source.manifest.tables[table] == finished.manifest.tables[table]


@pytest.mark.parametrize(("table", "frame"), [("train", TRAIN), ("test", TEST)])
def test_every_row_is_in_one_shard_with_its_values(finished, table, frame):
    found = read(finished, table).sort_values("sample_id", ignore_index=True)
    assert set(found.columns) == set(frame.columns)
    for column in frame.columns:
        if frame[column].dtype == float:
            assert found[column].dtype == np.float32
            assert found[column].to_numpy() == pytest.approx(frame[column].to_numpy(), rel=1e-7)
        else:
            assert found[column].tolist() == frame[column].tolist()
    assert finished.manifest.ledger == Ledger(ROWS + TESTS, ROWS + TESTS)


def test_shards_are_of_like_size_with_exact_row_groups(finished):
    train, test = finished.manifest.tables["train"], finished.manifest.tables["test"]
    assert (len(train.files), len(test.files)) == (4, 1)
    assert [file.rows for file in train.files] == [750] * 4
    for file in [*train.files, *test.files]:
        *full, last = file.row_groups
        assert full == [256] * len(full)
        assert 0 < last <= 256
        assert sum(file.row_groups) == file.rows


def test_every_column_is_required_and_says_its_kind(finished):
    for table in ("train", "test"):
        for path in finished.files(table):
            file = pq.ParquetFile(path)
            assert all(file.schema.column(i).max_definition_level == 0 for i in range(len(file.schema)))
            kinds = {field.name: json.loads(field.metadata[b"lsml"]) for field in file.schema_arrow}
            assert kinds.pop("context") == {"kind": "ragged", "dtype": "int32"}
            assert (kinds.pop("sample_id"), kinds.pop("key")) == ({"kind": "text"}, {"kind": "text"})
            assert set(map(str, kinds.values())) == {"{'kind': 'scalar'}"}


def test_reading_forward_is_a_shuffle(finished):
    order = read(finished, "train").label.to_numpy()
    assert sorted(order) == list(range(ROWS))
    bound = 4 / np.sqrt(ROWS)
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < bound
    assert abs(stats.spearmanr(order, np.arange(ROWS)).statistic) < bound
    for path in finished.files("train"):
        labels = pq.read_table(path, columns=["label"])["label"].to_numpy()
        assert stats.kstest(labels / ROWS, "uniform").pvalue > 1e-4, "each shard is a fair sample of all rows"


def test_another_seed_is_another_shuffle_of_the_same_rows(spark, night, frames, finished):
    night.seed = 8
    other = run_stage(spark, night, *frames)
    assert other.manifest.tables["train"].rows_hash == finished.manifest.tables["train"].rows_hash
    assert [file.checksum for file in other.manifest.tables["train"].files] != [
        file.checksum for file in finished.manifest.tables["train"].files
    ]


def test_more_shards_than_rows_leave_no_empty_file(spark, night, frames):
    source = run_stage(spark, night, frames[0].limit(3), frames[1].limit(2), shards=50)
    assert all(file.rows for table in source.manifest.tables.values() for file in table.files)
    assert source.manifest.ledger == Ledger(5, 5)


@pytest.mark.parametrize(("train", "test"), [(0, 5), (5, 0), (0, 0)])
def test_empty_tables_have_no_files(spark, night, frames, train, test):
    source = run_stage(spark, night, frames[0].limit(train), frames[1].limit(test))
    assert {name: (table.rows, len(table.files) > 0) for name, table in source.manifest.tables.items()} == {
        "train": (train, train > 0),
        "test": (test, test > 0),
    }


def test_a_null_is_refused_by_name_and_nothing_is_left_half_written(spark, night, frames):
    broken = (
        frames[0]
        .limit(5)
        .selectExpr("sample_id", "key", "CAST(NULL AS int) AS label", "context", "weight", "keep_rate")
    )
    with pytest.raises(Exception, match=r"column 'label' has \d NULLs; shards hold none"):
        run_stage(spark, night, broken, frames[1].limit(5))
    assert [path for path in night.root.glob("*.shard.*/train/*") if path.is_file()] == []


@pytest.fixture(scope="module")
def paced(frames):
    """Training rows with the stage of a curriculum, none in stage 1, and an offset."""
    return (
        frames[0]
        .selectExpr("*", "int(IF(label % 5 = 0, 0, IF(label % 5 = 1, 3, 2))) AS pace", "label / 8 AS offset")
        .cache()
    )


@pytest.fixture(scope="module")
def by_pace(spark, module_night, frames, paced):
    return run_stage(spark, module_night, paced, frames[1])


def test_no_shard_mixes_the_paces_of_a_curriculum_and_the_metrics_say_which_it_has(by_pace):
    found = [
        set(pq.read_table(path, columns=["pace"])["pace"].to_pylist()) for path in by_pace.files("train")
    ]
    assert found == [{pace} for pace in by_pace.manifest.metrics["pace"]]
    assert by_pace.manifest.metrics["pace"] == [0] * 4 + [2] * 4 + [3] * 4
    assert len(by_pace.manifest.tables["test"].files) == 1
    assert "pace" not in by_pace.manifest.tables["test"].columns


def test_every_row_keeps_its_pace_and_offset(by_pace):
    found = read(by_pace, "train").sort_values("label", ignore_index=True)
    assert found.label.tolist() == TRAIN.label.tolist()
    assert found.pace.tolist() == TRAIN.label.map(lambda label: {0: 0, 1: 3}.get(label % 5, 2)).tolist()
    assert found.offset.tolist() == (TRAIN.label / 8).tolist()
    assert by_pace.manifest.ledger == Ledger(ROWS + TESTS, ROWS + TESTS)


def test_the_rows_of_a_pace_are_shuffled_over_its_shards(by_pace):
    files, paces = by_pace.manifest.tables["train"].files, by_pace.manifest.metrics["pace"]
    assert (
        stats.chisquare([file.rows for file, pace in zip(files, paces, strict=True) if pace == 2]).pvalue
        > 1e-3
    )
    for path in by_pace.files("train"):
        assert (
            stats.kstest(pq.read_table(path, columns=["label"])["label"].to_numpy() / ROWS, "uniform").pvalue
            > 1e-4
        )


def test_files_by_pace_are_the_same_bytes_for_any_partitions_of_the_input(
    spark, night, frames, paced, by_pace
):
    source = run_stage(spark, night, paced.repartition(5), frames[1])
    assert source.manifest.tables["train"] == by_pace.manifest.tables["train"]


@pytest.mark.parametrize(
    ("pace", "said"),
    [
        ("IF(label = 2, NULL, 1)", r"column 'pace' has 1 NULLs; shards hold none"),
        ("label - 1", r"column 'pace' holds -1, expected stages from 0"),
    ],
)
def test_rows_without_a_stage_are_refused(spark, night, frames, pace, said):
    with pytest.raises(Exception, match=said):
        run_stage(
            spark,
            night,
            frames[0].where("label < 5").selectExpr("*", f"int({pace}) AS pace"),
            frames[1].limit(1),
        )


@pytest.fixture(scope="module")
def grouped(frames):
    """A third of the rows in a group of nine, the others alone."""
    train, test = frames
    return train.withColumn(GROUP, F.xxhash64(F.expr("IF(label % 3 = 0, label DIV 27, -label)"))), test


@pytest.fixture(scope="module")
def together(spark, module_night, grouped):
    return run_stage(spark, module_night, *grouped)


def test_rows_of_a_group_lie_together_and_groups_are_shuffled(together):
    found = read(together, "train")
    assert sorted(found.sample_id) == sorted(TRAIN.sample_id)
    group_N = found[GROUP].to_numpy()
    runs = 1 + int((group_N[1:] != group_N[:-1]).sum())
    shards = len(together.manifest.tables["train"].files)
    assert len(set(group_N)) <= runs < len(set(group_N)) + shards  # an edge of a shard may cut one
    assert abs(stats.spearmanr(found.label, np.arange(ROWS)).statistic) < 0.1
    assert GROUP not in read(together, "test").columns


@pytest.mark.parametrize("partitions", [1, 3])
def test_files_of_groups_are_the_same_bytes_for_any_partitions_of_the_input(
    spark, night, grouped, together, partitions
):
    source = run_stage(spark, night, *(frame.repartition(partitions) for frame in grouped))
    assert source.manifest.tables == together.manifest.tables
