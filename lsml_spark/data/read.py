"""Read a rank's batches from Parquet shards: only the row groups of its lanes, only the columns that the model names.

A row group is decoded once into flat arrays, put into this epoch's order by one gather per column, and sliced; nothing
is done per row. At most two row groups per lane are held, and a thread reads ahead while the step computes.
"""

import json
import queue
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import File
from lsml_spark.data.batch import Batch, Column, Ragged, concat, span, take
from lsml_spark.data.plan import Piece, Plan

T = TypeVar("T")
LABEL, WEIGHT, SAMPLE_ID, OFFSET = "label", "weight", "sample_id", "offset"


@dataclass(frozen=True)
class Group:
    """One row group of one shard."""

    path: Path
    index: int
    rows: int


@dataclass(frozen=True)
class Shards:
    """A sharded table: its row groups in the manifest's order, and the columns to read."""

    groups: tuple[Group, ...]
    features: tuple[str, ...]
    label: str = LABEL
    optional: tuple[str, ...] = ()  # columns beside features, label and weight that these shards have: OFFSET or none

    @classmethod
    def of(cls, folder: Path, files: Iterable[File], features: Sequence[str], label: str = LABEL, optional: Sequence[str] = ()) -> "Shards":
        """From a manifest's files; no shard is opened for it."""
        groups = [Group(folder / file.path, index, rows) for file in files for index, rows in enumerate(file.row_groups)]
        return cls(tuple(groups), tuple(features), label, tuple(optional))

    @property
    def rows_G(self) -> tuple[int, ...]:
        return tuple(group.rows for group in self.groups)

    def columns(self, group: Group, names: Sequence[str]) -> dict[str, Column]:
        """The named columns of one row group. IntegrityError names the file and the row group."""
        where = f"{group.path}, row group {group.index}"
        try:
            with pq.ParquetFile(group.path, memory_map=True, page_checksum_verification=True) as file:
                table = file.read_row_group(group.index, columns=list(names), use_threads=False)
                schema = file.schema_arrow
            if table.num_rows != group.rows:
                raise ValueError(f"it has {table.num_rows} rows, its manifest says {group.rows}")
            return {name: _decode(table.column(name), schema.field(name)) for name in names}
        except FileNotFoundError:
            raise IntegrityError(f"{where}: there is no such file; run the shard stage again") from None
        except (OSError, KeyError, IndexError, ValueError, pa.ArrowException) as error:
            raise IntegrityError(f"{where}: cannot be read ({' '.join(str(error).split())}); run the shard stage again") from error

    def sample_ids(self, plan: Plan, pieces: Sequence[Piece]) -> np.ndarray:
        """Ids of the rows of a step: read only when an error must name them. Shape (rows,), objects."""
        found = []
        for piece in pieces:
            ids = self.columns(self.groups[piece.group], [SAMPLE_ID])[SAMPLE_ID]
            found.append(np.asarray(ids)[plan.order_within(piece.group)[piece.start : piece.stop]])
        return np.concatenate(found) if found else np.empty(0, dtype=object)


def _decode(column: pa.ChunkedArray, field: pa.Field) -> Column:
    """A Parquet column as flat arrays: numbers as they are, ragged binary as values and offsets, without a copy."""
    if column.null_count:
        raise ValueError(f"column '{field.name}' has {column.null_count} nulls")
    kind = json.loads((field.metadata or {}).get(b"lsml", b'{"kind": "scalar"}'))
    if kind["kind"] == "ragged":
        dtype = np.dtype(kind["dtype"])
        return concat([_ragged(chunk, dtype) for chunk in column.chunks] or [Ragged(np.empty(0, dtype), np.zeros(1, np.int64))])
    return column.to_numpy()


def _ragged(chunk: pa.BinaryArray, dtype: np.dtype) -> Ragged:
    _, ends, data = chunk.buffers()
    offsets = np.frombuffer(ends, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1].astype(np.int64)
    if (offsets % dtype.itemsize).any():
        raise ValueError(f"a list is not a whole number of {dtype} values")
    offsets //= dtype.itemsize
    whole = (data.size if data else 0) // dtype.itemsize
    values = np.frombuffer(data, dtype, count=whole) if whole else np.empty(0, dtype)
    return Ragged(values[offsets[0] : offsets[-1]], offsets - offsets[0])


def batches(shards: Shards, plan: Plan, rank: int, *, sample_ids: bool = False) -> Iterator[list[Batch]]:
    """For each of `plan.steps` steps, one batch per lane of this rank (in lane order; the last ones may be empty)."""
    names = list(dict.fromkeys([shards.label, WEIGHT, *shards.optional, *shards.features, *([SAMPLE_ID] if sample_ids else [])]))
    lanes = plan.lanes_of(rank)
    ordered = _Ordered(shards, plan, names, keep=2 * len(lanes))
    for pieces_per_lane in zip(*(plan.steps_of(lane) for lane in lanes), strict=True):
        yield [_batch(shards, ordered, pieces) for pieces in pieces_per_lane]


class _Ordered:
    """Decoded row groups in this epoch's order; the least recently used one makes room."""

    def __init__(self, shards: Shards, plan: Plan, names: list[str], keep: int):
        self.shards, self.plan, self.names, self.keep = shards, plan, names, keep
        self.held: OrderedDict[int, dict[str, Column]] = OrderedDict()

    def __call__(self, group: int) -> dict[str, Column]:
        if group not in self.held:
            while len(self.held) >= self.keep:
                self.held.popitem(last=False)
            order = self.plan.order_within(group)
            columns = self.shards.columns(self.shards.groups[group], self.names)
            self.held[group] = {name: take(column, order) for name, column in columns.items()}
        self.held.move_to_end(group)
        return self.held[group]

    def empty(self) -> dict[str, Column]:
        """No rows, in the columns' own types."""
        return {name: span(column, 0, 0) for name, column in self(next(iter(self.held), int(self.plan.order_R[0]))).items()}


def _batch(shards: Shards, ordered: _Ordered, pieces: Sequence[Piece]) -> Batch:
    parts = [{name: span(column, piece.start, piece.stop) for name, column in ordered(piece.group).items()} for piece in pieces]
    columns: dict[str, Any] = {name: concat([part[name] for part in parts or [ordered.empty()]]) for name in ordered.names}
    features = {name: columns[name] for name in shards.features}
    return Batch(
        label=columns[shards.label],
        weight=columns[WEIGHT],
        scalars={name: column for name, column in features.items() if not isinstance(column, Ragged)},
        ragged={name: column for name, column in features.items() if isinstance(column, Ragged)},
        sample_ids=columns.get(SAMPLE_ID),
        offset=columns.get(OFFSET) if OFFSET in shards.optional else None,
    )


def ahead(source: Iterator[T], depth: int = 4) -> Iterator[T]:
    """The same items, produced by a thread that runs up to `depth` items ahead; its exceptions are raised here."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: tuple[bool, Any]) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def produce() -> None:
        try:
            for item in source:
                put((True, item))
                if stop.is_set():
                    return
            put((False, None))
        except BaseException as error:  # handed to the consumer, whatever it is
            put((False, error))

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            more, value = ready.get()
            if more:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        stop.set()
        thread.join()
