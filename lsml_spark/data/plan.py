"""Which row goes into which step on which rank: a pure function of (row groups, seed, epoch, world size, rule of epochs).

Row groups are shuffled and laid end to end; the N rows of it that the epoch reads (`epochs.py`: all of them, unless a rule
says otherwise) are cut into `lanes` parts, and every lane gives batch / lanes rows to each step. A rank owns whole lanes,
so global batch t holds the same rows in the same order on any number of ranks that divides the lanes (after
mosaicml/streaming's canonical nodes).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.seeds import generator
from lsml_spark.data.epochs import EveryRow, Rule, Stretch

EVERY_ROW = EveryRow()


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
        return groups_R[generator(self.seed, "row groups", self.stretch.order).permutation(len(groups_R))]

    def order_within(self, group: int) -> np.ndarray:
        """The rows of a row group in this epoch's order; shape (rows of the group,), int64."""
        return generator(self.seed, "rows", self.stretch.order, group).permutation(self.rows_G[group])

    def lanes_of(self, rank: int) -> range:
        share = self.lanes // self.world
        return range(rank * share, (rank + 1) * share)

    def lane(self, lane: int) -> list[Piece]:
        """The lane's part [N·l//L, N·(l+1)//L) of the epoch's rows, as pieces of row groups."""
        first, last = (self.stretch.first + self.rows * end // self.lanes for end in (lane, lane + 1))
        ends = np.cumsum(np.asarray(self.rows_G, dtype=np.int64)[self.order_R])
        pieces = []
        for place in range(int(np.searchsorted(ends, first, side="right")), len(ends)):
            group = int(self.order_R[place])
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
        values: list[Any] = [list(self.rows_G), self.seed, self.batch, self.lanes]
        if not isinstance(self.rule, EveryRow):
            values.append(self.rule.model_dump(mode="json"))
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def plan(rows_G: Sequence[int], *, seed: int, epoch: int, world: int, batch: int, lanes: int, rule: Rule = EVERY_ROW) -> Plan:
    """The plan of one epoch. ConfigError unless `world` divides `lanes` and `lanes` divides `batch` (rows, all ranks)."""
    if world < 1 or lanes % world:
        raise ConfigError(f"train.workers: {world} ranks cannot share {lanes} lanes evenly; take a divisor of it, or change train.lanes")
    if batch < lanes or batch % lanes:
        raise ConfigError(f"train.batch: {batch} rows cannot be split over {lanes} lanes; take a multiple of it, or change train.lanes")
    return Plan(tuple(int(rows) for rows in rows_G), seed, epoch, world, batch, lanes, rule)
