"""Gradients of large embedding tables, as the rows that a batch looked up: exchanged, clipped and applied as
such.

DDP's hooks take no sparse gradients, so such tables are left out of DDP. Ranks first tell each other which
rows they hold, then sum a dense block of all those rows the way dense gradients are summed: whatever numbers
of ranks give dense gradients the same bits give these the same bits. Only for optimisers whose update is then
the dense one (`Optimizer.same_if_sparse`).
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lsml_spark.core.errors import ConfigError
from lsml_spark.models.network import Network
from lsml_spark.train.exchange.world import World
from lsml_spark.train.optimizers.optimizer import Optimizer

WORTH = 8  # rows of a table per looked-up id from which sparse is faster: see benchmarks/sparse_tables.py


def choose(
    network: Network, mode: Literal["auto"] | bool, optimizer: Optimizer, l2: float, lookups: int
) -> list[str]:
    """Give the network's large tables sparse gradients, or all that can have them; their names. Before DDP
    wraps it.

    `lookups`: about how many ids an update looks up in a table. ConfigError where sparse gradients are
    demanded and would not give the dense update, or there is no table for them.
    """
    if mode is True and not optimizer.same_if_sparse(l2):
        raise ConfigError(
            f"train.exchange.sparse: the optimizer '{optimizer.use}' with l2: {l2:g} also moves rows that a "
            "batch does not hold; "
            "take adagrad, or sgd with momentum: 0, and l2: 0; or set train.exchange.sparse: auto"
        )
    if mode is True and not network.lookups:
        raise ConfigError(
            f"train.exchange.sparse: {type(network).__name__} has no table that is only looked up; set "
            "train.exchange.sparse: auto"
        )
    names: list[str] = []
    if mode is not False and optimizer.same_if_sparse(l2):
        names = [
            name
            for name in sorted(network.lookups)
            if mode is True or len(network.get_parameter(name)) >= WORTH * lookups
        ]
    network.use_sparse(names)
    if names:
        torch.sparse.check_sparse_tensor_invariants.disable()  # torch warns where a program does not say
        # DDP looks for a parameter of the outermost module under ".name".
        ignored = [*names, *(f".{name}" for name in names)]
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(network, ignored)
    return names


def sparse_parameters(network: Network) -> list[nn.Parameter]:
    """The tables with sparse gradients, in the order of their names."""
    return [network.get_parameter(name) for name in sorted(network.sparse)]


def plus(left: Tensor, right: Tensor) -> Tensor:
    """The sum of two gradients, in `left` where they are dense. A row has one summand from each, so bits
    depend on no order.
    """
    return (left.coalesce() + right.coalesce()).coalesce() if left.is_sparse else left.add_(right)


def all_reduce_sparse(parameters: Sequence[nn.Parameter], world: World) -> None:
    """Set `.grad` of each to the sum over ranks, coalesced. Every rank calls it with the same parameters;
    None counts as no rows.

    Three exchanges, however many tables: how many rows, which rows, and the sum of their union.
    """
    for parameter in parameters:
        if parameter.grad is None:
            none_1R = torch.empty(1, 0, dtype=torch.int64, device=parameter.device)
            parameter.grad = torch.sparse_coo_tensor(none_1R, parameter.detach()[:0], parameter.shape)
        parameter.grad = parameter.grad.coalesce()
    if world.size == 1 or not parameters:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    union = _union(
        [gradient.indices()[0] for gradient in gradients], [len(parameter) for parameter in parameters]
    )
    blocks = []
    for gradient, rows_U in zip(gradients, union, strict=True):
        block_UD = gradient.new_zeros((len(rows_U), *gradient.shape[1:]), layout=torch.strided)
        block_UD[torch.searchsorted(rows_U, gradient.indices()[0])] = gradient.values()
        blocks.append(block_UD)
    flat = world.sum_ordered(torch.cat([block_UD.flatten() for block_UD in blocks])).wait()
    summed = flat.split([block_UD.numel() for block_UD in blocks])
    for parameter, rows_U, block_UD, part in zip(parameters, union, blocks, summed, strict=True):
        parameter.grad = torch.sparse_coo_tensor(
            rows_U[None], part.view_as(block_UD), parameter.shape, is_coalesced=True
        )


def gradient_of(parameter: nn.Parameter) -> Tensor:
    """The gradient of a parameter; zeros where it took no part."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def clip_(parameters: Sequence[nn.Parameter], longest: float | None) -> Tensor:
    """torch's clip_grad_norm_ where some gradients are sparse; the norm of all together before it, as a
    scalar. None: no clipping.
    """
    values = []
    for parameter in parameters:
        if parameter.grad is not None and parameter.grad.is_sparse:
            # a product with a number makes torch forget that it was
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        elif parameter.grad is not None:
            values.append(parameter.grad)
    norm = torch.nn.utils.get_total_norm(values)
    if longest is None:
        return norm
    scale = (longest / (norm + 1e-6)).clamp(max=1.0)
    for value in values:
        value.mul_(scale)
    return norm


def _union(rows: Sequence[Tensor], lengths: Sequence[int]) -> list[Tensor]:
    """The rows that any rank holds, ascending, for each table, from those that this rank holds in tables of
    these lengths.
    """
    # one numbering for the rows of all tables
    starts = torch.tensor([0, *lengths], device=rows[0].device).cumsum(0)
    mine = torch.cat([rows_R + start for rows_R, start in zip(rows, starts, strict=False)])
    size = dist.get_world_size()
    counts = [torch.zeros(1, dtype=torch.int64, device=mine.device) for _ in range(size)]
    dist.all_gather(counts, torch.tensor([len(mine)], device=mine.device))
    longest = int(torch.cat(counts).max())
    everyone = [mine.new_empty(longest) for _ in range(size)]
    padding = starts[-1:].expand(longest - len(mine))  # one past the last row, cut off below
    dist.all_gather(everyone, torch.cat([mine, padding]))
    union = torch.unique(torch.cat(everyone))
    edges = torch.searchsorted(union, starts).tolist()
    return [union[low:high] - start for low, high, start in zip(edges[:-1], edges[1:], starts, strict=False)]
