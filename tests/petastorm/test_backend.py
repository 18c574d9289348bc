"""`train.data.reader: petastorm`: the same batches, the same loss and the same weights as our own reader, bit
for bit.
"""

import dataclasses
import datetime
import json
import os
from pathlib import Path

import numpy as np
import pytest
import toy_shards

pytest.importorskip(
    "petastorm.reader",
    reason="petastorm needs pyarrow < 15: `make petastorm` runs these tests in its own environment",
)

from lsml_spark.core import manifest
from lsml_spark.core.config import validate
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.work import Source, Work
from lsml_spark.data.batch import Ragged
from lsml_spark.data.order.plan import plan
from lsml_spark.data.parquet.shards import Shards
from lsml_spark.data.petastorm.loaders import PetastormShards
from lsml_spark.data.read import batches
from lsml_spark.train.run import Config, run

# folder of a retail night that ends with the shard stage, made where Spark is: `make petastorm`
NIGHT = "LSML_NIGHT"


def flat(value):
    """Arrays in a batch, by name."""
    if isinstance(value, Ragged):
        return {"values": value.values_T, "offsets": value.offsets_N1}
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {
            f"{name}.{inner}": array for name, part in value.items() for inner, array in flat(part).items()
        }
    return {} if value is None else {"": value}


def same(one, other):
    one, other = flat(one), flat(other)
    return one.keys() == other.keys() and all(
        np.asarray(one[name]).dtype == np.asarray(other[name]).dtype
        and np.array_equal(one[name], other[name])
        for name in one
    )


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_shards.night(tmp_path_factory.mktemp("toy"), toy_shards.baskets(997, seed=5))


@pytest.mark.parametrize(("world", "lanes", "batch"), [(1, 1, 64), (2, 4, 48)])
def test_every_rank_gets_the_batches_that_our_reader_gives(toy, world, lanes, batch):
    source = toy.inputs["shard"]
    ours, theirs = (
        kind.of(source.folder, source.manifest.tables["train"].files, ["context", "country"])
        for kind in (Shards, PetastormShards)
    )
    order = plan(ours.rows_G, seed=1, epoch=2, world=world, batch=batch, lanes=lanes)
    for rank in range(world):
        steps = list(
            zip(*(batches(shards, order, rank, sample_ids=True) for shards in (ours, theirs)), strict=True)
        )
        assert len(steps) == order.steps
        assert all(same(one, other) for step in steps for one, other in zip(*step, strict=True))


def test_a_damaged_shard_is_named_with_its_row_group(tmp_path):
    source = toy_shards.night(tmp_path, toy_shards.baskets(300, seed=6), shards=1).inputs["shard"]
    shards = PetastormShards.of(source.folder, source.manifest.tables["train"].files, ["country"])
    path = source.files("train")[0]
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(IntegrityError, match=r"part-00000\.parquet, row group 0: cannot be read"):
        shards.columns(shards.groups[0], ["label"])
    path.unlink()
    with pytest.raises(IntegrityError, match=r"part-00000\.parquet, row group 1: there is no such file"):
        shards.columns(shards.groups[1], ["label"])


def trained(folder, inputs, sections, reader):
    """(curve, weights) of a train stage, its one rank a process of its own: `python -m
    lsml_spark.train.worker SPEC.json`.
    """
    work = Work("retail", "train", datetime.date(2011, 1, 14), 7, folder / reader / "train", inputs)
    work.folder.mkdir(parents=True)
    outcome = run(work, validate(Config, {**sections, "workers": 1, "data": {"reader": reader}}, "train"))
    assert outcome.metrics["steps"] > 0
    return json.loads((work.folder / "curve.json").read_text()), (
        work.folder / "model.safetensors"
    ).read_bytes()


def test_a_night_of_the_shop_trains_to_the_same_loss_and_the_same_weights(tmp_path):
    if NIGHT not in os.environ:
        pytest.skip(f"{NIGHT} names no retail night: `make petastorm` makes one")
    night = Path(os.environ[NIGHT])
    inputs = {
        stage: Source(night / stage, manifest.read(night / stage))
        for stage in ("select", "features", "shard")
    }
    sections = {"model": {"use": "bag_mlp", "dim": 16, "hidden": [32]}, "epochs": 2, "batch": 128}
    ours, theirs = (trained(tmp_path, inputs, sections, reader) for reader in ("lsml", "petastorm"))
    assert ours[0]["epochs"][-1]["loss"] < ours[0]["epochs"][0]["loss"]
    assert theirs == ours
