"""Networks cut over ranks (FSDP2, HSDP, tensor parallel) against one process of plain torch; one launch of
four ranks.
"""

import json

import many
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from lsml_spark.core.errors import ConfigError
from lsml_spark.train.exchange.lanes import LaneParallel
from lsml_spark.train.exchange.sharded import Sharded
from lsml_spark.train.exchange.world import World
from lsml_spark.train.optimizers.lamb_torch import TorchLamb
from lsml_spark.train.survival import full_state

pytestmark = pytest.mark.dist

UPDATES = 5
CLIP = 0.2
MESHES = {
    (1, 4, 1): "adamw",
    (2, 2, 1): "sgd",
    (1, 2, 2): "adamw",
    (2, 1, 2): "adagrad",
    (1, 1, 4): "sgd",
    (4, 1, 1): "adamw",
}
DOUBLE = ((2, 2, 1), (1, 2, 2))
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(
        parameters, lr=0.5, momentum=0.9, nesterov=True, weight_decay=1e-3
    ),
    "adagrad": lambda parameters: torch.optim.Adagrad(parameters, lr=0.05),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.01),
    "lamb": lambda parameters: TorchLamb(parameters, lr=0.05, weight_decay=1e-2),
    "foreach": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, foreach=True),
}


def cut(world, mesh, **changes):
    data, shard, tensor = mesh
    return Sharded(many.network(**changes), world, data=data, shard=shard, tensor=tensor)


def train(exchange, optimizer, updates, lanes):
    """The loop's update, in short."""
    for update in updates:
        optimizer.zero_grad(set_to_none=True)
        books = torch.zeros(many.LANES + 1, 3, dtype=torch.float64)
        for lane in lanes:
            last = lane == lanes[-1]
            with exchange.lane(last):
                loss, weight = many.loss_of(exchange, update, lane)
                loss.backward()
            exchange.lane_done(last)
            books[lane, 1] = weight
        total = float(exchange.merge(books)()[0][:-1, 1].sum())
        for parameter in exchange.parameters:
            parameter.grad.mul_(1.0 / total)
        exchange.clip(CLIP)
        optimizer.step()
        exchange.stepped(optimizer)


def lanes_of(exchange):
    share = many.LANES // exchange.lanes_world
    return range(exchange.lanes_rank * share, (exchange.lanes_rank + 1) * share)


def trained(world, mesh, optimizer="sgd", updates=UPDATES, **changes):
    """(whole tensors on rank 0, share of the numbers that this rank holds, of parameters and of the
    optimiser's state).
    """
    exchange = cut(world, mesh, **changes)
    made = OPTIMIZERS[optimizer](exchange.groups)
    train(exchange, made, range(updates), lanes_of(exchange))
    states = [value for state in made.state.values() for value in state.values() if value.dim()]
    held = [sum(value.to_local().numel() for value in values) for values in (exchange.parameters, states)]
    return full_state.tensors_of(exchange.network, made), held


class Halves(torch.nn.Module):
    """Each of two ranks uses one half only."""

    def __init__(self):
        super().__init__()
        self.halves = torch.nn.ModuleList([torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)])

    def forward(self, rank):
        return self.halves[rank](torch.full((1, 3), rank + 1.0))


def name_of(mesh, dtype):
    return f"{'-'.join(map(str, mesh))}-{dtype}"


def ranks_of_four(world, folder):
    def keep(name, tensors):
        if world.rank == 0:
            save_file(
                {key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors"
            )

    held = {}
    for mesh, optimizer in MESHES.items():
        tensors, held[str(mesh)] = trained(world, mesh, optimizer, dtype=torch.float32)
        keep(name_of(mesh, torch.float32), tensors)
    for mesh in DOUBLE:
        keep(name_of(mesh, torch.float64), trained(world, mesh, MESHES[mesh])[0])
    keep("again", trained(world, (1, 2, 2), MESHES[1, 2, 2], dtype=torch.float32)[0])
    for mesh in DOUBLE:
        keep(f"lamb-{mesh[2]}", trained(world, mesh, "lamb")[0])
    keep("foreach", trained(world, (1, 2, 2), "foreach")[0])
    keep("halfway", trained(world, (2, 1, 2), "adamw", updates=2)[0])
    dist.barrier()
    halfway = load_file(folder / "halfway.safetensors")
    for mesh in ((1, 4, 1), (1, 2, 2)):
        exchange = cut(world, mesh)
        optimizer = OPTIMIZERS["adamw"](exchange.groups)
        full_state.load(exchange.network, optimizer, halfway)
        train(exchange, optimizer, range(2, UPDATES), lanes_of(exchange))
        keep(f"resumed-{mesh[1]}", full_state.tensors_of(exchange.network, optimizer))
    (folder / f"held-{world.rank}.json").write_text(json.dumps(held))

    dist.destroy_process_group()
    if world.rank > 1:
        return
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store-of-two", rank=world.rank, world_size=2
    )
    two = World(world.rank, 2, world.device)
    keep("shard-2", trained(two, (1, 2, 1), "adamw", dtype=torch.float32)[0])
    keep("tensor-2", trained(two, (1, 1, 2), "adamw", dtype=torch.float32)[0])
    halves = Sharded(Halves(), two, data=1, shard=2, tensor=1)
    for lane in (False, True):
        with halves.lane(lane):
            halves(world.rank).sum().backward()
    gradients = {name: parameter.grad.full_tensor() for name, parameter in halves.network.named_parameters()}
    keep("halves", gradients)
    for mesh, told, problem in (
        ((2, 2, 1), {}, "= 4 ranks, but train.workers gives 2"),
        ((1, 1, 2), {"hidden": (15,)}, "cannot share the 15 columns of BagMlpNetwork.mlp.0"),
        ((1, 1, 2), {"hidden": ()}, "take `shard` instead"),
    ):
        with pytest.raises(ConfigError, match=problem):
            cut(two, mesh, **told)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded")
    many.launch(ranks_of_four, 4, folder)
    return folder


def truth(optimizer, dtype=torch.float64):
    model = many.network(dtype)
    made = OPTIMIZERS[optimizer](model.parameters())
    many.alone(model, made, range(UPDATES), clip=CLIP)
    return full_state.tensors_of(model, made)


def assert_close(found, wanted, tolerance):
    assert found.keys() == wanted.keys()
    for name in wanted:
        torch.testing.assert_close(
            found[name], wanted[name], rtol=0, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize(
    ("mesh", "dtype", "tolerance"),
    [*((mesh, torch.float32, 1e-6) for mesh in MESHES), *((mesh, torch.float64, 1e-12) for mesh in DOUBLE)],
)
def test_any_cut_gives_the_weights_and_state_of_one_process(folder, mesh, dtype, tolerance):
    assert_close(
        load_file(folder / f"{name_of(mesh, dtype)}.safetensors"), truth(MESHES[mesh], dtype), tolerance
    )


@pytest.mark.parametrize("name", ["shard-2", "tensor-2"])
def test_two_ranks_too(folder, name):
    assert_close(load_file(folder / f"{name}.safetensors"), truth("adamw", torch.float32), 1e-6)


def test_two_runs_give_the_same_bits(folder):
    assert_close(
        load_file(folder / "again.safetensors"),
        load_file(folder / f"{name_of((1, 2, 2), torch.float32)}.safetensors"),
        0.0,
    )


@pytest.mark.parametrize("name", ["lamb-1", "lamb-2"])
def test_lamb_measures_whole_layers_wherever_their_parts_are(folder, name):
    assert_close(load_file(folder / f"{name}.safetensors"), truth("lamb"), 1e-12)


def test_foreach_optimisers_take_parameters_of_two_meshes(folder):
    assert_close(load_file(folder / "foreach.safetensors"), truth("foreach"), 1e-12)


def test_a_parameter_that_a_rank_does_not_use_counts_as_zeros_there(folder):
    gradients = load_file(folder / "halves.safetensors")
    for rank in range(2):
        assert torch.equal(gradients[f"halves.{rank}.weight"], torch.full((2, 3), 2 * (rank + 1.0)))
        assert torch.equal(gradients[f"halves.{rank}.bias"], torch.full((2,), 2.0))


@pytest.mark.parametrize("name", ["resumed-4", "resumed-2"])
def test_a_checkpoint_loads_under_another_cut(folder, name):
    assert_close(load_file(folder / f"{name}.safetensors"), truth("adamw"), 1e-12)


def test_a_checkpoint_of_shards_loads_in_one_process(folder):
    exchange = LaneParallel(many.network(), World(0, 1, torch.device("cpu")))
    optimizer = OPTIMIZERS["adamw"](exchange.parameters)
    full_state.load(exchange.network, optimizer, load_file(folder / "halfway.safetensors"))
    many.alone(exchange.network, optimizer, range(2, UPDATES), clip=CLIP)
    assert_close(full_state.tensors_of(exchange.network, optimizer), truth("adamw"), 1e-12)


@pytest.mark.parametrize(("mesh", "ranks"), [((1, 4, 1), 4), ((2, 2, 1), 2), ((4, 1, 1), 1)])
def test_a_rank_holds_its_share_of_parameters_and_state(folder, mesh, ranks):
    whole = sum(parameter.numel() for parameter in many.network().parameters())
    states = whole * {"adamw": 2, "sgd": 1}[MESHES[mesh]]
    for rank in range(4):
        parameters, state = json.loads((folder / f"held-{rank}.json").read_text())[str(mesh)]
        assert parameters / whole == pytest.approx(1 / ranks, rel=0.2)
        assert state / states == pytest.approx(1 / ranks, rel=0.2)
