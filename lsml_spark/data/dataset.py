"""`make_torch_dataset`: the batches of `reader.py` as tensors, on a GPU or in the workers of a DataLoader."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.arguments import LARGEST, shown, whole
from lsml_spark.data.batch import Ragged
from lsml_spark.data.options import refuse_others
from lsml_spark.data.parquet.discover import Paths
from lsml_spark.data.parquet.shards import LABEL
from lsml_spark.data.reader import Arrays, ShardReader, make_reader

FLAT = ("batch", "columns", "shuffle", "seed", "options")  # what `make_reader` takes besides


class RaggedTensor(NamedTuple):
    """B lists end to end: list i is values[offsets[i] : offsets[i + 1]]; offsets (B + 1,) int64, from 0."""

    values: Tensor
    offsets: Tensor


Value = Tensor | RaggedTensor | list  # a list: str or bytes, for text columns that were asked for
Values = dict[str, Value]


def make_torch_dataset(
    path: Paths,
    *,
    rank: int | None = None,
    world: int | None = None,
    device: torch.device | str | None = None,
    **asked: Any,
) -> "ShardDataset":
    """Batches {column: tensor} of Parquet files: `for batch in make_torch_dataset("runs/…/shard"): …`.

    `rank`, `world`: those of torch.distributed, which is to be initialised before. `device`: copies go there
    from pinned memory while the step before computes. `asked`: all other arguments of
    `lsml_spark.data.reader.make_reader` (batch, columns, shuffle, seed, options). Lists of numbers come as
    RaggedTensor, text and bytes as lists, the label's integers as int64. Errors as there.
    """
    refuse_others("make_torch_dataset", {name: value for name, value in asked.items() if name not in FLAT})
    joined = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank = torch.distributed.get_rank() if rank is None and joined else rank
    world = torch.distributed.get_world_size() if world is None and joined else world
    try:
        where = None if device is None else torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ConfigError(
            f"device: {shown(device)} is none that torch knows; take cpu, cuda or cuda:0"
        ) from error
    return ShardDataset(make_reader(path, rank=rank, world=world, **asked), where)


class ShardDataset(IterableDataset[Values]):
    """The batches of one rank, an epoch at each iteration; `make_torch_dataset` makes it.

    Alone it reads ahead with threads of its own, which is the fast path. In a DataLoader(dataset,
    batch_size=None, num_workers=k) worker w makes the steps w, w + k, … so that batches come once and in the
    same order; say `set_epoch` before each epoch then, and give `state_dict` the steps that were trained,
    since only the workers know what they have made.
    """

    def __init__(self, reader: ShardReader, device: torch.device | None):
        self.reader, self.device = reader, device
        self._label = reader.options.label or LABEL
        self.lost = reader.lost  # row groups that could not be read, and their rows left out so far
        # Where an iteration begins: epoch and step, with the worker and number of workers that it counts for
        # (-1, 0: for all). Shared, so that persistent workers see `set_epoch`; what it was told to go on from
        # is a worker's own.
        self._position = torch.tensor([0, 0, -1, 0]).share_memory_()
        self._reached: tuple[int, int, int, int] | None = None  # by the iteration that reads now
        self._told_worker: tuple[int, int, int, int] | None = None

    def __len__(self) -> int:
        """Steps of an epoch, the same on every rank."""
        return len(self.reader)

    @property
    def epoch(self) -> int:
        """The epoch that the next iteration reads, or goes on with."""
        return int(self._position[0])

    def set_epoch(self, epoch: int) -> None:
        """Read this epoch next, from its start; where a state of the same one has been loaded, from there."""
        epoch = whole(epoch, "epoch", 0)
        self._begin(*(self._position.tolist() if epoch == self.epoch else (epoch, 0)))

    def _begin(self, epoch: int, step: int, worker: int = -1, workers: int = 0) -> None:
        """The next iteration begins there."""
        self._reached = None
        if get_worker_info() is None:
            self._position.numpy()[:] = epoch, step, worker, workers
        else:
            self._told_worker = epoch, step, worker, workers

    def state_dict(self, steps: int | None = None) -> dict[str, Any]:
        """Where the reading is: the first batch after `load_state_dict` is the one that would have come next.

        `steps`: of this epoch that were trained, where workers of a DataLoader read.
        """
        epoch, step, worker, workers = self._reached or self._told_worker or self._position.tolist()
        if steps is not None:
            return self.reader.state_at(epoch, whole(steps, "steps", 0))
        return self.reader.state_at(epoch, step, worker, workers)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, on any number of ranks that divides the lanes. ConfigError for a
        state of another plan.
        """
        self._begin(*self.reader.position_of(state))

    def __iter__(self) -> Iterator[Values]:
        """The rest of an epoch. Only its end moves on to the next one: what is looked at, or left early,
        begins again.
        """
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        began = self._told_worker or tuple(self._position.tolist())
        epoch, step, for_worker, of_workers = began
        self._told_worker = None
        if for_worker >= 0 and (for_worker, of_workers) != (worker, workers):
            raise ConfigError(
                f"this state is of worker {for_worker} of {of_workers}, not of worker {worker} of {workers}: "
                "keep num_workers"
            )
        start = step if for_worker >= 0 else step + worker
        self._reached = (epoch, start, worker, workers) if info else (epoch, start, -1, 0)
        made = self.reader.steps(epoch, start, workers, 1 if info else None, self._values)
        made = sent(made, self.device) if self.device is not None and self.device.type == "cuda" else made
        for number, values in zip(range(start, len(self), workers), made, strict=True):
            self._reached = (epoch, number + workers, worker, workers) if info else (epoch, number + 1, -1, 0)
            yield values
        if not info and tuple(self._position.tolist()) == began:
            self._begin(epoch + 1, 0)

    def _values(self, arrays: Arrays) -> Values:
        label = arrays.get(self._label)
        # ids, which torch's losses take as int64 only
        if isinstance(label, np.ndarray) and label.dtype.kind in "iu":
            if label.dtype == np.uint64 and label.size and label.max() > LARGEST:
                raise IntegrityError(
                    f"column '{self._label}': {label.max()} is beyond the int64 that labels come as"
                )
            arrays = arrays | {self._label: label.astype(np.int64)}
        values = {name: _value(column) for name, column in arrays.items()}
        if self.device is None or self.device.type == "cuda":
            return values
        return {name: _moved(value, self.device) for name, value in values.items()}


def _value(column: np.ndarray | Ragged) -> Value:
    if isinstance(column, Ragged):
        return RaggedTensor(_tensor(column.values_T), _tensor(column.offsets_N1))
    return column.tolist() if column.dtype == object else _tensor(column)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _moved(value: Value, device: torch.device) -> Value:
    if isinstance(value, RaggedTensor):
        return RaggedTensor(
            value.values.to(device, non_blocking=True), value.offsets.to(device, non_blocking=True)
        )
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value


def _pinned(value: Value) -> Value:
    if isinstance(value, RaggedTensor):
        return RaggedTensor(value.values.pin_memory(), value.offsets.pin_memory())
    return value.pin_memory() if isinstance(value, Tensor) else value


def sent(batches: Iterator[Values], device: torch.device) -> Iterator[Values]:
    """The batches on a GPU: each is copied from pinned memory on a stream of its own while the one before is
    computed with.
    """
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
