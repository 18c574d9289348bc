"""`make_reader`: any Parquet files as batches of numpy arrays, each row once an epoch, the same steps on
every rank. No torch is imported.

What it reads, and in which order, is all here; `dataset.py` makes tensors of it.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import gcd, lcm
from typing import Any, get_args

import numpy as np

from lsml_spark.core.config import did_you_mean, digest
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.arguments import LARGEST, names, one_of, part, shown, whole
from lsml_spark.data.batch import Column, Ragged, padded
from lsml_spark.data.fill import filled
from lsml_spark.data.options import MOST, ReadOptions, refuse_others
from lsml_spark.data.order.plan import Plan, Shuffle, plan
from lsml_spark.data.parquet.discover import Paths, filtered, find
from lsml_spark.data.parquet.schema import Sources, sources_of
from lsml_spark.data.parquet.shards import LABEL, WEIGHT, Shards
from lsml_spark.data.parquet.store import Patience
from lsml_spark.data.parquet.weigh import added
from lsml_spark.data.petastorm import unischema
from lsml_spark.data.stream import TOGETHER, Lost, Rows, Stream
from lsml_spark.media.image import decoded

LANES = 8  # parts of a batch where its size allows: then 1, 2, 4 and 8 ranks read the same global batches
LENGTH = "_length"  # ends the name of the array that counts the values of a padded list

Arrays = dict[str, Column]


def make_reader(
    path: Paths,
    *,
    batch: int = 1024,
    columns: Sequence[str] | None = None,
    shuffle: Shuffle = "buffer",
    seed: int = 0,
    rank: int | None = None,
    world: int | None = None,
    options: ReadOptions | None = None,
    **others: Any,
) -> "ShardReader":
    """Batches {column: array} of Parquet files: `for batch in make_reader("runs/…/shard"): …`.

    Numbers, tensors and records come as arrays (B, …), lists of numbers as `Ragged`.

    `path`: a stage folder with a manifest or one of its tables, or any folder, glob, file or list of Parquet
    files; local or a URI. `batch`: rows that this rank gets in a step; a step of all ranks has batch · world.
    `columns`: what to read; by default all that are numbers, tensors, records (whole, as (B, columns)) or
    lists of numbers. Columns that lie in a record may be named. Text and bytes come as arrays of objects
    where they are named. `shuffle`: buffer | groups | none | full, see data/order/plan.py. `rank` of `world`
    ranks reads; one process alone need not say so. `options`: all else, see `ReadOptions`. ConfigError for
    what does not fit together; IntegrityError for damaged files; TypeError for a keyword that is none.
    """
    refuse_others("make_reader", others)
    options = ReadOptions() if options is None else options
    if not isinstance(options, ReadOptions):
        raise ConfigError(f"options: must be ReadOptions(…), not {shown(options)}")
    columns = None if columns is None else names(columns, "columns")
    rank, world = part(rank, world)
    batch, seed, world = (
        whole(batch, "batch", most=MOST),
        whole(seed, "seed", -LARGEST),
        whole(world, "world", most=MOST),
    )
    rank = whole(rank, f"rank of a world of {world}", 0, world - 1)
    one_of(shuffle, "shuffle", get_args(Shuffle))
    everyone = batch * world
    lanes = options.lanes
    if lanes is None:
        lanes = world if shuffle == "none" else lcm(gcd(everyone, LANES), world)
    if lanes % world or everyone % lanes:
        raise ConfigError(
            f"lanes: {world} ranks cannot share {lanes} lanes of {everyone} rows ({batch} a rank) evenly; "
            f"take a multiple of {world} that "
            f"divides {everyone}, or leave it out"
        )
    shards, name, by_manifest = find(
        path, options.table, options.filesystem, Patience(retries=options.retries)
    )
    if options.schema is not None or (not by_manifest and unischema.is_beside(shards)):
        chosen = None if columns is None else [*columns, *filter(None, [options.label])]
        shards = unischema.decoded(shards, chosen, options.schema)
    sources = _sources(shards, columns, options)
    shards = shards if options.filters is None else filtered(shards, options.filters)
    order = plan(shards.rows_G, seed=seed, epoch=0, world=world, batch=everyone, lanes=lanes, shuffle=shuffle)
    made = ShardReader(shards, f"{name} {shards.filter}", order, rank, sources, options)
    if not len(made):
        warnings.warn(f"{path}: there is not one step: {_why_empty(made)}", stacklevel=2)
    return made


def _why_empty(made: "ShardReader") -> str:
    filters = made.options.filters
    if made.order.rows:
        return (
            f"{made.order.rows:,} rows are fewer than the {made.order.batch:,} of a step of all ranks, "
            "and drop_last leaves those out"
        )
    return f"the filter {filters} keeps no row" if filters is not None else "its files have no rows"


class ShardReader:
    """The batches of one rank, an epoch at each iteration, read ahead by threads; `make_reader` makes it."""

    def __init__(
        self, shards: Shards, name: str, order: Plan, rank: int, sources: Sources, options: ReadOptions
    ):
        self.shards, self.name, self.order, self.rank, self.sources, self.options = (
            shards,
            name,
            order,
            rank,
            sources,
            options,
        )
        self.lost = Lost()  # row groups that could not be read, and their rows left out so far
        # (epoch, step) where an iteration begins; and where the one that reads now is
        self._start = self._reached = (0, 0)

    def __len__(self) -> int:
        """Steps of an epoch, the same on every rank."""
        return self.order.full_steps if self.options.drop_last else self.order.steps

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration reads, or goes on with."""
        return self._start[0]

    def set_epoch(self, epoch: int) -> None:
        """Read this epoch next, from its start; where a state of the same one has been loaded, from there."""
        epoch = whole(epoch, "epoch", 0)
        self._start = self._reached = self._start if epoch == self.epoch else (epoch, 0)

    def state_dict(self) -> dict[str, Any]:
        """Where the reading is: the first batch after `load_state_dict` is the one that would have come
        next.
        """
        return self.state_at(*self._reached)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, on any number of ranks that divides the lanes. ConfigError for a
        state of another plan.
        """
        epoch, step, worker, workers = self.position_of(state)
        if worker >= 0:
            raise ConfigError(
                f"this state is of worker {worker} of {workers} of a DataLoader; take it from the dataset, "
                "by `state_dict(steps=…)`"
            )
        self._start = self._reached = (epoch, step)

    def __iter__(self) -> Iterator[Arrays]:
        """The rest of an epoch. Only its end moves on to the next one: what is looked at, or left early,
        begins again.
        """
        epoch, start = began = self._reached = self._start
        for number, arrays in enumerate(self.steps(epoch, start), start):
            self._reached = epoch, number + 1
            yield arrays
        if self._start == began:
            self._start = self._reached = (epoch + 1, 0)

    def state_at(self, epoch: int, step: int, worker: int = -1, workers: int = 0) -> dict[str, Any]:
        """The state before step `step` of an epoch; `worker` of `workers` is who makes it, −1 and 0 where
        that is one process.
        """
        if worker < 0 and step >= len(self):
            epoch, step = epoch + 1, 0
        return {
            "plan": self._digest,
            "told": self._told,
            "epoch": epoch,
            "step": step,
            "worker": [worker, workers],
        }

    def position_of(self, state: Mapping[str, Any]) -> tuple[int, int, int, int]:
        """(epoch, step, worker, workers) of a state. ConfigError where it is of another plan."""
        if not isinstance(state, Mapping):
            raise ConfigError(f"a state must be what `state_dict()` gave, not {shown(state)}")
        if state.get("plan") != self._digest:
            theirs = state.get("told", {})
            unlike = [
                f"{name} {theirs.get(name)} (here {value})"
                for name, value in self._told.items()
                if theirs.get(name) != value
            ]
            raise ConfigError(
                f"this state is of another plan: {', '.join(unlike) or 'other files'}; it cannot say which "
                "rows were read"
            )
        try:
            worker, workers = (whole(number, "worker", -1) for number in state["worker"])
            return whole(state["epoch"], "epoch", 0), whole(state["step"], "step", 0), worker, workers
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"this state is damaged ({error}); take one that `state_dict()` gave"
            ) from error

    @property
    def _digest(self) -> str:
        return digest([self.order.digest, self.name, self.options.drop_last])

    @property
    def _told(self) -> dict[str, Any]:
        order = self.order
        identity = {
            "rows": sum(order.rows_G),
            "row groups": len(order.rows_G),
            "seed": order.seed,
            "shuffle": order.shuffle,
        }
        return identity | {
            "batch of all ranks": order.batch,
            "lanes": order.lanes,
            "drop_last": self.options.drop_last,
        }

    def steps(
        self,
        epoch: int,
        start: int = 0,
        every: int = 1,
        threads: int | None = None,
        turn: Callable[[Arrays], Any] = lambda arrays: arrays,
    ) -> Iterator[Any]:
        """Steps `start`, `start + every`, … of an epoch, each as `turn`, called by the threads that read,
        gives it.
        """
        options, order = self.options, replace(self.order, epoch=epoch)
        if start >= len(self):
            return iter(())
        of_bytes = [
            name
            for name, (stored, _) in self.sources.places.items()
            if self.sources.layouts[stored].kind == "bytes"
        ]
        blanks = dict.fromkeys(of_bytes, b"")

        def make(rows: Rows, rows_L: Sequence[int]) -> Any:
            arrays = _arrays(rows[0], self.sources, options)
            return turn(filled(arrays, rows_L, order.rows_per_lane, blanks) if options.fill_last else arrays)

        def weigh(columns: Mapping[str, Column], steps: int) -> int:
            rows = steps * order.rows_per_lane * len(order.lanes_of(self.rank))
            return added(columns, rows, options.pad, options.decode, options.fill_last)

        return iter(Stream(
            self.shards, order, self.rank, self.sources, make,
            start=start, every=every, together=1 if options.decode else TOGETHER, stop=len(self),
            threads=options.threads if threads is None else threads,
            memory=options.memory, on_bad=options.on_bad, lost=self.lost, weigh=weigh,
        ))  # fmt: skip


def _sources(shards: Shards, columns: Sequence[str] | None, options: ReadOptions) -> Sources:
    """The columns of every batch, on every rank and in every epoch. ConfigError for one that is not there, or
    not in all files.
    """
    if not shards.groups:
        return Sources((), {}, {})
    schema = shards.schema(options.on_bad == "skip")
    chosen = schema.tensors() if columns is None else columns
    label = [options.label] if options.label else [LABEL] if LABEL in schema.columns else []
    weight = [WEIGHT] if options.fill_last and WEIGHT in schema.names else []
    sources = sources_of(schema, [*chosen, *options.decode, *label, *weight])
    if not sources.places:
        raise ConfigError(
            f"{schema.where}: there is no column to read: none holds numbers, and none is named (known: "
            f"{schema.names})"
        )
    for stored in sources.read:
        known = schema.columns[stored]
        if known.layout.kind == "scalar" and not known.tensor:
            raise ConfigError(
                f"{schema.where}: column '{stored}' holds {known.type}, of which there are no tensors; leave "
                "it out of columns"
            )
    for name in (*options.pad, *options.decode):
        if name not in sources.places:
            raise ConfigError(
                f"pad and decode: column '{name}' is not read{did_you_mean(name, list(sources.places))}"
            )
    for name in options.pad:
        stored, place = sources.places[name]
        if place is not None or not schema.columns[stored].lists:
            raise ConfigError(f"pad: column '{name}' holds no lists")
        if name + LENGTH in sources.places:
            raise ConfigError(
                f"pad: there is a column '{name + LENGTH}' already, which the lengths of '{name}' would "
                "stand in for"
            )
    for name in options.decode:
        if sources.places[name][1] is not None or schema.columns[name].layout.kind != "bytes":
            raise ConfigError(
                f"decode: column '{name}' holds {schema.columns[sources.places[name][0]].type}, no encoded "
                "images"
            )
    return sources


def _arrays(columns: Mapping[str, Column], sources: Sources, options: ReadOptions) -> Arrays:
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
