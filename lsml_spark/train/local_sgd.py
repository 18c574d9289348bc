"""`sync: local`: every rank steps on its own lanes; all average their parameters every `every` updates (Stich 2019, local SGD).

The average is weighted by the row weight that each rank has trained on since the last one, so that with `every` 1 and plain SGD
it is exactly the update on all ranks' rows at once; a rank without any weight then counts for nothing. The optimiser's state
is averaged with the parameters (its step counters: the furthest), so after an average all ranks are the same, bit for bit.
The end of an epoch is an averaging point (`settle`); a checkpoint belongs at one (`settled`), never between, or its time would
change the weights.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.algorithms.model_averaging.utils import average_parameters

from lsml_spark.core.errors import TrainingError
from lsml_spark.models.network import Features, Network
from lsml_spark.train.world import World


class LocalSgd:
    """The exchange that does not talk between averages. Call `attach` with the optimiser before the first update."""

    def __init__(self, network: Network, world: World, every: int):
        self.network, self.world, self.every = network, world, every
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.lanes_rank, self.lanes_world = world.rank, world.size
        self.optimizer: torch.optim.Optimizer | None = None
        self.weight, self.why, self.settled = 0.0, "", True
        if world.size > 1:
            for value in network.state_dict().values():
                dist.broadcast(value, 0)

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """The optimiser whose state is averaged with the parameters."""
        self.optimizer = optimizer

    def __call__(self, features: Features) -> Tensor:
        return self.network(features)

    def lane(self, last: bool) -> AbstractContextManager[None]:
        return nullcontext()

    def lane_done(self, last: bool) -> None:
        """After the last one, `.grad` holds the sum over this rank's own lanes."""

    def merge(self, books: Tensor) -> Tensor:
        """This rank's own books: its update is normalised by its own weight."""
        self.weight += float(books[:, 1].sum())
        return books

    def total(self, books: Tensor) -> Tensor:
        """In place, the sum over ranks of what each counted by itself, for the curve of an epoch; after `settle`."""
        if self.world.size > 1:
            dist.all_reduce(books)
        return books

    def refuse(self, why: str) -> None:
        """This rank leaves an update out, because of `why` (its loss is not finite); all ranks stop at the next average."""
        self.why = self.why or why

    def stepped(self, update: int) -> None:
        """After update `update` (from 0, over all epochs), also one that this rank left out. TrainingError where a rank refused."""
        self.settled = False
        if (update + 1) % self.every == 0:
            self.settle()

    def settle(self) -> None:
        """Average now, unless that has just been done; every rank must call it after the same update."""
        if self.settled:
            return
        mine = torch.tensor([self.weight, bool(self.why), len(self._state())], dtype=torch.float64, device=self.world.device)
        told_R3 = self._gathered(mine)
        if told_R3[:, 1].any():
            reasons = self.world.gather(self.why)
            raise TrainingError("; ".join(f"rank {rank}: {why}" for rank, why in enumerate(reasons) if why))
        if len(told_R3[:, 2].unique()) > 1:
            self._complete_state()
        total = float(told_R3[:, 0].sum())
        if self.world.size > 1:
            self._average(self.weight / total * self.world.size if total else 1.0)
        self.weight, self.settled = 0.0, True

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        pass

    def _gathered(self, mine: Tensor) -> Tensor:
        """(ranks, …): every rank's tensor, the same bits on every rank."""
        if self.world.size == 1:
            return mine[None]
        found = [torch.empty_like(mine) for _ in range(self.world.size)]
        dist.all_gather(found, mine)
        return torch.stack(found)

    @torch.no_grad()
    def _average(self, share: float) -> None:
        states = self._state()
        vectors: list[Any] = [*self.parameters, *(value for value in states if value.dim())]
        for vector in vectors:
            vector.mul_(share)
        assert dist.group.WORLD is not None
        average_parameters(iter(vectors), dist.group.WORLD)  # torch's averagers call it with what has a gradient, which may differ by rank
        counters = [value for value in states if not value.dim()]
        if counters:
            furthest = torch.stack(counters).to(self.world.device)
            dist.all_reduce(furthest, dist.ReduceOp.MAX)
            for counter, value in zip(counters, furthest, strict=True):
                counter.copy_(value)

    def _state(self) -> list[Tensor]:
        """The optimiser's tensors, in one order on all ranks."""
        assert self.optimizer is not None
        states = [self.optimizer.state.get(parameter, {}) for parameter in self.parameters]
        return [state[key] for state in states for key in sorted(state) if isinstance(state[key], Tensor)]

    def _complete_state(self) -> None:
        """Zeros for what an optimiser makes at its first step, on a rank that had nothing to step on so far."""
        assert self.optimizer is not None
        states = [self.optimizer.state[parameter] for parameter in self.parameters]
        mine = [{key: value.dim() for key, value in state.items() if isinstance(value, Tensor)} for state in states]
        for theirs in self.world.gather(mine):
            for parameter, state, dims in zip(self.parameters, states, theirs, strict=True):
                for key, dim in dims.items():
                    state.setdefault(key, torch.zeros_like(parameter) if dim else torch.zeros(()))
