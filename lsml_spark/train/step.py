"""One synchronous update, equal to a single process stepping on every rank's rows at once."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lsml_spark.core import seeds
from lsml_spark.data.batch import Batch
from lsml_spark.models.network import tensors
from lsml_spark.tasks.task import Truth
from lsml_spark.train.config import Config
from lsml_spark.train.exchange.buffers import Buffers
from lsml_spark.train.exchange.exchange import Exchange
from lsml_spark.train.exchange.sparse import gradient_of
from lsml_spark.train.layers import drop_frozen
from lsml_spark.train.penalty import soft_threshold_

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Part:
    """What is summed before anything else: a lane of this rank, or all its lanes. A batch for each step that
    the update spans.
    """

    place: int  # of its row in the books: the lane, or the rank
    batches: Sequence[Batch]
    seeds: Sequence[int]  # drop-out's, one per batch


@dataclass(frozen=True)
class Signals:
    """What ranks tell each other beside the sums: rank 0's clock and wish for a checkpoint, anyone's wish to
    stop.
    """

    seconds: float = 0.0
    save: bool = False
    stop: bool = False


@dataclass(frozen=True)
class StepStats:
    """Of the global batch: rows, their total weight, their weighted mean loss in nats (0 where no row
    weighs), the gradient's norm.

    `applied`: false where fp16 overflowed and the update was left out; its scale is smaller now.
    """

    rows: int
    weight: float
    loss: float
    norm: float
    applied: bool
    signals: Signals


class NonFinite(Exception):
    """The loss of the global batch is not finite. Every rank raises it at the same update.

    `rows_of`: for each part and each of its batches, the places of the offending rows.
    """

    def __init__(self, rows_of: dict[int, list[list[int]]]):
        super().__init__("the loss is not finite")
        self.rows_of = rows_of


class Sums(NamedTuple):
    """Of books, float64 (places + 1, 3), added up over the places."""

    rows: int
    weight: float
    loss: float  # weighted
    signals: Signals

    @property
    def finite(self) -> bool:
        return abs(self.loss) < float("inf") and abs(self.weight) < float("inf")

    def stats(self, norm: float, applied: bool) -> StepStats:
        mean = self.loss / self.weight if self.weight else 0.0
        return StepStats(self.rows, self.weight, mean, norm, applied, self.signals)


def _sums(books: Tensor) -> Sums:
    places = books.cpu().numpy()
    rows, weight, loss = places[:-1].cumsum(axis=0)[-1].tolist()  # in a fixed order
    seconds, save, stop = places[-1].tolist()
    return Sums(int(rows), weight, loss, Signals(seconds, bool(save), bool(stop)))


class Updates:
    """Makes updates of `model` by `optimizer`. `places`: rows of the books, which are the lanes or the ranks
    of all ranks. `encoders`: what the ids of the label stand for.

    The gradient is Σ weight · ∂loss / Σ weight over the rows of all ranks, so unequal, short or empty batches
    are right too.
    """

    def __init__(
        self,
        model: Exchange,
        optimizer: torch.optim.Optimizer,
        config: Config,
        places: int,
        encoders: Mapping[str, Any] = {},
    ):
        self.model, self.optimizer, self.config, self.places, self.encoders = (
            model,
            optimizer,
            config,
            places,
            encoders,
        )
        self.device = model.world.device
        together = max(model.world.size // model.lanes_world, 1)  # ranks that compute the same lanes
        self.buffers = Buffers(model.network, model.world, places, model.world.rank % together == 0)
        # as NonFinite says it, of an update that this rank alone left out
        self.refused: dict[int, list[list[int]]] = {}
        # Sums over rows are larger than the means that the scaler's own first scale is made for.
        self.scaler = torch.amp.GradScaler(
            self.device.type, init_scale=2.0**8, enabled=config.precision.compute == "fp16"
        )

    @property
    def scale(self) -> float | None:
        """Of the loss, where gradients are fp16."""
        return self.scaler.get_scale() if self.scaler.is_enabled() else None

    def step(
        self, parts: Sequence[Part], rows: int = 0, last: bool = True, signals: Signals = Signals()
    ) -> StepStats | None:
        """One update. `rows`: how many it has, all ranks together; `last`: of its epoch. What all ranks have
        done since they last told each other (mostly: now); None where they do not.

        NonFinite, before anything has changed, where a weighted loss or the gradient is not finite.
        """
        self.optimizer.zero_grad(set_to_none=True)
        self.model.begin(rows, last)
        self.buffers.begin()
        # (places + 1, 3): of each place its rows, weight and weighted loss; in the last row the signals,
        # which are seconds, save and stop
        books = torch.zeros(self.places + 1, 3, dtype=torch.float64, device=self.device)
        if self.model.world.rank == 0:
            books[-1, 0], books[-1, 1] = signals.seconds, signals.save
        books[-1, 2] = signals.stop
        losses: dict[int, list[Tensor]] = {}
        for part in parts:
            last = part is parts[-1]
            losses[part.place] = []
            for batch, seed in zip(part.batches, part.seeds, strict=True):
                final = last and batch is part.batches[-1]
                _seed(self.device, seed)  # drop-out: a function of step and lane, not of the rank
                self.buffers.lane(len(batch))
                with self.model.lane(final):
                    loss_B, weight = self._weighted_loss(batch)
                    self.buffers.lane_done(part.place, len(batch))
                    losses[part.place].append(loss_B.detach())
                    books[part.place, 0] += len(batch)
                    books[part.place, 1] += weight
                    books[part.place, 2] += loss_B.detach().double().sum()
                    if final:
                        merged = self.model.merge(books)
                    self.scaler.scale(loss_B.sum()).backward()
            self.model.lane_done(last)
        self.buffers.join()
        own, total = merged()
        mine = _sums(own)
        every = mine if total is own else None if total is None else _sums(total)
        self.refused = (
            {}
            if mine.finite
            else {place: [_offenders(loss_B) for loss_B in of_part] for place, of_part in losses.items()}
        )
        if every is not None and not every.finite:
            raise NonFinite(self.refused)
        # A rank that steps alone, and has nothing that weighs, stays: momentum would move it.
        steps = mine.finite and (mine.weight > 0 or every is mine)
        norm, applied = self._apply(mine.weight) if steps else (float("nan"), False)
        self.model.stepped(self.optimizer)
        return None if every is None else every.stats(norm, applied)

    def _weighted_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(weight · loss of each row (B,), their total weight)."""
        features, label, weight_B = tensors(batch, self.device)
        features, label = self.config.task.view(features, label)
        with self._forward_precision():
            outputs = self.model(features)
        if outputs.dtype in PRECISIONS.values():
            outputs = outputs.float()
        offset = None if batch.offset is None else torch.from_numpy(batch.offset).to(self.device)
        loss_B, share_B = self.config.task.criterion(outputs, Truth(label, features, self.encoders, offset))
        weight_B = (weight_B if self.config.data.weights else torch.ones_like(weight_B)) * share_B
        return loss_B * weight_B.to(loss_B.dtype), weight_B.sum()

    def _forward_precision(self) -> AbstractContextManager[object]:
        dtype = PRECISIONS.get(self.config.precision.compute)
        return torch.autocast(self.device.type, dtype) if dtype else nullcontext()

    def _apply(self, weight: float) -> tuple[float, bool]:
        """(norm of the mean gradient, whether the optimiser made its step)."""
        self.scaler.unscale_(self.optimizer)
        for parameter in self.model.parameters:
            gradient_of(parameter).mul_(1.0 / weight if weight else 0.0)
        drop_frozen(self.optimizer)
        norm = float(self.model.clip(self.config.clip))
        if not self.scaler.is_enabled() and not norm < float("inf"):
            raise NonFinite({})
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        applied = self.scaler.get_scale() >= scale
        if applied:
            soft_threshold_(self.optimizer, self.config.optimizer, self.config.l1)
        return norm, applied


def parts_by_lane(lanes: range, steps: Sequence[Sequence[Batch]], step_seeds: Sequence[int]) -> list[Part]:
    """A part per lane: bits that do not depend on the number of ranks. `steps`: for each step of the update,
    a batch per lane.
    """
    return [
        Part(
            lane, [of_lane[i] for of_lane in steps], [seeds.derive(seed, "lane", lane) for seed in step_seeds]
        )
        for i, lane in enumerate(lanes)
    ]


def _seed(device: torch.device, seed: int) -> None:
    """As torch.manual_seed does for this device; that one sees to every kind of device, which takes a
    millisecond.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(seed)


def _offenders(values_B: Tensor) -> list[int]:
    return torch.nonzero(~torch.isfinite(values_B)).flatten().tolist()
