"""Which row goes into which step on which rank: a pure function of (row groups, seed, epoch, world size).

Row groups are shuffled and laid end to end; the sequence of N rows is cut into `lanes` stretches, and every lane gives
batch / lanes rows to each step. A rank owns whole lanes, so global batch t holds the same rows in the same order on any
number of ranks that divides the lanes (after mosaicml/streaming's canonical nodes).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.seeds import generator


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

    @property
    def rows(self) -> int:
        return sum(self.rows_G)

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
    def order_G(self) -> np.ndarray:
        """Row groups in this epoch's order; shape (G,), int64."""
        return generator(self.seed, "row groups", self.epoch).permutation(len(self.rows_G))

    def order_within(self, group: int) -> np.ndarray:
        """The rows of a row group in this epoch's order; shape (rows of the group,), int64."""
        return generator(self.seed, "rows", self.epoch, group).permutation(self.rows_G[group])

    def lanes_of(self, rank: int) -> range:
        share = self.lanes // self.world
        return range(rank * share, (rank + 1) * share)

    def lane(self, lane: int) -> list[Piece]:
        """The stretch [N·l//L, N·(l+1)//L) of the epoch's rows, as pieces of row groups."""
        first, last = self.rows * lane // self.lanes, self.rows * (lane + 1) // self.lanes
        ends = np.cumsum(np.asarray(self.rows_G, dtype=np.int64)[self.order_G])
        pieces = []
        for place in range(int(np.searchsorted(ends, first, side="right")), len(ends)):
            group = int(self.order_G[place])
            begin = int(ends[place]) - self.rows_G[group]
            if begin >= last:
                break
            start, stop = max(first - begin, 0), min(last - begin, self.rows_G[group])
            if stop > start:
                pieces.append(Piece(group, start, stop))
        return pieces

    def steps_of(self, lane: int) -> Iterator[list[Piece]]:
        """What the lane gives to each step, in order; exactly `steps` lists, the last ones possibly short or empty."""
        waiting = self.lane(lane)
        for _ in range(self.steps):
            wanted, taken = self.rows_per_lane, []
            while wanted and waiting:
                piece = waiting.pop(0)
                now = Piece(piece.group, piece.start, min(piece.stop, piece.start + wanted))
                if now.stop < piece.stop:
                    waiting.insert(0, Piece(piece.group, now.stop, piece.stop))
                taken.append(now)
                wanted -= now.rows
            yield taken

    @property
    def digest(self) -> str:
        """Names the order of all epochs, whatever the world size: what a checkpoint must agree with."""
        values = [list(self.rows_G), self.seed, self.batch, self.lanes]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def plan(rows_G: Sequence[int], *, seed: int, epoch: int, world: int, batch: int, lanes: int) -> Plan:
    """The plan of one epoch. ConfigError unless `world` divides `lanes` and `lanes` divides `batch` (rows, all ranks)."""
    if world < 1 or lanes % world:
        raise ConfigError(f"train.workers: {world} ranks cannot share {lanes} lanes evenly; take a divisor of it, or change train.lanes")
    if batch < lanes or batch % lanes:
        raise ConfigError(f"train.batch: {batch} rows cannot be split over {lanes} lanes; take a multiple of it, or change train.lanes")
    return Plan(tuple(int(rows) for rows in rows_G), seed, epoch, world, batch, lanes)
