"""`make_reader`: any Parquet files as batches of numpy arrays, each row once an epoch, the same steps on every rank. No torch is imported.

What it reads, and in which order, is all here; `dataset.py` makes tensors of it.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd, lcm
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import fs

from lsml_spark.core.config import did_you_mean, digest
from lsml_spark.core.errors import ConfigError
from lsml_spark.data import unischema
from lsml_spark.data.batch import Column, Ragged, padded
from lsml_spark.data.discover import Paths, filtered, find
from lsml_spark.data.files import Opened, is_tensor
from lsml_spark.data.fill import filled
from lsml_spark.data.images import Image, decoded, image_of
from lsml_spark.data.plan import Plan, Shuffle, plan
from lsml_spark.data.read import first_readable
from lsml_spark.data.shards import LABEL, WEIGHT, Shards, Sources, sources_of
from lsml_spark.data.store import Patience
from lsml_spark.data.stream import MEMORY, TOGETHER, Lost, OnBad, Rows, Stream

LANES = 8  # parts of a batch where its size allows: then 1, 2, 4 and 8 ranks read the same global batches
LENGTH = "_length"  # ends the name of the array that counts the values of a padded list

Arrays = dict[str, Column]


@dataclass(frozen=True)
class Options:
    """How batches are made of rows; the arguments of `make_reader`."""

    columns: tuple[str, ...] | None
    label: str | None
    pad: Mapping[str, int]
    decode: Mapping[str, Image]
    drop_last: bool
    fill_last: bool
    threads: int
    memory: int
    on_bad: OnBad


def make_reader(
    path: Paths,
    *,
    batch: int = 1024,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    table: str = "train",
    shuffle: Shuffle = "buffer",
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
    lanes: int | None = None,
    drop_last: bool = False,
    fill_last: bool = False,
    pad: Mapping[str, int] | None = None,
    decode: Mapping[str, Any] | None = None,
    filters: Any = None,
    schema: Any = None,
    filesystem: fs.FileSystem | None = None,
    memory: int = MEMORY,
    on_bad: OnBad = "fail",
    threads: int | None = None,
    retries: int = 4,
) -> "ShardReader":
    """Batches {column: array} of Parquet files: `for batch in make_reader("runs/…/shard"): …`.

    Numbers, tensors and records come as arrays (B, …), lists of numbers as `Ragged`.

    `path`: a stage folder with a manifest or one of its tables, or any folder, glob, file or list of Parquet files; local or a URI.
    `batch`: rows that this rank gets in a step; a step of all ranks has batch · world.
    `columns`: what to read; by default all that are numbers, tensors, records (whole, as (B, columns)) or lists of numbers. Columns
    that lie in a record may be named. Text and bytes come as arrays of objects where they are named. `label`: a column to read too.
    `shuffle`: buffer | none | full, see data/plan.py. `rank` of `world` ranks reads.
    `lanes`: parts of the global batch; states and global batches agree between world sizes that divide it. By default 8 where the
    batch allows (1 a rank for shuffle "none", so that rows come in the order of the files).
    `drop_last`: without the last step where it is short. Else its batch may be shorter on one rank than on another, or empty.
    `fill_last`: it is filled up to `batch` rows of zeros (no list, no text) with `weight` 0, so that all batches have one shape; rows of
    the table have the weight that it says, else 1. See data/fill.py.
    `pad`: {column: length} for lists as (B, length), cut or filled by 0, beside `<column>_length`, the values kept.
    `decode`: {column: "rgb" | "gray" | {"mode": …, "resize": [height, width]}} for JPEG and PNG.
    `filters`: rows to keep, as a pyarrow expression or (column, operator, value) tuples; the rows of each group that pass are counted
    first, so that steps are full and equal on all ranks. `memory`: bytes, see data/stream.py.
    `schema`: of a data set of petastorm's, see data/unischema.py.
    `on_bad`: skip leaves out row groups that cannot be read, see `lost`. `retries`: of a store's read that fails.
    ConfigError for what does not fit together; IntegrityError for damaged files.
    """
    options = Options(
        columns=None if columns is None else tuple(columns),
        label=label,
        pad=dict(pad or {}),
        decode={name: image_of(asked, f"decode.{name}") for name, asked in (decode or {}).items()},
        drop_last=drop_last,
        fill_last=fill_last,
        threads=min(4, os.cpu_count() or 1) if threads is None else threads,
        memory=memory,
        on_bad=on_bad,
    )
    if not 0 <= rank < world:
        raise ConfigError(f"rank: {rank} of a world of {world} ranks")
    if batch < 1 or memory < 1:
        raise ConfigError(f"batch and memory must be positive, not {batch} and {memory}")
    if shuffle not in ("none", "buffer", "full"):
        raise ConfigError(f"shuffle: '{shuffle}'{did_you_mean(str(shuffle), ['none', 'buffer', 'full'])}")
    if drop_last and fill_last:
        raise ConfigError("drop_last and fill_last: the last step is left out or filled, not both")
    everyone = batch * world
    lanes = lanes or (world if shuffle == "none" else lcm(gcd(everyone, LANES), world))
    shards, name, by_manifest = find(path, table, filesystem, Patience(retries=retries))
    if schema is not None or (not by_manifest and unischema.is_beside(shards)):
        shards = unischema.decoded(shards, None if columns is None else [*columns, *([label] if label else [])], schema)
    shards = shards if filters is None else filtered(shards, filters)
    order = plan(shards.rows_G, seed=seed, epoch=0, world=world, batch=everyone, lanes=lanes, shuffle=shuffle)
    return ShardReader(shards, f"{name} {shards.filter}", order, rank, options)


class ShardReader:
    """The batches of one rank, an epoch at each iteration, read ahead by threads; `make_reader` makes it."""

    def __init__(self, shards: Shards, name: str, order: Plan, rank: int, options: Options):
        self.shards, self.name, self.order, self.rank, self.options = shards, name, order, rank, options
        self.lost = Lost()  # row groups that could not be read, and their rows left out so far
        self._epoch = self._step = 0

    def __len__(self) -> int:
        """Steps of an epoch, the same on every rank."""
        return self.order.full_steps if self.options.drop_last else self.order.steps

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration reads, or goes on with."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Read this epoch next, from its start; where a state has been loaded for the same one, from there."""
        if epoch != self._epoch:
            self._epoch, self._step = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the reading is: the next batch after `load_state_dict` is the one that would have come."""
        return self.state_at(self._epoch, self._step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, on any number of ranks that divides the lanes. ConfigError for a state of another plan."""
        epoch, step, worker, workers = self.position_of(state)
        if worker >= 0:
            raise ConfigError(
                f"this state is of worker {worker} of {workers} of a DataLoader; take it from the dataset, by `state_dict(steps=…)`"
            )
        self._epoch, self._step = epoch, step

    def __iter__(self) -> Iterator[Arrays]:
        epoch, start = self._epoch, self._step
        for number, arrays in enumerate(self.steps(epoch, start), start):
            self._epoch, self._step = epoch, number + 1
            yield arrays
        self._epoch, self._step = epoch + 1, 0

    def state_at(self, epoch: int, step: int, worker: int = -1, workers: int = 0) -> dict[str, Any]:
        """The state before step `step` of an epoch; `worker` of `workers` is who makes it, −1 and 0 where that is one process."""
        if worker < 0 and step >= len(self):
            epoch, step = epoch + 1, 0
        return {"plan": self._digest, "told": self._told, "epoch": epoch, "step": step, "worker": [worker, workers]}

    def position_of(self, state: Mapping[str, Any]) -> tuple[int, int, int, int]:
        """(epoch, step, worker, workers) of a state. ConfigError where it is of another plan."""
        if state.get("plan") != self._digest:
            theirs = state.get("told", {})
            unlike = [f"{name} {theirs.get(name)} (here {value})" for name, value in self._told.items() if theirs.get(name) != value]
            raise ConfigError(f"this state is of another plan: {', '.join(unlike) or 'other files'}; it cannot say which rows were read")
        worker, workers = state["worker"]
        return state["epoch"], state["step"], worker, workers

    @property
    def _digest(self) -> str:
        return digest([self.order.digest, self.name, self.options.drop_last])

    @property
    def _told(self) -> dict[str, Any]:
        order = self.order
        told = {"rows": sum(order.rows_G), "row groups": len(order.rows_G), "seed": order.seed, "shuffle": order.shuffle}
        return told | {"batch of all ranks": order.batch, "lanes": order.lanes, "drop_last": self.options.drop_last}

    def steps(
        self, epoch: int, start: int = 0, every: int = 1, threads: int | None = None, turn: Callable[[Arrays], Any] = lambda arrays: arrays
    ) -> Iterator[Any]:
        """Steps `start`, `start + every`, … of an epoch, each as `turn`, called by the threads that read, gives it."""
        options, order = self.options, replace(self.order, epoch=epoch)
        if start >= len(self):
            return iter(())
        opened, group = first_readable(self.shards, order, self.rank, options.on_bad)
        sources = sources_of(opened, self._wanted(opened), str(group.path))
        for name in (*options.pad, *options.decode):
            if name not in sources.places:
                raise ConfigError(f"pad and decode: column '{name}' is not read{did_you_mean(name, list(sources.places))}")

        of_bytes = [name for name, (stored, _) in sources.places.items() if pa.types.is_binary(opened.schema.field(stored).type)]
        blanks = dict.fromkeys(of_bytes, b"")

        def make(rows: Rows, rows_L: Sequence[int]) -> Any:
            arrays = _arrays(rows[0], sources, options)
            return turn(filled(arrays, rows_L, order.rows_per_lane, blanks) if options.fill_last else arrays)

        return iter(Stream(
            self.shards, order, self.rank, sources.read, make,
            start=start, every=every, together=1 if options.decode else TOGETHER, stop=len(self),
            threads=options.threads if threads is None else threads,
            memory=options.memory, on_bad=options.on_bad, lost=self.lost,
        ))  # fmt: skip

    def _wanted(self, opened: Opened) -> list[str]:
        options = self.options
        wanted = options.columns
        if wanted is None:
            wanted = tuple(name for name in opened.layouts if is_tensor(opened.schema.field(name), opened.layouts[name]))
        label = [options.label] if options.label else [LABEL] if LABEL in opened.layouts else []
        weight = [WEIGHT] if options.fill_last and (WEIGHT in opened.layouts or WEIGHT in opened.packed) else []
        return list(dict.fromkeys([*wanted, *options.decode, *label, *weight]))


def _arrays(columns: Mapping[str, Column], sources: Sources, options: Options) -> Arrays:
    arrays: Arrays = {}
    for name, (stored, place) in sources.places.items():
        column = columns[stored]
        if place is not None:
            arrays[name] = np.asarray(column)[:, place]
        elif name in options.decode:
            arrays[name] = decoded(column, options.decode[name], name)  # type: ignore[arg-type]
        elif name in options.pad:
            arrays[name], arrays[name + LENGTH] = _padded(column, options.pad[name], name)
        else:
            arrays[name] = column
    return arrays


def _padded(column: Column, length: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(column, Ragged):
        raise ConfigError(f"pad: column '{name}' holds no lists")
    return padded(column, length)
