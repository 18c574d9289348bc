"""What joins the gradients of the ranks into one update, as `train.sync`, `train.hook` and `train.parallel` ask."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from torch import Tensor, nn

from lsml_spark.models.network import Features, Network
from lsml_spark.train.config import Config
from lsml_spark.train.world import World

Mark = Callable[[str], None]  # hears which phase of a step begins (see `watch.py`)


def unmarked(phase: str) -> None:
    """Nobody asks where the time goes."""


class Exchange(Protocol):
    """A network whose `.grad` holds, after the last lane of an update, the sum over the lanes of all ranks that share it."""

    network: Network
    parameters: list[nn.Parameter]
    world: World

    def begin(self, rows: int) -> None:
        """Before an update of so many rows, all ranks together."""

    def __call__(self, features: Features) -> Tensor:
        """Logits (B, V)."""

    def lane(self, last: bool) -> AbstractContextManager[None]:
        """Around the forward and backward passes of a lane; only the last one of an update talks to other ranks."""

    def lane_done(self, last: bool) -> None:
        """After the backward passes of a lane."""

    def merge(self, books: Tensor) -> Tensor:
        """Sum over the ranks that share the update; every place is non-zero on one rank at most."""

    def stepped(self, update: int) -> None:
        """After the optimiser's step of this update, counted from 0."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must hold of it, beside weights and optimiser."""

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The opposite of `state`."""


def build(config: Config, network: Network, world: World, seed: int, mark: Mark = unmarked) -> Exchange:
    """The exchange that the config asks for. `seed`: of what it draws."""
    from lsml_spark.train import hooks, sparse
    from lsml_spark.train.lanes import LaneParallel

    sparse.choose(network, config.sparse, config.optimizer, config.l2, config.batch * config.accumulate)
    hook, compress = config.hook, None
    if world.size > 1:
        compress = hooks.build(hook.use, network, seed, columns=hook.columns, start=hook.start)
    return LaneParallel(network, world, compress, mark)
