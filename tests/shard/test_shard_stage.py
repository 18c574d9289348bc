"""The shard stage: the same bytes whatever the partitions, in an order that is a shuffle, every row once."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from lsml_spark.core.config import validate
from lsml_spark.core.ledger import Ledger
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
    assert stats.chisquare([file.rows for file in train.files]).pvalue > 1e-3
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
    assert [file.sha256 for file in other.manifest.tables["train"].files] != [
        file.sha256 for file in finished.manifest.tables["train"].files
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
    broken = frames[0].limit(5).selectExpr("sample_id", "key", "CAST(NULL AS int) AS label", "context", "weight", "keep_rate")
    with pytest.raises(Exception, match=r"column 'label' has \d NULLs; shards hold none"):
        run_stage(spark, night, broken, frames[1].limit(5))
    assert [path for path in night.root.glob("*.shard.*/train/*") if path.is_file()] == []
