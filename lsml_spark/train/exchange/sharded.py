"""`parallel: {data, shard, tensor}`: a network cut over ranks by FSDP2 and DTensor, with the numbers of one
process.

Ranks form a mesh of data × shard × tensor, tensor fastest. Between updates a rank holds 1 / shard of the
parameters and, always, 1 / shard of the optimiser's state (Rajbhandari et al. 2020, ZeRO); a shard group adds
and spreads the gradients, the `data` copies of it add theirs once more (HSDP). The ranks of a tensor group
read the same lanes and compute the wide layers together, as the network's `tensor_plan` says (Shoeybi et al.
2019, Megatron-LM).

The whole network is one FSDP unit: from an update's first forward pass to its last backward pass a rank holds
all parameters and all gradients of its tensor slice once, in the parameters' own precision. bf16 is
autocast's business, as it is without a cut: FSDP's mixed precision casts parameters but no buffers, and so
cannot run a network that adds the two. Sums over ranks have another order than those of one process, so the
last bits differ.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    parallelize_module,
)
from torch.nn.functional import dropout

from lsml_spark.core.errors import ConfigError
from lsml_spark.models.network import Features, Network
from lsml_spark.train.exchange.exchange import Mark, Merged, unmarked, waited
from lsml_spark.train.exchange.world import World


class Sharded:
    """The exchange of a network whose parameters are DTensors. `network` is cut in place; all ranks must
    build it together.
    """

    def __init__(
        self, network: Network, world: World, *, data: int, shard: int, tensor: int, mark: Mark = unmarked
    ):
        """ConfigError where data · shard · tensor ranks are not there, or the network cannot be cut that
        way.
        """
        if data * shard * tensor != world.size:
            product = f"data {data} × shard {shard} × tensor {tensor} = {data * shard * tensor} ranks"
            raise ConfigError(f"train.parallel: {product}, but train.workers gives {world.size}")
        for value in network.state_dict().values():
            dist.broadcast(value, 0)
        mesh = init_device_mesh(
            world.device.type, (data, shard, tensor), mesh_dim_names=("data", "shard", "tensor")
        )
        if tensor > 1:
            parallelize_module(network, mesh["tensor"], _styles(network, tensor, shard))
            mesh["shard", "tensor"]._flatten()  # a norm over both dimensions is then one exchange
        cut: Any = fully_shard(network, mesh=mesh["data", "shard"] if data > 1 else mesh["shard"])
        # Sums, not means; by the one reduction that gloo has too. A rank that does not use a parameter adds
        # zeros for it.
        cut.set_gradient_divide_factor(1.0)
        cut.set_force_sum_reduction_for_comms(True)
        cut.set_reduce_scatter_unused_params(True)

        self.network, self.world, self.cut, self.tensor, self.mark = network, world, cut, tensor, mark
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.lanes_rank, self.lanes_world = world.rank // tensor, data * shard

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The parameters for an optimiser: a group per mesh, because a `foreach` optimiser takes no others
        together.
        """
        return [{"params": parameters} for parameters in self._by_mesh().values()]

    def __call__(self, features: Features) -> Tensor:
        return self.network(features)

    @contextmanager
    def lane(self, last: bool) -> Iterator[None]:
        """Around the forward and backward pass of a lane; only the first one gathers parameters, only the
        last one sends gradients.
        """
        self.cut.set_requires_gradient_sync(last)
        self.cut.set_reshard_after_backward(last)
        yield

    def lane_done(self, last: bool) -> None:
        """After the last one, `.grad` holds this rank's part of the sum over all lanes of all ranks."""

    def merge(self, books: Tensor) -> Merged:
        """The sum over ranks, begun after the backward pass: FSDP talks in other groups, and nccl wants one
        at a time.

        A tensor group, which reads the same lanes, counts once; the last row, of signals, is everybody's.
        """

        def merged() -> tuple[Tensor, Tensor]:
            if self.world.rank % self.tensor:
                books[:-1] = 0.0
            total = waited(self.world.merge(books), self.mark)
            return total, total

        return merged

    def clip(self, longest: float | None) -> Tensor:
        """The gradient is taken as one vector over all ranks; torch's own clip_grad_norm_ does not mix
        meshes.
        """
        by_mesh = self._by_mesh()
        norms = [
            _full(nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))
            for parameters in by_mesh.values()
        ]
        total = torch.linalg.vector_norm(torch.stack(norms))
        if longest is not None:
            for parameters in by_mesh.values():
                nn.utils.clip_grads_with_norm_(parameters, longest, total)
        return total

    def begin(self, rows: int, last: bool) -> None:
        pass

    def stepped(self, optimizer: torch.optim.Optimizer) -> None:
        pass

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        pass

    def _by_mesh(self) -> dict[DeviceMesh, list[Any]]:
        by_mesh: dict[DeviceMesh, list[Any]] = {}
        for parameter in self.parameters:
            assert isinstance(parameter, DTensor)
            by_mesh.setdefault(parameter.device_mesh, []).append(parameter)
        return by_mesh


class SlicedDropout(ParallelStyle):
    """Dropout of a rank's columns by the mask that one process would draw for all of them, given the same
    seed on every rank.
    """

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, nn.Dropout)
        share, ranks = module.p, device_mesh.size()

        def forward(mine_BC: Tensor) -> Tensor:
            rows, columns = mine_BC.shape
            mask = dropout(mine_BC.new_ones(rows, columns * ranks), share, module.training)
            first = device_mesh.get_local_rank() * columns
            return mine_BC * mask[:, first : first + columns]

        module.forward = forward  # type: ignore[assignment,method-assign]
        return module


STYLES = {"colwise": ColwiseParallel, "rowwise": RowwiseParallel, "dropout": SlicedDropout}


def _styles(network: Network, tensor: int, shard: int) -> dict[str, ParallelStyle]:
    plan = network.tensor_plan()
    kind = type(network).__name__
    if not plan:
        raise ConfigError(
            f"train.parallel.tensor: {kind} has no layers that ranks can compute together; take `shard` "
            "instead"
        )
    for name, style in plan.items():
        width = getattr(network.get_submodule(name), "out_features", 0)
        # torch loses count of uneven parts of a dimension that is cut twice
        if style == "colwise" and width % (tensor * shard):
            styles = (
                f"tensor {tensor} × shard {shard} ranks cannot share the {width} columns of "
                f"{kind}.{name} evenly"
            )
            raise ConfigError(f"train.parallel: {styles}; change the model's width or take `shard` alone")
    return {name: STYLES[style]() for name, style in plan.items()}


def _full(norm: Tensor) -> Tensor:
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
