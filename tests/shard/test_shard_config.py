"""The `shard:` section: sizes as people write them, lanes and batch from `train:`, mistakes refused by
name.
"""

from pathlib import Path

import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.shard.config import Config
from lsml_spark.train.config import Config as Train

RETAIL = Path(__file__).parents[2] / "pipelines" / "retail.yaml"


def shard(**values) -> Config:
    return validate(Config, values, "x.yaml: shard")


def test_sizes_are_written_as_people_write_them():
    assert shard().target_bytes == shard(target_bytes="128MB").target_bytes == 128_000_000
    assert shard(target_bytes="1MiB").model_dump(mode="json")["target_bytes"] == 2**20
    assert (shard(shards=4).shards, shard().shards, shard(folds=5).folds.number) == (4, "auto", 5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"shards": 0}, "shards"),
        ({"target_bytes": "many"}, "target_bytes"),
        ({"tensors": {"x": {"shape": []}}}, r"tensors\.x\.shape"),
        ({"tensors": {"x": {"shape": [40_000, 40_000]}}}, "less than 2 GiB"),
        ({"tensors": {"x": {"shape": [2], "dtype": "float31"}}}, r"tensors\.x\.dtype"),
        ({"columns": {"x": {"compresion": "lz4"}}}, "did you mean 'compression'"),
        ({"split": {"valid": {"use": "key_hash"}}}, r"split\.valid: use: key_hash wants `share`"),
        ({"split": {"valid": {"use": "column"}}}, "use: column wants `column: name`"),
        ({"split": {"test": {"use": "row_hash", "share": 0.1}}}, "there is such a table already"),
        (
            {"split": {name: {"use": "key_hash", "share": 0.5} for name in "ab"}},
            "nothing would be left to train on",
        ),
        ({"folds": 1}, r"folds\.number"),
    ],
)
def test_mistakes_are_refused_by_name(values, said):
    with pytest.raises(ConfigError, match=said):
        shard(**values)


def test_lanes_and_batch_are_those_of_training_where_they_decide_a_size():
    auto = Pipeline(RETAIL, ["shard={}", "train.batch=96", "train.lanes=4"]).resolved("shard")
    assert (auto["lanes"], auto["batch"]) == (4, 96)
    said = Pipeline(RETAIL, ["shard={batch: 64}", "train.batch=96", "train.lanes=4"]).resolved("shard")
    assert (said["lanes"], said["batch"]) == (4, 64)
    one, other = (
        Pipeline(RETAIL, ["shard={shards: 4, rows_per_group: 64}", f"train.batch={batch}"])
        for batch in (96, 128)
    )
    assert one.resolved("shard") == other.resolved("shard"), (
        "numbers of the user's own do not change with the trainer's batch"
    )
    for name in ("lanes", "batch"):
        assert Config.model_fields[name].default == Train.model_fields[name].default
