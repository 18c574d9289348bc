"""`sync: local`: every rank steps on its own lanes; all average their parameters every `every` updates (Stich
2019, local SGD).

The average is weighted by the row weight that each rank has trained on since the last one, so that with
`every` 1 and plain SGD it is exactly the update on all ranks' rows at once; a rank without any weight then
counts for nothing. The optimiser's state is averaged with the parameters (its step counters: the furthest),
so after an average all ranks are the same, bit for bit. An epoch ends with an average; checkpoints, stops and
what the curve tells come with one.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.model_averaging.utils import average_parameters

from lsml_spark.models.network import Features, Network
from lsml_spark.train.exchange.exchange import Mark, Merged, unmarked, waited
from lsml_spark.train.exchange.sparse import clip_
from lsml_spark.train.exchange.world import World


class LocalSgd:
    """The exchange that does not talk between averages."""

    def __init__(self, network: Network, world: World, every: int, mark: Mark = unmarked):
        self.network, self.world, self.every, self.mark = network, world, every, mark
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.lanes_rank, self.lanes_world = world.rank, world.size
        self.books: Tensor | None = None  # (places + 1, 3), this rank's since the last average
        self.since, self.last = 0, False
        if world.size > 1:
            for value in network.state_dict().values():
                dist.broadcast(value, 0)

    @property
    def groups(self) -> list[nn.Parameter]:
        return self.parameters

    @property
    def averages(self) -> bool:
        """Whether the update that is under way ends with an average."""
        return self.last or self.since + 1 >= self.every

    def begin(self, rows: int, last: bool) -> None:
        self.last = last

    def __call__(self, features: Features) -> Tensor:
        return self.network(features)

    def lane(self, last: bool) -> AbstractContextManager[None]:
        return nullcontext()

    def lane_done(self, last: bool) -> None:
        """After the last one, `.grad` holds the sum over this rank's own lanes."""

    def merge(self, books: Tensor) -> Merged:
        """An update is normalised by this rank's own weight; before an average all ranks hear what all have
        done since the last.
        """
        if self.books is None:
            self.books = books.clone()
        else:
            self.books[:-1] += books[:-1]
            # rank 0's clock is no sum
            self.books[-1] = torch.cat([books[-1, :1], self.books[-1, 1:] + books[-1, 1:]])
        if not self.averages:
            return lambda: (books, None)
        summed = self.world.merge(self.books.clone())
        return lambda: (books, waited(summed, self.mark))

    def clip(self, longest: float | None) -> Tensor:
        return clip_(self.parameters, longest)

    def stepped(self, optimizer: torch.optim.Optimizer) -> None:
        if not self.averages:
            self.since += 1
            return
        assert self.books is not None
        self.mark("all-reduce")
        if self.world.size > 1:
            self._average(optimizer, float(self.books[:-1, 1].sum()))
        self.mark("compute")
        self.books, self.since = None, 0

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        pass

    def _gathered(self, mine: Tensor) -> Tensor:
        """(ranks, …): every rank's tensor, the same bits on every rank."""
        if self.world.size == 1:
            return mine[None]
        gathered = [torch.empty_like(mine) for _ in range(self.world.size)]
        dist.all_gather(gathered, mine)
        return torch.stack(gathered)

    @torch.no_grad()
    def _average(self, optimizer: torch.optim.Optimizer, weight: float) -> None:
        """Of parameters and optimiser, weighted by the row weight that each rank has trained on since the
        last average.
        """
        states = self._state(optimizer)
        told_R2 = self._gathered(
            torch.tensor([weight, len(states)], dtype=torch.float64, device=self.world.device)
        )
        if len(told_R2[:, 1].unique()) > 1:
            self._complete_state(optimizer)
            states = self._state(optimizer)
        total = float(told_R2[:, 0].sum())
        share = weight / total * self.world.size if total else 1.0
        vectors: list[Any] = [*self.parameters, *(value for value in states if value.dim())]
        for vector in vectors:
            vector.mul_(share)
        assert dist.group.WORLD is not None
        # torch's averagers call it with what has a gradient, which may differ by rank
        average_parameters(iter(vectors), dist.group.WORLD)
        counters = [value for value in states if not value.dim()]
        if counters:
            furthest = torch.stack(counters).to(self.world.device)
            dist.all_reduce(furthest, dist.ReduceOp.MAX)
            for counter, value in zip(counters, furthest, strict=True):
                counter.copy_(value)

    def _state(self, optimizer: torch.optim.Optimizer) -> list[Tensor]:
        """The optimiser's tensors, in one order on all ranks."""
        states = [optimizer.state.get(parameter, {}) for parameter in self.parameters]
        return [state[key] for state in states for key in sorted(state) if isinstance(state[key], Tensor)]

    def _complete_state(self, optimizer: torch.optim.Optimizer) -> None:
        """Zeros for what an optimiser makes at its first step, on a rank that had nothing to step on so
        far.
        """
        states = [optimizer.state[parameter] for parameter in self.parameters]
        mine = [
            {key: value.dim() for key, value in state.items() if isinstance(value, Tensor)}
            for state in states
        ]
        for theirs in self.world.gather(mine):
            for parameter, state, dims in zip(self.parameters, states, theirs, strict=True):
                for key, dim in dims.items():
                    state.setdefault(key, torch.zeros_like(parameter) if dim else torch.zeros(()))
