"""One step, and whole epochs of them, against plain torch on the whole global batch at once."""

import itertools
import resource

import numpy as np
import pytest
import torch
import toy_shards
from torch.nn.functional import cross_entropy

from lsml_spark.core.config import validate
from lsml_spark.core.errors import EnvironmentProblem
from lsml_spark.data.order.plan import plan
from lsml_spark.data.read import Shards, batches
from lsml_spark.models.network import tensors
from lsml_spark.train.config import Config, Data, Precision
from lsml_spark.train.exchange.lanes import LaneParallel, Tree
from lsml_spark.train.exchange.world import World
from lsml_spark.train.optimizers.adamw import Adamw
from lsml_spark.train.optimizers.sgd import Sgd
from lsml_spark.train.run import run
from lsml_spark.train.schedule import Schedule
from lsml_spark.train.step import NonFinite, Part, Updates, parts_by_lane
from lsml_spark.train.survival import checkpoint, full_state
from lsml_spark.train.survival.checkpoint import Checkpoints, Position
from lsml_spark.train.worker import in_process
from lsml_spark.transforms.schema import Schema

ALONE = World(0, 1, torch.device("cpu"))
SAMPLES = toy_shards.baskets(203, seed=2)
ENCODERS = toy_shards.encoders_of(SAMPLES)
FLOAT64 = {"parameters": "float64"}
CONFIG = validate(
    Config,
    {"model": {"use": "bag_mlp", "dim": 8, "hidden": [12], "dropout": 0.0}, "precision": FLOAT64},
    "test",
)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    source = toy_shards.stage(folder, "shard", {"train": (toy_shards.encoded(SAMPLES, ENCODERS), 2, 50)})
    return Shards.of(folder, source.manifest.tables["train"].files, ["context", "country"])


def fresh(dropout=0.0):
    torch.manual_seed(0)
    return CONFIG.model.model_copy(update={"dropout": dropout}).build(Schema.of(ENCODERS)).double()


def lanes_step(network, optimizer, local, lanes, **changes):
    seed = changes.pop("seed", 5)
    config = CONFIG.model_copy(update={"clip": None, **changes})
    updates = Updates(LaneParallel(network, ALONE), optimizer, config, lanes)
    return updates.step(parts_by_lane(range(lanes), [local], [seed]))


def test_epochs_of_lanes_equal_plain_torch_on_whole_batches(shards):
    """Unequal, short and empty lanes included: 203 rows leave some lanes without rows in the last step."""
    ours, theirs = fresh(), fresh()
    our_sgd, their_sgd = (
        torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9) for network in (ours, theirs)
    )
    for epoch in range(3):
        split, whole = (
            plan(shards.rows_G, seed=1, epoch=epoch, world=1, batch=96, lanes=lanes) for lanes in (8, 1)
        )
        assert split.rows == whole.rows
        for local in batches(shards, split, 0):
            stats = lanes_step(ours, our_sgd, local, 8)
            their_sgd.zero_grad()
            losses, weights = [], []
            for batch in local:
                features, label, weight = tensors(batch)
                losses.append(cross_entropy(theirs(features), label - 1, reduction="none") * weight)
                weights.append(weight)
            loss = torch.cat(losses).sum() / torch.cat(weights).sum()
            loss.backward()
            their_sgd.step()
            assert stats.loss == pytest.approx(loss.item(), rel=1e-12)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-12, msg=name)


def first_batches(shards, lanes, batch):
    return next(
        iter(batches(shards, plan(shards.rows_G, seed=1, epoch=0, world=1, batch=batch, lanes=lanes), 0))
    )


def test_labels_outside_the_vocabulary_and_rows_of_weight_zero_do_not_count(shards):
    local = first_batches(shards, 2, 64)
    for name, value in (("label", 0), ("weight", 0.0)):
        ignored = [_with(batch, name, value, rows=slice(0, 10)) for batch in local]
        without = [_rows(batch, slice(10, None)) for batch in local]
        networks = fresh(), fresh()
        for network, given in zip(networks, (ignored, without), strict=True):
            lanes_step(network, torch.optim.SGD(network.parameters(), lr=0.5), given, 2)
        for mine, other in zip(*(network.parameters() for network in networks), strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-13)


def test_without_weights_all_rows_count_alike(shards):
    local = first_batches(shards, 2, 64)
    ones = [_with(batch, "weight", 1.0, rows=slice(None)) for batch in local]
    networks = fresh(), fresh()
    lanes_step(
        networks[0], torch.optim.SGD(networks[0].parameters(), lr=0.5), local, 2, data=Data(weights=False)
    )
    lanes_step(networks[1], torch.optim.SGD(networks[1].parameters(), lr=0.5), ones, 2)
    assert all(
        torch.equal(mine, other)
        for mine, other in zip(*(network.parameters() for network in networks), strict=True)
    )


def test_a_batch_in_which_nothing_weighs_changes_nothing(shards):
    local = [_with(batch, "weight", 0.0, rows=slice(None)) for batch in first_batches(shards, 2, 64)]
    network = fresh()
    before = [parameter.clone() for parameter in network.parameters()]
    assert lanes_step(network, torch.optim.SGD(network.parameters(), lr=0.5), local, 2).loss == 0.0
    assert all(torch.equal(mine, other) for mine, other in zip(network.parameters(), before, strict=True))


def test_a_loss_that_is_not_finite_stops_before_the_update_and_points_at_the_rows(shards):
    local = first_batches(shards, 2, 64)
    local[1] = _with(local[1], "weight", np.nan, rows=slice(3, 5))
    network = fresh()
    before = [parameter.clone() for parameter in network.parameters()]
    with pytest.raises(NonFinite) as caught:
        lanes_step(network, torch.optim.SGD(network.parameters(), lr=0.5), local, 2)
    assert caught.value.rows_of == {0: [[]], 1: [[3, 4]]}
    assert all(torch.equal(mine, other) for mine, other in zip(network.parameters(), before, strict=True))


def test_drop_out_depends_on_the_steps_seed_alone(shards):
    local = first_batches(shards, 2, 64)

    def trained(seed):
        network = fresh(dropout=0.5)
        torch.rand(7)  # whatever was drawn before
        lanes_step(network, torch.optim.SGD(network.parameters(), lr=0.5), local, 2, seed=seed)
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_the_gradient_is_clipped_as_one_vector(shards):
    local = first_batches(shards, 2, 64)
    network = fresh()
    before = torch.cat([parameter.detach().clone().flatten() for parameter in network.parameters()])
    lanes_step(network, torch.optim.SGD(network.parameters(), lr=1.0), local, 2, clip=0.01)
    after = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-4)


def test_accumulated_steps_name_the_step_and_row_that_is_not_finite(shards):
    order = plan(shards.rows_G, seed=1, epoch=0, world=1, batch=64, lanes=2)
    two = list(itertools.islice(batches(shards, order, 0, by_lane=False), 2))
    two[1] = [_with(two[1][0], "weight", np.inf, rows=slice(7, 8))]
    network = fresh()
    updates = Updates(LaneParallel(network, ALONE), torch.optim.SGD(network.parameters(), lr=0.5), CONFIG, 1)
    with pytest.raises(NonFinite) as caught:
        updates.step([Part(0, [batch for step in two for batch in step], [1, 2])])
    assert caught.value.rows_of == {0: [[], [7]]}


def test_bf16_is_the_forward_and_backward_pass_of_torchs_autocast(shards):
    local = first_batches(shards, 2, 64)
    ours, theirs = fresh().float(), fresh().float()
    lanes_step(
        ours, torch.optim.SGD(ours.parameters(), lr=0.5), local, 2, precision=Precision(compute="bf16")
    )
    total = 0.0
    for batch in local:
        features, label, weight = tensors(batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = theirs(features)
        (cross_entropy(logits.float(), label - 1, reduction="none") * weight.float()).sum().backward()
        total += float(weight.sum())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, other - 0.5 * other.grad / total, rtol=1e-5, atol=1e-7)


def test_fp16_leaves_out_updates_that_overflow_and_finds_its_scale(shards):
    local = [_with(batch, "weight", 3000.0, rows=slice(None)) for batch in first_batches(shards, 2, 64)]
    network = fresh().float()
    before = [parameter.clone() for parameter in network.parameters()]
    config = CONFIG.model_copy(update={"precision": Precision(compute="fp16")})
    updates = Updates(LaneParallel(network, ALONE), torch.optim.SGD(network.parameters(), lr=0.5), config, 2)
    parts = parts_by_lane(range(2), [local], [5])
    first = updates.step(parts)
    assert not first.applied
    assert all(torch.equal(mine, other) for mine, other in zip(network.parameters(), before, strict=True))
    stats = [updates.step(parts) for _ in range(30)]
    assert stats[-1].applied
    assert stats[-1].loss < first.loss
    assert all(parameter.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
def test_the_tree_adds_neighbours_first(lanes):
    """Checked on numbers whose float32 sum depends on the order."""
    values = np.random.default_rng(0).lognormal(sigma=8, size=lanes).astype(np.float32)
    tree = Tree()
    for value in values[:-1]:
        tree.push({0: torch.tensor([value])})
    last = tree.fold(0, torch.tensor([values[-1]]))
    while len(values) > 1:
        values = values[0::2] + values[1::2]
    assert last.item() == values[0]


def test_the_schedule_rises_then_falls():
    linear = [Schedule(use="linear", warmup=0.2, final=0.1).share(step, 100) for step in range(100)]
    assert linear[0] == pytest.approx(0.05)
    assert max(linear) == pytest.approx(1.0, abs=0.02)
    assert linear[19] == pytest.approx(1.0)
    assert linear[99] == pytest.approx(0.1)
    assert linear[59] == pytest.approx(0.55)
    cosine = [Schedule(use="cosine", warmup=0.0).share(step, 100) for step in range(100)]
    assert cosine[49] == pytest.approx(0.5)
    assert cosine[99] == pytest.approx(0.0, abs=1e-9)
    assert {Schedule(use="constant", warmup=0.0).share(step, 100) for step in range(100)} == {1.0}


@pytest.mark.parametrize("config", [Sgd(use="sgd", momentum=0.0), Sgd(use="sgd"), Adamw(use="adamw")])
def test_a_checkpoint_brings_back_weights_and_optimiser_exactly(shards, tmp_path, config):
    local = first_batches(shards, 2, 64)
    network = fresh()
    optimizer = config.build(network.parameters(), 0.0)
    lanes_step(network, optimizer, local, 2)
    position = Position(1, 3, 24, 1.5, "2011-02-23", [{"loss": 1.5}], [], {"rows": 7})
    store = Checkpoints(tmp_path, "this")
    store.save(full_state.tensors_of(network, optimizer), {}, position)
    store.close()

    other = fresh()
    restored = config.build(other.parameters(), 0.0)
    assert Checkpoints(tmp_path, "another").newest() is None
    tensors, values = Checkpoints(tmp_path, "this").newest()
    full_state.load(other, restored, tensors)
    assert checkpoint.position_of(values) == position
    for model, state in ((network, optimizer), (other, restored)):
        lanes_step(model, state, local, 2)
    assert all(
        torch.equal(mine, yours) for mine, yours in zip(network.parameters(), other.parameters(), strict=True)
    )


def saved(folder, steps, identity="this", keep=2):
    """Checkpoints after these steps, each with its number as its only tensor."""
    store = Checkpoints(folder, identity, keep)
    for step in steps:
        store.save({"step": torch.tensor([step])}, {}, Position(0, step, step, 0.0, None, [], [], {}))
    store.close()


def newest(folder, identity="this"):
    found = Checkpoints(folder, identity).newest()
    return found and int(found[0]["step"])


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
@pytest.mark.parametrize("harm", ["a bit", "truncated", "gone"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, caplog, suffix, harm):
    saved(tmp_path, [10, 20])
    path = tmp_path / f"checkpoint-00000-00000020.{suffix}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if harm == "a bit" else content[: len(content) // 2])
    if harm == "gone":
        path.unlink()
    assert newest(tmp_path) == 10
    assert ("00000020 is damaged" in caplog.text) == (path.suffix != ".json" or harm != "gone")


def test_the_newest_checkpoints_are_kept_and_a_partial_one_is_none(tmp_path):
    saved(tmp_path, [10, 20, 30, 40], keep=3)
    (tmp_path / ".checkpoint-00000-00000050.partial").write_bytes(b"half")
    assert sorted(path.name for path in tmp_path.glob("checkpoint*.json")) == [
        f"checkpoint-00000-000000{n}.json" for n in (20, 30, 40)
    ]
    assert newest(tmp_path) == 40


def test_other_runs_and_damaged_checkpoints_do_not_crowd_out_new_ones(tmp_path):
    saved(tmp_path, [70, 80], "another")
    saved(tmp_path, [5], keep=3)
    store = Checkpoints(tmp_path, "this")
    store.forget_after(store.newest())
    saved(tmp_path, [6, 7])
    assert newest(tmp_path) == 7
    assert newest(tmp_path, "another") is None


def test_a_lost_folder_is_made_again_and_what_cannot_be_written_is_told(tmp_path, caplog):
    folder = tmp_path / "lost"
    saved(folder, [10])
    assert "is gone" in caplog.text
    assert newest(folder) == 10
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # what a write meets on a full disk: an error half way
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        with pytest.raises(
            EnvironmentProblem,
            match=r"checkpoint-00000-00000020 cannot be written: .*; the one before it stays",
        ):
            saved(folder, [20])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert newest(folder) == 10


def test_the_loss_falls_well_below_popularity(tmp_path):
    samples = toy_shards.baskets(2000, seed=3)
    told = {"model": {"use": "bag_mlp", "dim": 16}, "epochs": 6, "batch": 64, "workers": 1}
    outcome = run(toy_shards.night(tmp_path, samples), validate(Config, told, "test"), in_process)
    labels = np.unique(samples["label"].to_numpy(), return_counts=True)[1] / 2000
    entropy = -(labels * np.log(labels)).sum()
    assert outcome.metrics["loss"] < 0.8 * entropy


def _with(batch, name, value, rows):
    column = getattr(batch, name).copy()
    column[rows] = value
    return type(batch)(**{**vars(batch), name: column})


def _rows(batch, rows):
    from lsml_spark.data.batch import take

    keep = np.arange(len(batch))[rows]
    return type(batch)(
        batch.label[keep],
        batch.weight[keep],
        {name: take(column, keep) for name, column in batch.scalars.items()},
        {name: take(column, keep) for name, column in batch.ragged.items()},
    )
