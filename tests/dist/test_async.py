"""The asynchronous parameter server: with one worker it is one process, with two it learns as much; and how
it ends.
"""

import json
import os

import many
import numpy as np
import pytest
import torch
import toy_shards
from safetensors.torch import load_file, save_file

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, TrainingError
from lsml_spark.data.read import Shards
from lsml_spark.train import parameter_server, spec
from lsml_spark.train.config import Config
from lsml_spark.train.exchange.world import LostPeers, World
from lsml_spark.train.loop import Training
from lsml_spark.train.parameter_server import fit_async
from lsml_spark.train.run import _tell
from lsml_spark.train.start import Start
from lsml_spark.train.survival.watch import Watch
from lsml_spark.transforms.schema import Schema

pytestmark = pytest.mark.dist

ROWS, EPOCHS = 600, 3
ALONE = World(0, 1, torch.device("cpu"))


def tell(folder, **weights):
    """The spec file of a toy night."""
    folder.mkdir()
    samples = toy_shards.baskets(ROWS, seed=4)
    if weights:
        values = samples["weight"].to_numpy().copy()
        values[weights["at"]] = weights["value"]
        samples = samples.set_column(samples.column_names.index("weight"), "weight", [values])
    model = {"use": "bag_mlp", "dim": 8, "hidden": [16], "dropout": 0.1}
    told = validate(
        Config,
        {"model": model, "epochs": EPOCHS, "batch": 64, "workers": 1, "survival": {"timeout": 60.0}},
        "test",
    )
    path = folder / "spec.json"
    spec.write(path, _tell(toy_shards.night(folder, samples), told))
    return path


def prepared(path, world):
    told = spec.read(path)
    encoders = json.loads(told.encoders.read_text())
    torch.manual_seed(0)
    network = told.config.model.build(Schema.of(encoders))
    network.set_prior(torch.from_numpy(np.load(told.prior)))
    features = [name for name in encoders["columns"] if name != encoders["label"]]
    shards = Shards.of(told.shards, told.files, features, encoders["label"], told.optional)
    return Start(told, world, network, encoders, shards)


def rank_of_any(world, folder):
    start = prepared(folder / "good" / "spec.json", world)
    position, run = fit_async(start)
    (folder / f"rows-{world.size}-{world.rank}.json").write_text(json.dumps(run.rows_by_epoch))
    if world.rank == 0:
        save_file(
            {name: value.clone() for name, value in start.network.state_dict().items()},
            folder / f"weights-{world.size}.safetensors",
        )
        (folder / f"epochs-{world.size}.json").write_text(json.dumps(position.by_epoch))
    if world.size < 3:
        return

    start = prepared(folder / "bad" / "spec.json", world)
    with pytest.raises(
        TrainingError,
        match=r"^epoch 0, step \d+: the loss .*; sample ids: s4-77 \(part-0000\d\.parquet, row group \d\)$",
    ):
        fit_async(start)

    start = prepared(folder / "good" / "spec.json", world)
    if world.rank == 2:
        push = parameter_server._push
        # dies in the middle of an epoch
        parameter_server._push = lambda *about: os._exit(0) if about[2:3] > (5,) else push(*about)
    with pytest.raises((LostPeers, RuntimeError)) as caught:
        fit_async(start)
    (folder / f"lost-{world.rank}").write_text(str(caught.value))
    os._exit(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("async")
    tell(folder / "good")
    tell(folder / "bad", at=77, value=np.nan)
    for ranks in (2, 3):
        many.launch(rank_of_any, ranks, folder)
        (folder / "store").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def synchronous(folder):
    start = prepared(folder / "good" / "spec.json", ALONE)
    with Watch(start.spec.scratch, 0) as watch:
        position, _ = Training(start, watch).fit()
    return start.network, position


def test_one_worker_gives_the_bits_of_one_process(folder, synchronous):
    network, position = synchronous
    found = load_file(folder / "weights-2.safetensors")
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())
    for ours, theirs in zip(
        json.loads((folder / "epochs-2.json").read_text()), position.by_epoch, strict=True
    ):
        assert set(ours.pop("staleness")) == {"0"}
        assert ours == theirs


def test_two_workers_share_the_rows_and_count_how_stale_each_gradient_was(folder, synchronous):
    _, position = synchronous
    by_rank = [json.loads((folder / f"rows-3-{rank}.json").read_text()) for rank in range(3)]
    epochs = json.loads((folder / "epochs-3.json").read_text())
    for epoch, told in enumerate(epochs):
        assert [rows[str(epoch)] for rows in by_rank] == [0, ROWS / 2, ROWS / 2]
        assert told["rows"] == ROWS
        assert sum(told["staleness"].values()) == 2 * -(-ROWS // 64)
    assert epochs[-1]["loss"] == pytest.approx(position.by_epoch[-1]["loss"], rel=0.1)


def test_a_dead_worker_ends_the_run_by_name(folder):
    assert "lost its worker, rank 2 of 3" in (folder / "lost-0").read_text()


def test_a_server_without_workers_is_refused(folder):
    start = prepared(folder / "good" / "spec.json", ALONE)
    with pytest.raises(ConfigError, match=r"train\.exchange\.use: async needs two ranks"):
        fit_async(start)
