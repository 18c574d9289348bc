"""The steps of one rank in order, made ahead of their use by threads, with at most so many bytes held.

Row groups are loaded in the order of their first use, each step's rows gathered once into fresh arrays; numpy, zlib and Arrow release
the interpreter's lock for both. Only the scheduling, a few list operations a step, is done by the thread that asks for the next step.

Memory: Σ decoded bytes of the held row groups (columns seen in place count nothing, the kernel takes mapped pages back) + 8 bytes
a row of them for their order + (steps ahead + 2) · bytes of a step ≤ `memory`. Until it is loaded, a group is counted by the longest
rows seen so far, so a table whose rows grow can exceed this by that growth. The least recently used groups make room; where
a step alone needs more, ConfigError.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import numpy as np

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.batch import Column, Ragged
from lsml_spark.data.columns import Held, Part, Places, gather
from lsml_spark.data.plan import Plan
from lsml_spark.data.shards import Shards

T = TypeVar("T")
MEMORY = 1 << 30
THREADS = 2
OnBad = Literal["fail", "skip"]


@dataclass(frozen=True)
class Rows:
    """One step of one rank: the rows of its lanes end to end; lane i ends at ends_L[i]."""

    columns: Mapping[str, Column]
    ends_L: tuple[int, ...]

    def __len__(self) -> int:
        return self.ends_L[-1]


@dataclass(frozen=True)
class Loaded:
    """A row group in memory: `order_N` turns places of the plan into rows of the columns."""

    columns: Mapping[str, Held]
    order_N: np.ndarray
    nbytes: int


@dataclass(frozen=True)
class Taken:
    """Places [start, stop), or `rows_P`, of one row group's order, and where in the step they go."""

    group: int
    rows_P: slice | np.ndarray
    places: Places


@dataclass
class Lost:
    """Row groups that could not be read and were left out: what was said of each."""

    groups: dict[int, str] = field(default_factory=dict)
    rows: int = 0  # left out of steps so far


class Entry:
    """A row group that is held or being loaded; not let go of while a step is made of it."""

    def __init__(self, future: "Future[Loaded | None]", rows: int):
        self.future, self.rows, self.users = future, rows, 0


class Stream(Generic[T]):
    """Steps `start`, `start + every`, … of a rank, each as `make(rows)` gives it. Iterate it once."""

    def __init__(
        self,
        shards: Shards,
        plan: Plan,
        rank: int,
        names: Sequence[str],
        make: Callable[[Rows], T],
        *,
        start: int = 0,
        every: int = 1,
        stop: int | None = None,
        threads: int = THREADS,
        memory: int = MEMORY,
        on_bad: OnBad = "fail",
        lost: Lost | None = None,
    ):
        self.shards, self.plan, self.names, self.make = shards, plan, list(names), make
        self.lanes = plan.lanes_of(rank)
        self.numbers = range(start, plan.steps if stop is None else stop, every)
        self.threads, self.memory, self.on_bad = max(1, threads), memory, on_bad
        self.lost = lost if lost is not None else Lost()
        self.held: OrderedDict[int, Entry] = OrderedDict()
        self.bytes_a_row = self.bytes_a_step = 0.0
        self.template: Mapping[str, Held] | None = None
        self.lock = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        """IntegrityError for a row group that cannot be read (unless `on_bad` is skip), ConfigError for too little memory."""
        ahead = 2 * self.threads
        waiting: deque[tuple[Future[T], list[Entry]]] = deque()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="read-ahead")
        try:
            for number in self.numbers:
                taken, ends_L = self._taken(number)
                groups = list(dict.fromkeys(part.group for part in taken))
                # The first step goes alone: it tells how much memory a row and a step take.
                while waiting and (len(waiting) >= ahead or not self.bytes_a_step or not self._fits(groups, len(waiting))):
                    yield self._given(*waiting.popleft())
                entries = {group: self._entry(group, pool) for group in groups}
                waiting.append((pool.submit(self._made, taken, ends_L, entries), list(entries.values())))
            while waiting:
                yield self._given(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self.held.clear()

    def _given(self, future: "Future[T]", entries: list[Entry]) -> T:
        value = future.result()
        for entry in entries:
            entry.users -= 1
        return value

    def _taken(self, number: int) -> tuple[list[Taken], tuple[int, ...]]:
        """The parts of a step, and where its lanes end."""
        if self.plan.shuffle == "full":
            both = [self.plan.rows_at(lane, number) for lane in self.lanes]
            group_B, row_B = (np.concatenate(parts) for parts in zip(*both, strict=True))
            by_group_B = np.argsort(group_B, kind="stable")
            edges = np.flatnonzero(np.diff(group_B[by_group_B], prepend=-1, append=-1))
            bounds = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True) if len(group_B) else ()
            taken = [Taken(int(group_B[by_group_B[a]]), row_B[by_group_B[a:b]], by_group_B[a:b]) for a, b in bounds]
            return taken, tuple(np.cumsum([len(groups) for groups, _ in both]).tolist())
        taken, ends, at = [], [], 0
        for lane in self.lanes:
            for piece in self.plan.pieces(lane, number):
                taken.append(Taken(piece.group, slice(piece.start, piece.stop), slice(at, at + piece.rows)))
                at += piece.rows
            ends.append(at)
        return taken, tuple(ends)

    def _entry(self, group: int, pool: ThreadPoolExecutor) -> Entry:
        if group not in self.held:
            self.held[group] = Entry(pool.submit(self._loaded, group), self.plan.rows_G[group])
        self.held.move_to_end(group)
        self.held[group].users += 1
        return self.held[group]

    def _fits(self, groups: list[int], in_flight: int) -> bool:
        """Whether the groups may be held too, after the least recently used ones have made room."""
        new = sum(self.plan.rows_G[group] for group in groups if group not in self.held) * self.bytes_a_row
        room = self.memory - (in_flight + 2) * self.bytes_a_step - new
        used = sum(self._bytes(entry) for entry in self.held.values())
        for group, entry in list(self.held.items()):
            if used <= room:
                break
            if not entry.users and group not in groups:
                used -= self._bytes(entry)
                del self.held[group]
        return used <= room

    def _bytes(self, entry: Entry) -> float:
        loaded = entry.future.result() if entry.future.done() and not entry.future.exception() else None
        return loaded.nbytes if loaded else entry.rows * self.bytes_a_row

    def _loaded(self, group: int) -> Loaded | None:
        """None for a group that cannot be read and may be left out."""
        try:
            columns, kept_N = self.shards.rows_of(self.shards.groups[group], self.names)
        except IntegrityError as error:
            if self.on_bad == "fail":
                raise
            self.lost.groups.setdefault(group, str(error))
            return None
        order_N = self.plan.order_within(group)
        order_N = order_N if kept_N is None else kept_N[order_N]
        nbytes = order_N.nbytes + sum(column.nbytes for column in columns.values())
        self.bytes_a_row = max(self.bytes_a_row, nbytes / max(len(order_N), 1))
        self._agree(group, columns)
        return Loaded(columns, order_N, nbytes)

    def _agree(self, group: int, columns: Mapping[str, Held]) -> None:
        self.template = self.template or columns
        for name, column in columns.items():
            if column.kind != self.template[name].kind:
                kinds = f"{column.kind[1:]}, in other files {self.template[name].kind[1:]}"
                raise IntegrityError(f"{self.shards.groups[group]}, column '{name}': it holds {kinds}; write the files with one schema")

    def _made(self, taken: list[Taken], ends_L: tuple[int, ...], entries: Mapping[int, Entry]) -> T:
        loaded = {group: entry.future.result() for group, entry in entries.items()}
        if any(value is None for value in loaded.values()):
            taken, ends_L = self._without({group for group, value in loaded.items() if value is None}, taken, ends_L)
        rows = ends_L[-1] if ends_L else 0
        parts: dict[str, list[Part]] = {name: [] for name in self.names}
        for part in taken:
            group = loaded[part.group]
            assert group is not None
            rows_P = group.order_N[part.rows_P]
            for name in self.names:
                parts[name].append(Part(group.columns[name], rows_P, part.places))
        if not taken:
            nothing = self._template()
            parts = {name: [Part(nothing[name], np.empty(0, np.int64), slice(0, 0))] for name in self.names}
        columns = {name: gather(of_column, rows) for name, of_column in parts.items()}
        size = sum(_nbytes(column) for column in columns.values())
        self.bytes_a_step = max(self.bytes_a_step, size)
        needed = sum(value.nbytes for value in loaded.values() if value) + 2 * size
        if needed > self.memory:
            raise ConfigError(
                f"a step needs {needed:,} bytes: {len(loaded)} row groups of up to {max(self.plan.rows_G):,} rows, and its own rows twice; "
                f"memory is {self.memory:,}. Raise memory, or lower shard.rows_per_group or lanes ({self.plan.lanes})"
            )
        return self.make(Rows(columns, ends_L))

    def _without(self, lost: set[int], taken: list[Taken], ends_L: tuple[int, ...]) -> tuple[list[Taken], tuple[int, ...]]:
        """The step without the rows of some groups; what is left moves up."""
        stays_B = np.ones(ends_L[-1], dtype=bool)
        for part in taken:
            if part.group in lost:
                stays_B[part.places] = False
        before_B = np.concatenate([[0], np.cumsum(stays_B)])
        with self.lock:
            self.lost.rows += int((~stays_B).sum())
        moved = []
        for part in taken:
            if part.group not in lost:
                places = part.places
                moved_to = slice(int(before_B[places.start]), int(before_B[places.stop])) if isinstance(places, slice) else before_B[places]
                moved.append(Taken(part.group, part.rows_P, moved_to))
        return moved, tuple(int(before_B[end]) for end in ends_L)

    def _template(self) -> Mapping[str, Held]:
        """Columns of any row group, for the types of a step without rows."""
        for group in self.plan.order_R.tolist():
            if self.template is None:
                self._loaded(group)
        if self.template is None:
            raise IntegrityError(f"{self.shards.groups[0].path if self.shards.groups else 'the table'}: not one row group can be read")
        return self.template


def _nbytes(column: Column) -> int:
    return column.values_T.nbytes + column.offsets_N1.nbytes if isinstance(column, Ragged) else column.nbytes
