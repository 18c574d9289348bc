"""The training run of one rank: epochs over the plan, a checkpoint at the end of each, a line of progress."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from lsml_spark.core import seeds
from lsml_spark.core.errors import TrainingError
from lsml_spark.data.batch import Batch
from lsml_spark.data.plan import Plan, plan
from lsml_spark.data.read import Lost, Shards, batches
from lsml_spark.models.network import Network
from lsml_spark.train import checkpoint
from lsml_spark.train.checkpoint import Position
from lsml_spark.train.lanes import LaneParallel
from lsml_spark.train.launch import PROGRESS
from lsml_spark.train.spec import Spec
from lsml_spark.train.step import NonFinite, StepStats, step
from lsml_spark.train.world import World

CURVE_POINTS = 500
PROGRESS_SECONDS = 2.0


@dataclass
class Run:
    """What one rank did in this process (not in an earlier one that was interrupted)."""

    rows_by_epoch: dict[int, int] = field(default_factory=dict)  # rows of this rank's lanes
    seconds: dict[str, float] = field(default_factory=lambda: {"data": 0.0, "step": 0.0, "checkpoint": 0.0})
    lost: Lost = field(default_factory=Lost)  # row groups of this rank that could not be read
    lost_by_epoch: dict[int, int] = field(default_factory=dict)  # their rows in this rank's lanes


def fit(spec: Spec, network: Network, world: World, shards: Shards, start: str | None) -> tuple[Position, Run]:
    """Train `network` in place from the last checkpoint, or from where it stands. TrainingError where the loss is not finite."""
    config = spec.config
    model = LaneParallel(network, world)
    optimizer = config.optimizer.build(model.parameters, config.l2)
    position = checkpoint.restore(spec.scratch, spec.identity, network, optimizer) or Position(0, [], [], start)
    if len(set(world.gather(position.epochs))) > 1:
        raise TrainingError(f"the ranks see different checkpoints in {spec.scratch}; it must be one folder shared by all hosts")
    run = Run()
    orders = [_plan(spec, shards, world, epoch) for epoch in range(config.epochs)]
    while position.epochs < config.epochs:
        position = _epoch(spec, model, optimizer, shards, orders, position, run)
        clock = time.monotonic()
        if world.rank == 0:
            checkpoint.save(spec.scratch, spec.identity, network, optimizer, position)
        run.seconds["checkpoint"] += time.monotonic() - clock
    return position, run


def _plan(spec: Spec, shards: Shards, world: World, epoch: int) -> Plan:
    seed = seeds.derive(spec.seed, "order")
    batch, lanes = spec.config.batch, spec.config.lanes
    return plan(shards.rows_G, seed=seed, epoch=epoch, world=world.size, batch=batch, lanes=lanes, rule=spec.rule)


def _epoch(
    spec: Spec,
    model: LaneParallel,
    optimizer: torch.optim.Optimizer,
    shards: Shards,
    orders: Sequence[Plan],
    before: Position,
    run: Run,
) -> Position:
    """The next epoch; `orders` are the plans of all, which may have unequal steps and rows."""
    config, rank, epoch, order = spec.config, model.world.rank, before.epochs, orders[before.epochs]
    total_steps, earlier_steps = (sum(other.steps for other in some) for some in (orders, orders[:epoch]))
    every = math.ceil(total_steps / CURVE_POINTS)
    curve, done = list(before.steps), StepTotals()
    lanes = order.lanes_of(rank)
    progress = Progress(sum(other.rows for other in orders[epoch:]), epoch, config.epochs) if rank == 0 else None
    model.network.train()
    run.rows_by_epoch[epoch], lost_before = 0, run.lost.rows
    clock = time.monotonic()
    for number, local in enumerate(batches(shards, order, rank, on_bad=config.on_bad_shard, lost=run.lost)):
        run.seconds["data"] += time.monotonic() - clock
        clock = time.monotonic()
        overall = earlier_steps + number
        rate = config.optimizer.lr * config.schedule.share(overall, total_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        seed = seeds.derive(spec.seed, "step", epoch, number)
        try:
            stats = step(model, optimizer, local, lanes=lanes, all_lanes=order.lanes, seed=seed, weighted=config.weights, clip=config.clip)
        except NonFinite as error:
            raise _explained(error, model.world, shards, order, number, local, run.lost) from error
        done.add(stats)
        run.rows_by_epoch[epoch] += sum(len(batch) for batch in local)
        if overall % every == 0:
            curve.append({"step": overall, "epoch": epoch, "loss": stats.loss, "lr": rate})
        if progress:
            progress.show(done.rows, stats.loss, rate)
        run.seconds["step"] += time.monotonic() - clock
        clock = time.monotonic()
    run.lost_by_epoch[epoch] = run.lost.rows - lost_before
    by_epoch = [*before.by_epoch, {"epoch": epoch, "rows": done.rows, "loss": done.loss}]
    return Position(epoch + 1, curve, by_epoch, before.start)


@dataclass
class StepTotals:
    """Rows and mean loss over the steps of an epoch."""

    rows: int = 0
    weight: float = 0.0
    weighted: float = 0.0

    def add(self, stats: StepStats) -> None:
        self.rows += stats.rows
        self.weight += stats.weight
        self.weighted += stats.loss * stats.weight

    @property
    def loss(self) -> float:
        return self.weighted / self.weight if self.weight else 0.0


def _explained(
    error: NonFinite, world: World, shards: Shards, order: Plan, number: int, local: Sequence[Batch], lost: Lost
) -> TrainingError:
    """The same error on every rank, naming the samples whichever rank read them."""
    found = []
    for lane, rows in error.rows_of.items():
        if rows:
            found += [str(sample_id) for sample_id in shards.sample_ids(order, lane, number, without=lost.groups)[rows]]
    ids = [sample_id for of_rank in world.gather(found) for sample_id in of_rank]
    rows = sum(world.gather(sum(len(batch) for batch in local)))
    where = f"epoch {order.epoch}, step {number}: the loss is not finite"
    if len(ids) < rows:
        named = ", ".join(ids[:10]) + (" …" if len(ids) > 10 else "")
        return TrainingError(f"{where}; sample ids: {named}; look at their weight, offset and features")
    return TrainingError(f"{where} for all {rows} rows, first sample id {ids[0]}: it diverged; lower train.optimizer.lr or train.clip")


class Progress:
    """A line every two seconds on standard output: rows per second, loss, learning rate, time left."""

    def __init__(self, rows_left: int, epoch: int, epochs: int):
        self.rows_left, self.epoch, self.epochs = rows_left, epoch, epochs
        self.started = self.shown = time.monotonic()

    def show(self, rows: int, loss: float, rate: float) -> None:
        now = time.monotonic()
        if now - self.shown < PROGRESS_SECONDS:
            return
        self.shown = now
        speed = rows / (now - self.started)
        left = (self.rows_left - rows) / speed
        line = f"epoch {self.epoch + 1}/{self.epochs}  {speed:,.0f} rows/s  loss {loss:.4f}  lr {rate:.3g}  {left:.0f} s left"
        print(f"{PROGRESS}{line}", flush=True)


def curve_of(position: Position, world: World) -> dict:
    """curve.json."""
    return {"steps": position.steps, "epochs": position.by_epoch, "world": world.size, "start": position.start}
