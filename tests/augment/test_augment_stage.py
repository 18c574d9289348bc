"""The augment stage: one row out for each row in, the same whatever the partitions."""

import numpy as np
import pandas as pd
import pytest

from lsml_spark.augment import run as augment
from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.ledger import Ledger
from lsml_spark.spark import tables

pytestmark = pytest.mark.spark
ROWS = 2000
DROPOUT = {"use": "basket_dropout", "column": "context", "rows": 0.5, "items": 0.3}


@pytest.fixture(scope="module")
def samples(spark):
    random = np.random.default_rng(17)
    frame = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(ROWS)],
            "key": "k",
            "label": "k",
            "context": [[f"i{j}" for j in range(n)] if n else None for n in random.integers(0, 10, ROWS)],
            "weight": random.random(ROWS),
        }
    )
    return spark.createDataFrame(
        frame, "sample_id string, key string, label string, context array<string>, weight double"
    ).cache()


@pytest.fixture
def augmented(spark, night):
    def run(frame, steps):
        work = night.work("augment", {"select": night.source("select", train=frame)})
        return night.finish(
            work, augment.run(work, validate(augment.Config, {"steps": steps}, "night.yaml: augment"), spark)
        )

    return run


def test_the_same_items_are_dropped_in_any_partitioning(augmented, samples):
    hashes = {
        augmented(samples.repartition(n), [DROPOUT]).manifest.tables["train"].rows_hash for n in (1, 3, 11)
    }
    assert len(hashes) == 1


def test_every_sample_comes_out_once_and_only_its_basket_changes(spark, augmented, samples):
    source = augmented(samples, [DROPOUT])
    before, after = (
        frame.orderBy("sample_id").toPandas()
        for frame in (samples, tables.read(spark, source, table="train"))
    )
    assert source.manifest.ledger == Ledger(ROWS, ROWS)
    assert after.drop(columns="context")[["sample_id", "key", "label", "weight"]].equals(
        before.drop(columns="context")
    )
    changed = [len(a) < len(b) for a, b in zip(after.context, before.context, strict=True) if b is not None]
    assert 0.2 < np.mean(changed) < 0.5
    assert after.context.isna().tolist() == before.context.isna().tolist()
    assert 0 < after.context.isna().sum() < ROWS / 2


def test_no_steps_leave_the_rows_as_they_are(night, augmented, samples):
    before, after = night.source("select", train=samples), augmented(samples, [])
    assert after.manifest.tables["train"].rows_hash == before.manifest.tables["train"].rows_hash


def test_two_equal_steps_draw_anew(spark, augmented, samples):
    frames = [
        samples,
        *(tables.read(spark, augmented(samples, [DROPOUT] * n), table="train") for n in (1, 2)),
    ]
    whole, once, twice = (frame.selectExpr("sum(size(context))").first()[0] for frame in frames)
    assert once / whole == pytest.approx(0.85, abs=0.02)
    assert twice / whole == pytest.approx(0.85**2, abs=0.02)


def test_an_empty_table_stays_empty(augmented, samples):
    assert augmented(samples.limit(0), [DROPOUT]).manifest.ledger == Ledger(0, 0)


def test_a_column_that_is_not_there_is_a_config_error(augmented, samples):
    with pytest.raises(ConfigError, match=r"augment\.steps\.0\.column: there is no column 'basket'"):
        augmented(samples, [DROPOUT | {"column": "basket"}])


def test_a_column_that_is_no_list_is_a_config_error(augmented, samples):
    with pytest.raises(ConfigError, match=r"augment\.steps\.1\.column: 'key' holds no lists"):
        augmented(samples, [DROPOUT, DROPOUT | {"column": "key"}])


def test_a_step_that_does_not_exist_is_a_config_error(augmented, samples):
    with pytest.raises(ConfigError, match="did you mean 'basket_dropout'"):
        augmented(samples, [{"use": "basket_dropuot", "column": "context"}])
