"""One of two ranks for test_hooks.py: `hook_rank.py RANK STORE OUT`. Writes what it saw to OUT, as arrays."""

import sys

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from lsml_spark.models.network import Network
from lsml_spark.train.exchange import hooks, sparse
from lsml_spark.train.exchange.world import World
from lsml_spark.train.optimizers.adagrad import Adagrad
from lsml_spark.train.optimizers.adamw import Adamw
from lsml_spark.train.optimizers.lamb import Lamb
from lsml_spark.train.optimizers.sgd import Sgd
from lsml_spark.train.penalty import soft_threshold_

RANKS = 2
ROWS = 300
SHAPES = {
    "first": (40, 30),
    "second": (40, 30),
    "bias": (7,),
    "third": (25, 60),
    "small": (3, 3),
    "fourth": (40, 30),
}
UPDATES, START, COLUMNS = 9, 2, 2


class Given(nn.Module):
    """Its gradients are the arrays that it is called with; used in an order other than that of definition."""

    def __init__(self, shapes):
        super().__init__()
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(shape)) for name, shape in shapes.items()}
        )

    def forward(self, gradients):
        order = ["third", "first", "small", "bias", "fourth", "second"]
        total = torch.zeros(())
        for name in [name for name in order if name in self.weights] or self.weights:
            total = total + (self.weights[name].tanh() * gradients[name]).sum()
        return total


def given(rank, update, shapes=SHAPES):
    """Gradients of a rank: sums over its rows, of all sizes."""
    rng = np.random.default_rng([rank, update])
    return {
        name: (rng.normal(size=shape) * ROWS * 10.0 ** rng.integers(-3, 1)).astype(np.float32)
        for name, shape in shapes.items()
    }


def ddp(network, compressor, log=None):
    parallel = DistributedDataParallel(network, bucket_cap_mb=0.012)

    def hook(_, bucket):
        if log is not None:
            log.append([id(parameter) for parameter in bucket.parameters()])
        return compressor(bucket)

    parallel.register_comm_hook(None, hook)
    return parallel


def update(parallel, compressor, gradients, rows=ROWS):
    compressor.begin(rows)
    parallel.zero_grad()
    parallel({name: torch.from_numpy(gradient) for name, gradient in gradients.items()}).backward()
    return {name: weight.grad.numpy().copy() for name, weight in parallel.module.weights.items()}


def casts(rank, out):
    for name in ("bf16", "fp16"):
        network = Given(SHAPES)
        compressor = hooks.build(name, network, 0)
        for key, gradient in update(ddp(network, compressor), compressor, given(rank, 0)).items():
            out[f"{name}.{key}"] = gradient
    network = Given({"bias": (2,)})
    compressor = hooks.build("fp16", network, 0)
    parallel = ddp(network, compressor)
    large = {"bias": np.array([70_000.0, 1.0], np.float32)}
    for rows in (1, 1000):
        out[f"large.{rows}"] = update(parallel, compressor, large, rows)["bias"]


def powersgd(rank, out):
    def fresh():
        network = Given(SHAPES)
        log = []
        compressor = hooks.build("powersgd", network, 5, columns=COLUMNS, start=START)
        return (
            compressor,
            ddp(network, compressor, log),
            log,
            [id(parameter) for parameter in network.parameters()],
        )

    compressor, parallel, log, ids = fresh()
    for number in range(UPDATES):
        if number == 6:  # as a killed run would: all that is left is the tensors of the state
            kept = compressor.state()
            for name, tensor in kept.items():
                out[f"state.{name}"] = tensor.numpy()
            other, other_parallel, other_log, other_ids = fresh()
            other.load_state(kept)
        gradients = given(rank, number)
        for key, gradient in update(parallel, compressor, gradients).items():
            out[f"powersgd.{number}.{key}"] = gradient
        if number >= 6:
            for key, gradient in update(other_parallel, other, gradients).items():
                out[f"resumed.{number}.{key}"] = gradient
    # The resumed process had other buckets at first, or the test would show nothing.
    places = [
        [[names.index(i) for i in bucket] for bucket in seen[:4]]
        for names, seen in ((ids, log[-4:]), (other_ids, other_log))
    ]
    out["relaid"] = np.array(places[0] != places[1])

    # a matrix of rank 2 comes through whole; nothing at all does no lasting harm
    compressor, parallel, *_ = fresh()
    rng = np.random.default_rng(9)
    low = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    for number in range(8):
        low["third"] = np.zeros_like(low["third"])
        if number not in (3, 4):
            low["third"] = (rng.normal(size=(25, 2)) @ rng.normal(size=(2, 60))).astype(np.float32)
        out[f"low.{number}.third"] = update(parallel, compressor, low)["third"]
        out[f"low.{number}.given"] = low["third"]

    three = {name: value for name, value in compressor.state().items() if not name.startswith("error.")} | {
        "ranks": torch.tensor(3)
    }
    three |= {f"error.{owner}.weights.third": torch.full((25, 60), 1.0 + owner) for owner in range(3)}
    compressor.load_state(three)
    out["taken"] = (
        compressor.state()[f"error.{rank}.weights.third"].numpy()
        if rank == 0
        else np.array(len(compressor.errors))
    )


class Tables(Network):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.one = nn.Parameter(torch.randn(50, 4, dtype=torch.float64, generator=generator))
        self.two = nn.Embedding.from_pretrained(
            torch.randn(30, 3, dtype=torch.float64, generator=generator), freeze=False
        )
        self.dense = nn.Parameter(torch.randn(7, dtype=torch.float64, generator=generator))
        self.lookups = frozenset({"one", "two.weight"})

    def forward(self, ids):
        one = nn.functional.embedding(ids, self.one, sparse="one" in self.sparse)
        return torch.cat([one, self.two(ids % 30)], dim=1) * self.dense


def tables(rank, world, out):
    """Three updates on ranks that hold overlapping rows, and in the second of which one rank has none."""
    for name, config in (("sgd", Sgd(use="sgd", lr=0.1, momentum=0.0)), ("adagrad", Adagrad(use="adagrad"))):
        for kind in ("dense", "sparse"):
            network = Tables()
            sparse.choose(network, kind == "sparse", config, 0.0, 10)
            optimizer = config.build(network.parameters(), 0.0)
            parallel = DistributedDataParallel(network)
            parallel.register_comm_hook(None, lambda _, bucket: world.sum_ordered(bucket.buffer()))
            for number in range(3):
                ids = torch.from_numpy(
                    np.random.default_rng([rank, number]).integers(0, 50, 12 if number != 1 else 6 * rank)
                )
                optimizer.zero_grad()
                parallel(ids).square().sum().backward()
                sparse.all_reduce_sparse(sparse.sparse_parameters(network), world)
                out[f"{name}.{kind}.norm.{number}"] = sparse.clip_(list(network.parameters()), 20.0).numpy()
                optimizer.step()
            for key, parameter in network.named_parameters():
                out[f"{name}.{kind}.{key}"] = parameter.detach().numpy()
            if kind == "sparse":
                out["rows"] = np.array([network.one.grad.is_coalesced(), network.one.grad.indices().shape[1]])
                network.one.grad = None
                sparse.all_reduce_sparse([network.one], world)
                out["none"] = network.one.grad.to_dense().numpy()


def sharded(out):
    """Optimiser and penalty on weights whose rows lie on different ranks (as FSDP2 has them), and on whole
    ones.
    """
    mesh = init_device_mesh("cpu", (RANKS,))
    for config in (
        Lamb(use="lamb", lr=0.1),
        Adagrad(use="adagrad", lr=0.1),
        Adamw(use="adamw", lr=0.1),
        Sgd(use="sgd", lr=0.1),
    ):
        for kind in ("whole", "sharded"):
            rng = np.random.default_rng(0)

            def tensor(kind=kind, rng=rng):
                drawn = torch.from_numpy(rng.normal(size=(5, 4)))
                return distribute_tensor(drawn, mesh, [Shard(0)]) if kind == "sharded" else drawn

            weight = nn.Parameter(tensor())
            optimizer = config.build([weight], 0.01)
            for _ in range(4):
                weight.grad = tensor()
                optimizer.step()
                soft_threshold_(optimizer, config, 0.6)
            done = weight.detach()
            out[f"{config.use}.{kind}"] = (done.full_tensor() if kind == "sharded" else done).numpy()


def main(rank, store, path):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=RANKS)
    out = {}
    casts(rank, out)
    powersgd(rank, out)
    tables(rank, World(rank, RANKS, torch.device("cpu"), (dist.group.WORLD,)), out)
    sharded(out)
    np.savez(path, **out)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    from lsml_spark.train.worker import leave

    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
    leave(0)
