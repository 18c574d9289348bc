"""What joins the gradients of the ranks into one update: the contract; `choose.py` builds the one that is
asked for.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lsml_spark.models.network import Features, Network
from lsml_spark.train.exchange.world import World

Mark = Callable[[str], None]  # hears which phase of a step begins (see `watch.py`)
# Waits for the books of the rows that an update is normalised by, and those of all ranks since they last told
# each other, or None.
Merged = Callable[[], tuple[Tensor, Tensor | None]]


def unmarked(phase: str) -> None:
    """Nobody asks where the time goes."""


def waited(wait: Callable[[], Tensor], mark: Mark) -> Tensor:
    """What `wait` gives; the time until then is that of the other ranks."""
    mark("all-reduce")
    given = wait()
    mark("compute")
    return given


class Exchange(Protocol):
    """A network whose `.grad` holds, after the last lane of an update, the sum over the lanes of all ranks
    that share it.
    """

    network: Network
    parameters: list[nn.Parameter]
    world: World
    lanes_rank: int  # whose share of the lanes this rank reads,
    lanes_world: int  # of so many; not the rank itself where several compute the same lanes together

    @property
    def groups(self) -> list[Any]:
        """The parameters as an optimiser takes them."""

    def begin(self, rows: int, last: bool) -> None:
        """Before an update of so many rows, all ranks together; `last`: of its epoch or of the run, after
        which all ranks agree.
        """

    def __call__(self, features: Features) -> Tensor:
        """Logits (B, V)."""

    def lane(self, last: bool) -> AbstractContextManager[None]:
        """Around the forward and backward passes of a lane; only the last one of an update talks to other
        ranks.
        """

    def lane_done(self, last: bool) -> None:
        """After the backward passes of a lane."""

    def merge(self, books: Tensor) -> Merged:
        """Before the last backward pass of an update, so that the books may go round while it computes.

        `books`: float64 (places + 1, 3), of each place its rows, weight and weighted loss, then the signals.
        Every place of `books` is non-zero on one rank at most.
        """

    def clip(self, longest: float | None) -> Tensor:
        """Shorten the gradient to this Euclidean norm; its norm before, as a scalar."""

    def stepped(self, optimizer: torch.optim.Optimizer) -> None:
        """After the optimiser's step, or in its place."""

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must hold of it, beside weights and optimiser."""

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """The opposite of `state`."""
