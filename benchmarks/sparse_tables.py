"""Claim: `sparse.WORTH` is the size of a table, in rows per id that an update looks up, from which sparse
gradients are faster.

    python benchmarks/sparse_tables.py

Two ranks over gloo on loopback update one table of 64 columns by Adagrad: forward, backward, exchange, clip,
step. Prints milliseconds per update (median) by rows and ids, dense through DDP's hook and sparse through
`all_reduce_sparse`, in turn.
"""

import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import torch.distributed as dist
from machine import machine
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lsml_spark.models.network import Features, Network
from lsml_spark.train.exchange import sparse
from lsml_spark.train.exchange.world import World
from lsml_spark.train.optimizers.adagrad import Adagrad

COLUMNS, UPDATES = 64, 12
IDS = (512, 4096)  # of all ranks together
PER_ID = (1, 2, 4, 8, 16, 64)  # rows of the table


class Table(Network):
    def __init__(self, rows: int):
        super().__init__()
        self.weight, self.dense = nn.Parameter(torch.randn(rows, COLUMNS)), nn.Parameter(torch.ones(COLUMNS))
        self.lookups = frozenset({"weight"})

    def forward(self, features: Features) -> Tensor:
        ids: Tensor = features["ids"]  # type: ignore[assignment]
        return nn.functional.embedding(ids, self.weight, sparse="weight" in self.sparse) * self.dense


def milliseconds(kind: bool, rows: int, ids: int, world: World) -> float:
    """Median of an update."""
    network, config = Table(rows), Adagrad(use="adagrad")
    sparse.choose(network, kind, config, 0.0, ids)
    parallel = DistributedDataParallel(network)
    parallel.register_comm_hook(None, lambda _, bucket: world.sum_ordered(bucket.buffer()))
    optimizer = config.build(network.parameters(), 0.0)
    rng, taken = np.random.default_rng(world.rank), []
    for _ in range(UPDATES):
        features = {"ids": torch.from_numpy(rng.zipf(1.3, ids // world.size) % rows)}
        dist.barrier()
        clock = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        parallel(features).square().sum().backward()
        sparse.all_reduce_sparse(sparse.sparse_parameters(network), world)
        sparse.clip_(list(network.parameters()), 1.0)
        optimizer.step()
        taken.append(1e3 * (time.perf_counter() - clock))
    return float(np.median(taken[2:]))


def rank_main(rank: int, store: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    world = World(rank, 2, torch.device("cpu"), (dist.group.WORLD,))
    if rank == 0:
        print(machine())
        print(f"{'ids':>6} {'rows':>8} {'per id':>6} {'dense ms':>9} {'sparse ms':>9} {'dense / sparse':>14}")
    for ids in IDS:
        for per_id in PER_ID:
            rows = ids * per_id
            dense, lean = (milliseconds(kind, rows, ids, world) for kind in (False, True))
            if rank == 0:
                print(
                    f"{ids:>6} {rows:>8} {per_id:>6} {dense:>9.2f} {lean:>9.2f} {dense / lean:>14.2f}",
                    flush=True,
                )
    dist.barrier()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        rank_main(int(sys.argv[1]), sys.argv[2])
        sys.stdout.flush()
        os._exit(0)
    with tempfile.TemporaryDirectory() as folder:
        ranks = [
            subprocess.Popen([sys.executable, __file__, str(rank), f"{folder}/store"]) for rank in range(2)
        ]
        sys.exit(max(rank.wait() for rank in ranks))
