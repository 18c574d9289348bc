"""Running statistics of a network, such as batch norm's, as one process would keep them whichever rank
computes which lane.

Every lane of an update starts from the same statistics; afterwards they move by the mean of what the lanes
made of them, weighted by the lanes' rows and summed in the order of the lanes. With `lane_sums` they are the
same bits on 1, 2, 4 … ranks.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from lsml_spark.models.network import Network
from lsml_spark.train.exchange.world import World

# rows that have a variance; a smaller lane is normalised by the running statistics and adds nothing to them
FEWEST = 2


class Buffers:
    """Those of norms that track statistics, and those that the network names in `running`. `places`: lanes,
    or ranks; `counts`: of ranks that compute the same lanes together, whether it is this one whose sums
    count."""

    def __init__(self, network: Network, world: World, places: int, counts: bool = True):
        self.world, self.counts = world, counts
        self.norms = [
            module
            for module in network.modules()
            if isinstance(module, _NormBase) and module.track_running_stats
        ]
        own = [buffer for norm in self.norms for buffer in norm.buffers()]
        own += [network.get_buffer(name) for name in sorted(network.running)]
        self.floats = [buffer for buffer in own if buffer.is_floating_point()]
        self.numbers = [buffer for buffer in own if not buffer.is_floating_point()]  # batches that were seen
        numbers = sum(buffer.numel() for buffer in self.floats)
        self.sums = torch.zeros(places, numbers + 1, dtype=torch.float64, device=world.device)
        self.base = torch.zeros(numbers, dtype=torch.float64, device=world.device)

    def begin(self) -> None:
        """Before an update."""
        if self.floats:
            self.sums.zero_()
            self.base = self._flat()
            self.before = [number.clone() for number in self.numbers]

    def lane(self, rows: int) -> None:
        """Before the forward pass of so many rows."""
        if self.floats:
            self._set(self.base)
            for norm in self.norms:
                norm.train(rows >= FEWEST)

    def lane_done(self, place: int, rows: int) -> None:
        """After it."""
        if self.floats and rows >= FEWEST:
            self.sums[place, :-1] += rows * (self._flat() - self.base)
            self.sums[place, -1] += rows

    @torch.no_grad()
    def join(self) -> None:
        """After all lanes of an update: the same statistics on every rank."""
        if not self.floats:
            return
        if not self.counts:
            self.sums.zero_()
        total = self.world.merge(self.sums)().cumsum(dim=0)[-1]  # in a fixed order
        moved = bool(total[-1])
        self._set(self.base + total[:-1] / total[-1] if moved else self.base)
        for number, before in zip(self.numbers, self.before, strict=True):
            number.copy_(before + moved)

    def _flat(self) -> Tensor:
        return torch.cat([buffer.detach().flatten().double() for buffer in self.floats])

    @torch.no_grad()
    def _set(self, flat: Tensor) -> None:
        for buffer, part in zip(
            self.floats, flat.split([buffer.numel() for buffer in self.floats]), strict=True
        ):
            buffer.copy_(part.view_as(buffer))


def tracks(network: nn.Module) -> bool:
    """Whether a network has running statistics."""
    return bool(getattr(network, "running", ())) or any(
        isinstance(one, _NormBase) and one.track_running_stats for one in network.modules()
    )
