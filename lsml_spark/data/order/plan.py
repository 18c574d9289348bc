"""Which row goes into which step on which rank: a pure function of (row groups, seed, epoch, world size,
shuffle, rule of epochs).

Row groups are shuffled and laid end to end; the N rows of it that the epoch reads (`epochs.py`: all of them,
unless a rule says otherwise) are cut into `lanes` parts, and every lane gives batch / lanes rows to each
step. A rank owns whole lanes, so global batch t holds the same rows in the same order on any number of ranks
up to that of the lanes (after mosaicml/streaming's canonical nodes).

Shuffles: `buffer` as above, with the rows of each group permuted too: reads each group once, and is as good
as a uniform shuffle only where the rows of a shard are a fair sample of all, as hash order makes them.
`groups`: the rows of each group as they lie, but from a drawn one on and around, so that rows which belong
together stay so, and no two are parted in every epoch. `none`: groups and rows as they lie. `full`: one
uniform permutation of all rows, 8 bytes a row on every rank; each step then reads rows of almost every group,
so it suits columns that can be read in place and a page cache that holds them.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.seeds import generator
from lsml_spark.data.order.epochs import EveryRow, Rule, Stretch

EVERY_ROW = EveryRow()
Shuffle = Literal["none", "buffer", "groups", "full"]


@dataclass(frozen=True)
class Piece:
    """Rows [start, stop) of one row group, counted in its order of this epoch (see `Plan.order_within`)."""

    group: int
    start: int
    stop: int

    @property
    def rows(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Plan:
    """The order of one epoch. `rows_G`: rows of each row group, in the manifest's order."""

    rows_G: tuple[int, ...]
    seed: int
    epoch: int
    world: int
    batch: int
    lanes: int
    rule: Rule = EVERY_ROW
    shuffle: Shuffle = "buffer"

    @cached_property
    def stretch(self) -> Stretch:
        """What the epoch reads."""
        return self.rule.stretch(self.rows_G, self.epoch)

    @property
    def rows(self) -> int:
        """Rows that the epoch reads."""
        return self.stretch.last - self.stretch.first

    @property
    def rows_per_lane(self) -> int:
        """Rows that a lane gives to one step; fewer, perhaps none, only where the lane ends."""
        return self.batch // self.lanes

    @property
    def steps(self) -> int:
        """Steps of the epoch, the same on every rank."""
        longest = -(-self.rows // self.lanes)
        return -(-longest // self.rows_per_lane)

    @cached_property
    def order_R(self) -> np.ndarray:
        """The row groups of the stretch in this epoch's order; shape (R,), int64."""
        groups_R = np.asarray(self.stretch.groups_R, dtype=np.int64)
        if self.shuffle not in ("buffer", "groups"):
            return groups_R
        return groups_R[generator(self.seed, "row groups", self.stretch.order).permutation(len(groups_R))]

    @cached_property
    def ends_R(self) -> list[int]:
        """Where each group of `order_R` ends when they are laid end to end."""
        return np.cumsum(np.asarray(self.rows_G, dtype=np.int64)[self.order_R], dtype=np.int64).tolist()

    def order_within(self, group: int) -> np.ndarray:
        """The rows of a row group in this epoch's order; shape (rows of the group,), int64."""
        rows = self.rows_G[group]
        drawn = generator(self.seed, "rows", self.stretch.order, group)
        if self.shuffle == "buffer":
            return drawn.permutation(rows)
        first = int(drawn.integers(rows)) if self.shuffle == "groups" and rows else 0
        return np.roll(np.arange(rows), -first)

    @cached_property
    def order_N(self) -> np.ndarray:
        """Of a `full` shuffle: the rows of the epoch in order, as places in the groups laid end to end; shape
        (N,), int64.
        """
        whole = generator(self.seed, "all rows", self.stretch.order).permutation(
            self.ends_R[-1] if self.ends_R else 0
        )
        return whole[self.stretch.first : self.stretch.last]

    def lanes_of(self, rank: int) -> range:
        first, last = (rank_ * self.lanes // self.world for rank_ in (rank, rank + 1))
        return range(first, last)

    def cut(self, lane: int, step: int | None = None, steps: int = 1) -> tuple[int, int]:
        """[first, last) of the epoch's N rows that a lane gives to `steps` steps from `step` on; without one,
        the lane's whole part.
        """
        first, last = (self.rows * end // self.lanes for end in (lane, lane + 1))
        if step is None:
            return first, last
        return min(last, first + step * self.rows_per_lane), min(
            last, first + (step + steps) * self.rows_per_lane
        )

    def pieces(self, lane: int, step: int | None = None, steps: int = 1) -> list[Piece]:
        """What a lane gives to some steps (or to the epoch), as pieces of row groups. Not for a `full`
        shuffle, which has none.
        """
        assert self.shuffle != "full"
        at, last = (self.stretch.first + end for end in self.cut(lane, step, steps))
        place, parts = bisect_right(self.ends_R, at), []
        while at < last:
            group = int(self.order_R[place])
            stop = min(last, self.ends_R[place])
            begin = self.ends_R[place] - self.rows_G[group]
            if stop > at:
                parts.append(Piece(group, at - begin, stop - begin))
            at, place = stop, place + 1
        return parts

    def rows_at(self, lane: int, step: int, steps: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """(row group, row of the group as it lies) of what a lane gives to some steps, in order; both
        (rows,), int64.
        """
        if self.shuffle == "full":
            chosen = self.order_N[slice(*self.cut(lane, step, steps))]
            place = np.searchsorted(np.asarray(self.ends_R), chosen, side="right")
            group_B = self.order_R[place]
            return group_B, chosen - np.asarray(self.ends_R)[place] + np.asarray(self.rows_G)[group_B]
        pieces = self.pieces(lane, step, steps)
        group_B = np.repeat([piece.group for piece in pieces], [piece.rows for piece in pieces]).astype(
            np.int64
        )
        rows = [self.order_within(piece.group)[piece.start : piece.stop] for piece in pieces]
        return group_B, np.concatenate([np.empty(0, np.int64), *rows])

    def steps_of(self, lane: int) -> Iterator[list[Piece]]:
        """What the lane gives to each step, in order; exactly `steps` lists, the last ones possibly short or
        empty.
        """
        return (self.pieces(lane, step) for step in range(self.steps))

    def rows_until(self, step: int) -> int:
        """Rows of the steps before `step`, all ranks together."""
        return sum(last - first for first, last in (self.cut(lane, 0, step) for lane in range(self.lanes)))

    @property
    def full_steps(self) -> int:
        """Steps in which every lane gives all of its rows: what is left where the last, short ones are
        dropped.
        """
        return self.rows // self.lanes // self.rows_per_lane

    @property
    def digest(self) -> str:
        """Names the order of all epochs, whatever the world size: what a checkpoint must agree with."""
        values: list[Any] = [list(self.rows_G), self.seed, self.batch, self.lanes]
        if not isinstance(self.rule, EveryRow):
            values.append(self.rule.model_dump(mode="json"))
        if self.shuffle != "buffer":
            values.append(self.shuffle)
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def plan(
    rows_G: Sequence[int],
    *,
    seed: int,
    epoch: int,
    world: int,
    batch: int,
    lanes: int,
    rule: Rule = EVERY_ROW,
    shuffle: Shuffle = "buffer",
) -> Plan:
    """The plan of one epoch. ConfigError unless there is a lane for every rank and `lanes` divides `batch`
    (rows, all ranks).
    """
    if not 1 <= world <= lanes:
        raise ConfigError(
            f"train.workers: {world} ranks cannot share {lanes} lanes; each needs at least one: change "
            "train.lanes"
        )
    if batch < lanes or batch % lanes:
        raise ConfigError(
            f"train.batch: {batch} rows cannot be split over {lanes} lanes; take a multiple of it, or change "
            "train.lanes"
        )
    return Plan(tuple(int(rows) for rows in rows_G), seed, epoch, world, batch, lanes, rule, shuffle)
