"""`make_torch_dataset`: any Parquet files as batches of tensors, each row once an epoch, the same steps on every rank."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd, lcm
from typing import Any, NamedTuple

import numpy as np
import torch
from pyarrow import fs
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from lsml_spark.core.config import did_you_mean, digest
from lsml_spark.core.errors import ConfigError
from lsml_spark.data import unischema
from lsml_spark.data.batch import Column, Ragged, padded
from lsml_spark.data.discover import Paths, filtered, find
from lsml_spark.data.files import Opened, is_tensor
from lsml_spark.data.images import Image, decoded, image_of
from lsml_spark.data.plan import Plan, Shuffle, plan
from lsml_spark.data.read import first_readable
from lsml_spark.data.shards import LABEL, Shards, Sources, sources_of
from lsml_spark.data.store import Patience
from lsml_spark.data.stream import MEMORY, TOGETHER, Lost, OnBad, Rows, Stream

LANES = 8  # parts of a batch where its size allows: then 1, 2, 4 and 8 ranks read the same global batches
LENGTH = "_length"  # ends the name of the tensor that counts the values of a padded list


class RaggedTensor(NamedTuple):
    """B lists end to end: list i is values[offsets[i] : offsets[i + 1]]; offsets (B + 1,) int64, from 0."""

    values: Tensor
    offsets: Tensor


Value = Tensor | RaggedTensor | list  # a list: str or bytes, for text columns that were asked for
Values = dict[str, Value]


@dataclass(frozen=True)
class Options:
    """How batches are made of rows; the arguments of `make_torch_dataset`."""

    columns: tuple[str, ...] | None
    label: str | None
    pad: Mapping[str, int]
    decode: Mapping[str, Image]
    device: torch.device | None
    drop_last: bool
    threads: int
    memory: int
    on_bad: OnBad


def make_torch_dataset(
    path: Paths,
    *,
    batch: int = 1024,
    columns: Sequence[str] | None = None,
    label: str | None = None,
    table: str = "train",
    shuffle: Shuffle = "buffer",
    seed: int = 0,
    rank: int | None = None,
    world: int | None = None,
    lanes: int | None = None,
    drop_last: bool = False,
    device: torch.device | str | None = None,
    pad: Mapping[str, int] | None = None,
    decode: Mapping[str, Any] | None = None,
    filters: Any = None,
    schema: Any = None,
    filesystem: fs.FileSystem | None = None,
    memory: int = MEMORY,
    on_bad: OnBad = "fail",
    threads: int | None = None,
    retries: int = 4,
) -> "ShardDataset":
    """Batches {column: tensor} of Parquet files: `for batch in make_torch_dataset("runs/…/shard"): …`.

    `path`: a stage folder with a manifest or one of its tables, or any folder, glob, file or list of Parquet files; local or a URI.
    `batch`: rows that this rank gets in a step; a step of all ranks has batch · world.
    `columns`: what to read; by default all that are numbers, tensors, records (whole, as (B, columns)) or lists of numbers. Columns
    that lie in a record may be named. Text and bytes come as lists of objects where they are named. `label`: a column to read too.
    `shuffle`: buffer | none | full, see data/plan.py. `rank`, `world`: those of torch.distributed where it is initialised.
    `lanes`: parts of the global batch; states and global batches agree between world sizes that divide it. By default 8 where the
    batch allows (1 a rank for shuffle "none", so that rows come in the order of the files).
    `drop_last`: without the last step where it is short. Else its batch may be shorter on one rank than on another, or empty.
    `device`: copies go there from pinned memory while the step before computes.
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
        device=None if device is None else torch.device(device),
        drop_last=drop_last,
        threads=min(4, os.cpu_count() or 1) if threads is None else threads,
        memory=memory,
        on_bad=on_bad,
    )
    joined = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank = rank if rank is not None else torch.distributed.get_rank() if joined else 0
    world = world if world is not None else torch.distributed.get_world_size() if joined else 1
    if not 0 <= rank < world:
        raise ConfigError(f"rank: {rank} of a world of {world} ranks")
    if batch < 1 or memory < 1:
        raise ConfigError(f"batch and memory must be positive, not {batch} and {memory}")
    if shuffle not in ("none", "buffer", "full"):
        raise ConfigError(f"shuffle: '{shuffle}'{did_you_mean(str(shuffle), ['none', 'buffer', 'full'])}")
    everyone = batch * world
    lanes = lanes or (world if shuffle == "none" else lcm(gcd(everyone, LANES), world))
    shards, name, by_manifest = find(path, table, filesystem, Patience(retries=retries))
    if schema is not None or (not by_manifest and unischema.is_beside(shards)):
        shards = unischema.decoded(shards, None if columns is None else [*columns, *([label] if label else [])], schema)
    shards = shards if filters is None else filtered(shards, filters)
    order = plan(shards.rows_G, seed=seed, epoch=0, world=world, batch=everyone, lanes=lanes, shuffle=shuffle)
    return ShardDataset(shards, f"{name} {shards.filter}", order, rank, options)


class ShardDataset(IterableDataset[Values]):
    """The batches of one rank, an epoch at each iteration; `make_torch_dataset` makes it.

    Alone it reads ahead with threads of its own, which is the fast path. In a DataLoader(dataset, batch_size=None, num_workers=k) worker w
    makes the steps w, w + k, … so that batches come once and in the same order; say `set_epoch` before each epoch then, and
    give `state_dict` the steps that were trained, since only the workers know what they have made.
    """

    def __init__(self, shards: Shards, name: str, order: Plan, rank: int, options: Options):
        self.shards, self.name, self.order, self.rank, self.options = shards, name, order, rank, options
        self.lost = Lost()  # row groups that could not be read, and their rows left out so far
        # Epoch and first step, with the worker and number of workers that it counts for (-1, 0: for all). Shared, so that
        # persistent workers see `set_epoch`; in a worker, what it has reached and what it was told to go on from are its own.
        self._shared = torch.tensor([0, 0, -1, 0]).share_memory_()
        self._reached: list[int] | None = None
        self._told_worker: list[int] | None = None

    def __len__(self) -> int:
        """Steps of an epoch, the same on every rank."""
        return self.order.full_steps if self.options.drop_last else self.order.steps

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration reads, or goes on with."""
        return int(self._shared.numpy()[0])

    def set_epoch(self, epoch: int) -> None:
        """Read this epoch next, from its start; where a state has been loaded for the same one, from there."""
        if epoch != self.epoch:
            self._at(epoch, 0)

    def _at(self, epoch: int, step: int, worker: int = -1, workers: int = 0) -> None:
        if get_worker_info() is None:
            self._shared.numpy()[:] = epoch, step, worker, workers
        else:
            self._reached = [epoch, step, worker, workers]

    def state_dict(self, steps: int | None = None) -> dict[str, Any]:
        """Where the reading is: the next batch after `load_state_dict` is the one that would have come.

        `steps`: of this epoch that were trained, where workers of a DataLoader read.
        """
        epoch, step, worker, workers = self._reached or self._shared.numpy().tolist()
        if steps is not None:
            step, worker, workers = steps, -1, 0
        if worker < 0 and step >= len(self):
            epoch, step = epoch + 1, 0
        return {"plan": self._digest, "told": self._told, "epoch": epoch, "step": step, "worker": [worker, workers]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, on any number of ranks that divides the lanes. ConfigError for a state of another plan."""
        if state.get("plan") != self._digest:
            theirs = state.get("told", {})
            unlike = [f"{name} {theirs.get(name)} (here {value})" for name, value in self._told.items() if theirs.get(name) != value]
            raise ConfigError(f"this state is of another plan: {', '.join(unlike) or 'other files'}; it cannot say which rows were read")
        self._at(state["epoch"], state["step"], *state["worker"])
        self._told_worker = self._reached

    @property
    def _digest(self) -> str:
        return digest([self.order.digest, self.name, self.options.drop_last])

    @property
    def _told(self) -> dict[str, Any]:
        order = self.order
        told = {"rows": sum(order.rows_G), "row groups": len(order.rows_G), "seed": order.seed, "shuffle": order.shuffle}
        return told | {"batch of all ranks": order.batch, "lanes": order.lanes, "drop_last": self.options.drop_last}

    def __iter__(self) -> Iterator[Values]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        epoch, step, for_worker, of_workers = self._told_worker or self._shared.numpy().tolist()
        self._told_worker = None
        if for_worker >= 0 and (for_worker, of_workers) != (worker, workers):
            raise ConfigError(
                f"this state is of worker {for_worker} of {of_workers}, not of worker {worker} of {workers}: keep num_workers"
            )
        start = step if for_worker >= 0 else step + worker
        order = replace(self.order, epoch=epoch)
        made = self._made(order, start, workers, 1 if info else self.options.threads)
        for number, values in zip(range(start, len(self), workers), made, strict=True):
            self._at(epoch, number + workers, *((worker, workers) if info else ()))
            yield values
        if not info:
            self._at(epoch + 1, 0)

    def _made(self, order: Plan, start: int, every: int, threads: int) -> Iterator[Values]:
        options = self.options
        if start >= len(self):
            return iter(())
        opened, group = first_readable(self.shards, order, self.rank, options.on_bad)
        sources = sources_of(opened, self._wanted(opened), str(group.path))
        for name in (*options.pad, *options.decode):
            if name not in sources.places:
                raise ConfigError(f"pad and decode: column '{name}' is not read{did_you_mean(name, list(sources.places))}")

        def make(rows: Rows) -> Values:
            return _values(rows, sources, options)

        stream = Stream(
            self.shards, order, self.rank, sources.read, make,
            start=start, every=every, together=1 if options.decode else TOGETHER, stop=len(self), threads=threads,
            memory=options.memory, on_bad=options.on_bad, lost=self.lost,
        )  # fmt: skip
        on_gpu = options.device is not None and options.device.type == "cuda"
        return sent(stream, options.device) if on_gpu else iter(stream)

    def _wanted(self, opened: Opened) -> list[str]:
        options = self.options
        wanted = options.columns
        if wanted is None:
            wanted = tuple(name for name in opened.layouts if is_tensor(opened.schema.field(name), opened.layouts[name]))
        label = [options.label] if options.label else [LABEL] if LABEL in opened.layouts else []
        return list(dict.fromkeys([*wanted, *options.decode, *label]))


def _values(rows: Rows, sources: Sources, options: Options) -> Values:
    values: Values = {}
    for name, (stored, place) in sources.places.items():
        column = rows[0][stored]
        if place is not None:
            values[name] = _tensor(np.asarray(column)[:, place])
        elif name in options.decode:
            values[name] = torch.from_numpy(decoded(column, options.decode[name], name))  # type: ignore[arg-type]
        elif name in options.pad:
            values[name], values[name + LENGTH] = (torch.from_numpy(array) for array in _padded(column, options.pad[name], name))
        elif isinstance(column, Ragged):
            values[name] = RaggedTensor(_tensor(column.values_T), _tensor(column.offsets_N1))
        else:
            values[name] = column.tolist() if column.dtype == object else torch.from_numpy(column)
    device = options.device
    if device is None or device.type == "cuda":
        return values
    return {name: _moved(value, device) for name, value in values.items()}


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _padded(column: Column, length: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(column, Ragged):
        raise ConfigError(f"pad: column '{name}' holds no lists")
    return padded(column, length)


def _moved(value: Value, device: torch.device) -> Value:
    if isinstance(value, RaggedTensor):
        return RaggedTensor(value.values.to(device, non_blocking=True), value.offsets.to(device, non_blocking=True))
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


def _pinned(value: Value) -> Value:
    if isinstance(value, RaggedTensor):
        return RaggedTensor(value.values.pin_memory(), value.offsets.pin_memory())
    return value.pin_memory() if isinstance(value, Tensor) else value


def sent(batches: Iterator[Values] | Stream[Values], device: torch.device | None) -> Iterator[Values]:
    """The batches on a GPU: each is copied from pinned memory on a stream of its own while the one before is computed with."""
    assert device is not None
    copies = torch.cuda.Stream(device)
    waiting: Values | None = None
    for values in batches:
        with torch.cuda.stream(copies):
            coming = {name: _moved(_pinned(value), device) for name, value in values.items()}
        if waiting is not None:
            yield _arrived(waiting, copies, device)
        waiting = coming
    if waiting is not None:
        yield _arrived(waiting, copies, device)


def _arrived(values: Values, copies: torch.cuda.Stream, device: torch.device) -> Values:
    """The same, safe to use on the current stream, which waits for the copies."""
    current = torch.cuda.current_stream(device)
    current.wait_stream(copies)
    for value in values.values():
        for tensor in value if isinstance(value, RaggedTensor) else (value,):
            if isinstance(tensor, Tensor):
                tensor.record_stream(current)
    return values
