"""The ranks of one job: who am I, on which device, and sums that are the same bits for any number of ranks.

nccl where there are GPUs, gloo elsewhere. Knows nothing of who launched it: torchrun, a Spark barrier stage
and a shell script all set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT; without RANK the process
is a world of one.
"""

import datetime
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lsml_spark.core.errors import ConfigError, TrainingError
from lsml_spark.train.survival import wire
from lsml_spark.train.survival.meeting import NobodyThere, meet
from lsml_spark.train.survival.watch import stop_requested


class LostPeers(TrainingError):
    """Another rank died or cannot be reached: an effect, whose cause that rank may have reported; a retry can
    mend it.
    """


@dataclass(frozen=True)
class World:
    """`rounds`: for each round of the sum over ranks, the group of this rank and its partner (rank ^
    2^round).
    """

    rank: int
    size: int
    device: torch.device
    rounds: tuple[Any, ...] = ()

    def sum_ordered(self, tensor: Tensor) -> torch.futures.Future[Tensor]:
        """In place, the sum over ranks as a balanced binary tree in rank order: log2(size) pairwise
        exchanges.

        A ring adds in an order that depends on the number of ranks, and training amplifies a last-bit
        difference to the first digit within an epoch; this tree continues the one over lanes (`lanes.py`), so
        any world of a power of two gives equal bits. Other worlds add rank after rank, which a resumed run
        repeats: a ring's order changes with DDP's buckets.
        """
        if self.size & (self.size - 1):
            return self._sum_in_rank_order(tensor)
        if len(self.rounds) == 1:  # overlaps with the rest of backward
            return (
                dist.all_reduce(tensor, group=self.rounds[0], async_op=True)
                .get_future()
                .then(lambda done: done.value()[0])
            )
        for pair in self.rounds:
            dist.all_reduce(tensor, group=pair)
        done: torch.futures.Future[Tensor] = torch.futures.Future(
            devices=[self.device] if self.device.type == "cuda" else None
        )
        done.set_result(tensor)
        return done

    def _sum_in_rank_order(self, tensor: Tensor) -> torch.futures.Future[Tensor]:
        of_rank = [torch.empty_like(tensor) for _ in range(self.size)]
        dist.all_gather(of_rank, tensor)
        for other in of_rank[1:]:
            of_rank[0].add_(other)
        done: torch.futures.Future[Tensor] = torch.futures.Future(
            devices=[self.device] if self.device.type == "cuda" else None
        )
        done.set_result(tensor.copy_(of_rank[0]))
        return done

    def merge(self, places: Tensor) -> Callable[[], Tensor]:
        """Begin to sum, in place, tensors in which every place is non-zero on one rank at most, hence exactly
        in any order.

        What is returned waits for the sum.
        """
        work = dist.all_reduce(places, async_op=True) if self.size > 1 else None

        def merged() -> Tensor:
            if work is not None:
                work.wait()
            return places

        return merged

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in rank order, on every rank: what `wire.pack` knows, nothing is pickled."""
        if self.size == 1:
            return [value]
        mine = torch.frombuffer(bytearray(wire.pack(value)), dtype=torch.uint8).to(self.device)
        sizes = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.size)]
        dist.all_gather(sizes, torch.tensor([len(mine)], device=self.device))
        longest = max(int(size) for size in sizes)
        padded = [torch.empty(longest, dtype=torch.uint8, device=self.device) for _ in range(self.size)]
        dist.all_gather(padded, torch.nn.functional.pad(mine, (0, longest - len(mine))))
        return [
            wire.unpack(one[: int(size)].cpu().numpy().tobytes())
            for one, size in zip(padded, sizes, strict=True)
        ]


@contextmanager
def joined(timeout: float) -> Iterator[World]:
    """The world that the environment describes; left at the end. `timeout`: seconds to wait for a peer,
    anywhere.

    LostPeers where a peer cannot be reached or dies; ConfigError where the environment or the number of ranks
    makes no sense.
    """
    rank, size, local_rank = (
        _from_environment(name, default)
        for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    if rank >= size:
        raise ConfigError(
            f"RANK={rank}, but WORLD_SIZE={size}: ranks are counted from 0; whoever starts the ranks must "
            "set both"
        )
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", local_rank)
        torch.cuda.set_device(device)
    if size == 1:
        yield World(0, 1, device)
        return
    try:
        backend, limit = "nccl" if device.type == "cuda" else "gloo", datetime.timedelta(seconds=timeout)
        dist.init_process_group(
            backend,
            store=meet(rank, size, timeout, stop_requested),
            rank=rank,
            world_size=size,
            timeout=limit,
        )
        yield World(rank, size, device, _rounds(rank, size))
    except NobodyThere as error:
        raise LostPeers(f"rank {rank} of {size}: {error}") from error
    except (RuntimeError, ValueError) as error:  # torch.distributed's own errors derive from these
        if not _is_communication(error):
            raise
        raise LostPeers(f"rank {rank} of {size} lost its peers: {str(error).splitlines()[0]}") from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def own_rank() -> int:
    """This process's rank; ConfigError where the environment names none that is a number."""
    return _from_environment("RANK", 0)


def _rounds(rank: int, size: int) -> tuple[Any, ...]:
    """Every rank takes part in making every group, in the same order."""
    if size == 2 or size & (size - 1):
        return (dist.group.WORLD,)
    mine = []
    for distance in (1 << i for i in range(size.bit_length() - 1)):
        for low in (r for r in range(size) if not r & distance):
            group = dist.new_group([low, low | distance])
            if rank in (low, low | distance):
                mine.append(group)
    return tuple(mine)


def _is_communication(error: Exception) -> bool:
    text = str(error).lower()
    words = ("connection", "timed out", "timeout", "gloo", "nccl", "process group", "store", "socket", "peer")
    return isinstance(error, dist.DistError) or any(word in text for word in words)


def _from_environment(name: str, default: int) -> int:
    text = os.environ.get(name, str(default)) if "RANK" in os.environ else str(default)
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ConfigError(f"environment variable {name}: expected a number, found '{text}'")
    return int(text)
