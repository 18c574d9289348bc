"""Gradients of lanes, summed as a balanced binary tree whatever the number of ranks that compute them.

A global batch is L lanes of equal row counts. Each lane is a forward and a backward pass of its own, with its
own drop-out seed, so its gradient has the same bits on any rank; 2^k lanes of a rank fold into one subtree,
and `World.sum_ordered` joins the subtrees of the ranks. The weights of a night are then bit for bit those of
a single process, for any optimiser.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lsml_spark.models.network import Features, Network
from lsml_spark.train.exchange.exchange import Mark, Merged, unmarked, waited
from lsml_spark.train.exchange.hooks import Compressor
from lsml_spark.train.exchange.sparse import all_reduce_sparse, clip_, gradient_of, plus, sparse_parameters
from lsml_spark.train.exchange.world import World


class Tree:
    """A running pairwise sum: ((g0 + g1) + (g2 + g3)) + …, holding log2(lanes) gradients at most."""

    def __init__(self) -> None:
        # (lanes summed, gradient by parameter's id), largest first
        self.sums: list[tuple[int, dict[int, Tensor]]] = []

    def push(self, gradients: dict[int, Tensor]) -> None:
        lanes = 1
        while self.sums and self.sums[-1][0] == lanes:
            _, left = self.sums.pop()
            gradients = {key: plus(left[key], right) for key, right in gradients.items()}
            lanes *= 2
        self.sums.append((lanes, gradients))

    def fold(self, key: int, last: Tensor) -> Tensor:
        """The gradient of the last lane plus, in place where it is dense, all that was pushed for its
        parameter.
        """
        for _, gradients in reversed(self.sums):
            last = plus(last, gradients[key])
        return last


class UsesAll(nn.Module):
    """A network whose parameters all take part in every batch, if only by zeros.

    DDP's own search for unused parameters looks at the last lane alone, and drops what lanes before it gave
    to them.
    """

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, features: Features) -> Tensor:
        zeros = [
            parameter.flatten()[:1].sum() * 0.0
            for parameter in self.network.parameters()
            if parameter.requires_grad
        ]
        return self.network(features) + torch.stack(zeros).sum()


class LaneParallel:
    """A network whose lanes' gradients are summed over lanes and ranks; DDP overlaps the exchange with the
    last backward.

    `compress`: sums a bucket over the ranks in fewer bytes (see `hooks.py`); without one, exactly and in a
    fixed order. `mark` hears "all-reduce" where nothing is left to do but to wait for other ranks, and
    "compute" where there is.
    """

    def __init__(
        self, network: Network, world: World, compress: Compressor | None = None, mark: Mark = unmarked
    ):
        self.network, self.world, self.compress, self.mark, self.tree = network, world, compress, mark, Tree()
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.lanes_rank, self.lanes_world = world.rank, world.size
        self.sparse = sparse_parameters(network)  # which DDP leaves alone
        self.parallel: Any = network
        if world.size > 1:
            # Making it sends rank 0's weights and buffers to all.
            whole = network if network.uses_all else UsesAll(network)
            self.parallel = DistributedDataParallel(whole, forward_sync_buffers=False)
            self.parallel.register_comm_hook(None, self._reduce)
            for parameter in self.sparse:
                dist.broadcast(parameter.data, 0)

    @property
    def groups(self) -> list[nn.Parameter]:
        return self.parameters

    def begin(self, rows: int, last: bool) -> None:
        if self.compress:
            self.compress.begin(rows)

    def __call__(self, features: Features) -> Tensor:
        return self.parallel(features)

    def lane(self, last: bool) -> AbstractContextManager[None]:
        return nullcontext() if last or self.world.size == 1 else self.parallel.no_sync()

    def lane_done(self, last: bool) -> None:
        if not last:
            self.tree.push({id(parameter): gradient_of(parameter) for parameter in self.parameters})
            for parameter in self.parameters:
                parameter.grad = None
            return
        for parameter in self.parameters if self.world.size == 1 else self.sparse:
            parameter.grad = self.tree.fold(id(parameter), gradient_of(parameter))
        self.tree = Tree()
        if self.sparse:
            self.mark("all-reduce")
            all_reduce_sparse(self.sparse, self.world)
        self.mark("compute")

    def merge(self, books: Tensor) -> Merged:
        summed = self.world.merge(books)

        def merged() -> tuple[Tensor, Tensor]:
            total = waited(summed, self.mark)
            return total, total

        return merged

    def clip(self, longest: float | None) -> Tensor:
        return clip_(self.parameters, longest)

    def stepped(self, optimizer: torch.optim.Optimizer) -> None:
        pass

    def state(self) -> dict[str, Tensor]:
        return self.compress.state() if self.compress else {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        if self.compress:
            self.compress.load_state(tensors)

    def _reduce(self, _: None, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
        for parameter, gradient in zip(bucket.parameters(), bucket.gradients(), strict=True):
            self.tree.fold(id(parameter), gradient)
        self.mark("all-reduce")
        summed = self.compress(bucket) if self.compress else self.world.sum_ordered(bucket.buffer())
        if not bucket.is_last():
            # the rest of the backward pass; after the last bucket, backward waits for all sums
            self.mark("compute")
        return summed
