"""The steps of one rank in order, made ahead of their use by threads, with at most so many bytes held.

Row groups are loaded in the order of their first use. Some consecutive steps, a block, are made together:
their rows are gathered into fresh arrays of which a step is a slice, so that what Python costs is paid once
for all of them. numpy, zlib and Arrow release the interpreter's lock; the thread that asks for steps only
schedules.

Memory: Σ decoded bytes of the held row groups (columns seen in place count nothing, the kernel takes mapped
pages back) + 8 bytes a row of them for their order + threads · the largest group, while it is decoded +
(steps that wait + 1 with the user + 3 · threads · steps of a block, while it is made) · bytes of a step +
(steps that wait + 1 + steps of a block) · what `make` adds to a step (decoded images, padding, filling) ≤
`memory`. Until it is loaded, a group is counted by the longest rows seen so far, so a table whose rows grow
can exceed this by that growth. The least recently used groups make room; where a step, or a row group, alone
needs more, ConfigError: before it is decoded, since a few bytes can stand for many.
"""

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Literal, TypeVar

import numpy as np

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.batch import Column, Ragged, span
from lsml_spark.data.blocks import Block, Entry, Loaded, Lost, Taken
from lsml_spark.data.order.plan import Plan
from lsml_spark.data.parquet.columns import Held, Part, StepOrder, gather
from lsml_spark.data.parquet.schema import Sources
from lsml_spark.data.parquet.shards import Shards

T = TypeVar("T")
MEMORY = 1 << 30
THREADS = 2
TOGETHER = 32  # steps of a block at most
BLOCK = 8 << 20  # bytes of a block, unless a step has more
OBJECT = 49  # bytes of a str or bytes object of Python beside its own
OnBad = Literal["fail", "skip"]
Rows = Sequence[Mapping[str, Column]]  # one step of one rank, lane by lane or all lanes in one


class Stream(Generic[T]):
    """Steps `start`, `start + every`, … of a rank, each as `make(rows, rows that each lane gave)` gives it.
    Iterate it once.
    """

    def __init__(
        self,
        shards: Shards,
        plan: Plan,
        rank: int,
        sources: Sources,
        make: Callable[[Rows, Sequence[int]], T],
        *,
        start: int = 0,
        every: int = 1,
        by_lane: bool = False,
        stop: int | None = None,
        together: int = TOGETHER,
        threads: int = THREADS,
        memory: int = MEMORY,
        on_bad: OnBad = "fail",
        lost: Lost | None = None,
        weigh: Callable[[Mapping[str, Column], int], int] = lambda columns, steps: 0,
    ):
        self.shards, self.plan, self.sources, self.make = shards, plan, sources, make
        self.lanes, self.by_lane = plan.lanes_of(rank), by_lane
        self.numbers = range(start, plan.steps if stop is None else stop, every)
        self.together = together if every == 1 else 1
        self.threads, self.memory, self.on_bad = max(1, threads), memory, on_bad
        self.lost = lost if lost is not None else Lost()
        self.held: OrderedDict[int, Entry] = OrderedDict()
        self.bytes_a_row = self.bytes_a_step = self.added_a_step = 0.0
        self.expected = 0  # bytes of the row groups of the first step
        self.weigh = weigh  # what `make` will add to the columns of some steps, in bytes
        self.largest = max(plan.rows_G, default=0)
        self.template: Mapping[str, Held] | None = None
        self.lock = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        """IntegrityError for a row group that cannot be read (unless `on_bad` is skip), ConfigError for too
        little memory.
        """
        waiting: deque[tuple[Future[list[T]], list[Entry], int]] = deque()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="read-ahead")
        at = 0
        try:
            while at < len(self.numbers) or waiting:
                block = (
                    self._next(at, sum(steps for *_, steps in waiting), len(waiting))
                    if at < len(self.numbers)
                    else None
                )
                if block is None:
                    future, entries, _ = waiting.popleft()
                    made = future.result()
                    for entry in entries:
                        entry.users -= 1
                    yield from made
                    continue
                entries_of = {
                    group: self._entry(group, pool)
                    for group in dict.fromkeys(taken.group for taken in block.taken)
                }
                waiting.append(
                    (pool.submit(self._made, block, entries_of), list(entries_of.values()), block.steps)
                )
                at += block.steps
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self.held.clear()

    def _next(self, at: int, steps_ahead: int, blocks_ahead: int) -> Block | None:
        """The block of steps from number `at` on, where it may be made now; always, where nothing else is
        being made.
        """
        if blocks_ahead and (blocks_ahead > self.threads or not self.bytes_a_step):
            return None  # the first step goes alone: it tells how much memory a row and a step take
        room = min(BLOCK, self.memory // (8 * self.threads))
        most = int(room / (self.bytes_a_step + self.added_a_step)) if self.bytes_a_step else 1
        for steps in dict.fromkeys([max(1, min(self.together, most, len(self.numbers) - at)), 1]):
            block = self._block(self.numbers[at], steps)
            for_steps = (steps_ahead + 1 + 3 * self.threads * steps) * self.bytes_a_step + (
                steps_ahead + 1 + steps
            ) * self.added_a_step
            if self._fits({taken.group for taken in block.taken}, for_steps):
                return block
        return None if blocks_ahead else block

    def _block(self, step: int, steps: int) -> Block:
        cuts = [self.plan.cut(lane, step, steps) for lane in self.lanes]
        starts = [0, *itertools.accumulate(last - first for first, last in cuts)]
        each = self.plan.rows_per_lane
        edges = [
            [start + min(last - first, number * each) for number in range(steps + 1)]
            for start, (first, last) in zip(starts, cuts, strict=False)
        ]
        if self.plan.shuffle == "full":
            group_B, row_B = (
                np.concatenate(both)
                for both in zip(*(self.plan.rows_at(lane, step, steps) for lane in self.lanes), strict=True)
            )
            by_group_B = np.argsort(group_B, kind="stable")
            bounds = (
                np.flatnonzero(np.diff(group_B[by_group_B], prepend=-1, append=-1)).tolist()
                if len(group_B)
                else []
            )
            parts = [by_group_B[a:b] for a, b in itertools.pairwise(bounds)]
            return Block(
                [Taken(int(group_B[places_P[0]]), row_B[places_P], places_P) for places_P in parts], edges
            )
        taken = []
        for lane, at in zip(self.lanes, starts, strict=False):
            for piece in self.plan.pieces(lane, step, steps):
                taken.append(Taken(piece.group, slice(piece.start, piece.stop), slice(at, at + piece.rows)))
                at += piece.rows
        return Block(taken, edges)

    def _entry(self, group: int, pool: ThreadPoolExecutor) -> Entry:
        if group not in self.held:
            entry = self.held[group] = Entry(self.plan.rows_G[group])
            entry.future = pool.submit(self._loaded, group, entry)
        self.held.move_to_end(group)
        self.held[group].users += 1
        return self.held[group]

    def _fits(self, groups: set[int], for_steps: float) -> bool:
        """Whether the groups may be held too, after the least recently used ones have made room."""
        new = sum(self.plan.rows_G[group] for group in groups if group not in self.held) * self.bytes_a_row
        decoding = self.threads * self.largest * self.bytes_a_row
        room = self.memory - for_steps - decoding - new
        used = sum(self._bytes(entry) for entry in self.held.values())
        for group, entry in list(self.held.items()):
            if used <= room:
                break
            if not entry.users and group not in groups:
                used -= self._bytes(entry)
                del self.held[group]
        return used <= room

    def _bytes(self, entry: Entry) -> float:
        return entry.rows * self.bytes_a_row if entry.nbytes is None else entry.nbytes

    def _loaded(self, group: int, entry: Entry) -> Loaded | None:
        """None for a group that cannot be read and may be left out."""
        try:
            with self.lost.reads(group):
                self._expect(group)
                columns, kept_N = self.shards.read(self.shards.groups[group], self.sources)
        except IntegrityError as error:
            if self.on_bad == "fail":
                raise
            self.lost.groups.setdefault(group, str(error))
            entry.nbytes = 0
            return None
        order_N = self.plan.order_within(group)
        order_N = order_N if kept_N is None else kept_N[order_N]
        entry.nbytes = order_N.nbytes + sum(column.nbytes for column in columns.values())
        self.bytes_a_row = max(self.bytes_a_row, entry.nbytes / max(len(order_N), 1))
        self._agree(group, columns)
        return Loaded(columns, order_N, entry.nbytes)

    def _expect(self, group: int) -> None:
        """Before it is decoded: ConfigError where the group's own footer says that it will not fit."""
        rows, expected = (
            self.plan.rows_G[group],
            self.shards.decoded_bytes(self.shards.groups[group], self.sources.read, self.memory),
        )
        with self.lock:
            self.bytes_a_row = max(self.bytes_a_row, expected / max(rows, 1))
            if not self.bytes_a_step:
                self.expected += expected
        if max(expected, self.expected if not self.bytes_a_step else 0) > self.memory:
            where = str(self.shards.groups[group]) if expected > self.memory else "the first step"
            raise ConfigError(
                f"{where}: its columns {list(self.sources.read)[:5]} are {max(expected, self.expected):,} "
                "bytes when decoded; memory is "
                f"{self.memory:,}. Raise memory, name fewer columns, or lower shard.rows_per_group or lanes "
                f"({self.plan.lanes})"
            )

    def _agree(self, group: int, columns: Mapping[str, Held]) -> None:
        self.template = self.template or columns
        for name, column in columns.items():
            if column.kind != self.template[name].kind:
                kinds = f"{column.kind[1:]}, in other files {self.template[name].kind[1:]}"
                raise IntegrityError(
                    f"{self.shards.groups[group]}, column '{name}': it holds {kinds}; write the files with "
                    "one schema"
                )

    def _made(self, block: Block, entries: Mapping[int, Entry]) -> list[T]:
        loaded = {group: entry.future.result() for group, entry in entries.items()}
        lost = {group for group, value in loaded.items() if value is None}
        block = self._without(lost, block) if lost else block
        by_lane = self.by_lane or len(self.lanes) == 1
        order = None if by_lane else StepOrder(block.edges)
        columns, edges = self._gathered(block, loaded, order), [order.edges] if order else block.edges
        size = sum(_nbytes(column) for column in columns.values())
        added = self.weigh(columns, block.steps)
        self.added_a_step = max(self.added_a_step, added / block.steps)
        self.bytes_a_step = max(self.bytes_a_step, size / block.steps, 1.0)
        needed = sum(value.nbytes for value in loaded.values() if value) + 4 * size + added
        if needed > self.memory:
            more = f", {added:,} for decoded images, padding and filling" if added else ""
            raise ConfigError(
                f"a step needs {needed:,} bytes: {len(loaded)} row groups of up to {self.largest:,} rows, "
                "and its own rows four times "
                f"while it is made{more}; memory is {self.memory:,}. Raise memory, or lower batch, "
                "shard.rows_per_group or lanes "
                f"({self.plan.lanes})"
            )
        made = []
        for number in range(block.steps):
            cuts = [(edges_K1[number], edges_K1[number + 1]) for edges_K1 in edges]
            rows = [{name: span(column, a, b) for name, column in columns.items()} for a, b in cuts]
            made.append(
                self.make(rows, [edges_K1[number + 1] - edges_K1[number] for edges_K1 in block.edges])
            )
        return made

    def _gathered(
        self, block: Block, loaded: Mapping[int, Loaded | None], order: StepOrder | None
    ) -> dict[str, Column]:
        taken = [(group, taken) for taken in block.taken if (group := loaded[taken.group]) is not None]
        if not taken:
            nothing = self._template()
            return {
                name: gather([Part(nothing[name], np.empty(0, np.int64), slice(0, 0))], 0)
                for name in self.sources.read
            }
        rows_of = [group.order_N[part.order_P] for group, part in taken]
        columns = {}
        for name in self.sources.read:
            parts = [
                Part(group.columns[name], rows_P, part.places)
                for (group, part), rows_P in zip(taken, rows_of, strict=True)
            ]
            columns[name] = gather(parts, block.edges[-1][-1], order)
        return columns

    def _without(self, lost: set[int], block: Block) -> Block:
        """The block without the rows of some groups; what is left moves up."""
        stays_B = np.ones(block.edges[-1][-1], dtype=bool)
        for taken in block.taken:
            if taken.group in lost:
                stays_B[taken.places] = False
        before_B = np.concatenate([[0], np.cumsum(stays_B)])
        with self.lock:
            self.lost.rows += int((~stays_B).sum())
        moved = []
        for taken in block.taken:
            if taken.group not in lost:
                to = taken.places
                moved_to = (
                    slice(int(before_B[to.start]), int(before_B[to.stop]))
                    if isinstance(to, slice)
                    else before_B[to]
                )
                moved.append(Taken(taken.group, taken.order_P, moved_to))
        return Block(moved, [[int(before_B[edge]) for edge in edges_K1] for edges_K1 in block.edges])

    def _template(self) -> Mapping[str, Held]:
        """Columns of any row group, for the types of a lane without rows."""
        for group in self.plan.order_R.tolist():
            if self.template is None:
                self._loaded(group, Entry(0))
        if self.template is None:
            raise IntegrityError(
                f"{self.shards.groups[0].path if self.shards.groups else 'the table'}: not one row group can "
                "be read"
            )
        return self.template


def _nbytes(column: Column) -> int:
    if isinstance(column, np.ndarray) and column.dtype == object:
        return column.nbytes + OBJECT * len(column) + sum(map(len, column))  # texts and bytes
    return column.values_T.nbytes + column.offsets_N1.nbytes if isinstance(column, Ragged) else column.nbytes
