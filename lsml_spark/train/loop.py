"""The training run of one rank: updates over the plans of the epochs, checkpoints among them, all of it
watched and booked.
"""

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from lsml_spark.core import seeds
from lsml_spark.core.errors import Stopped, TrainingError
from lsml_spark.data.batch import Batch
from lsml_spark.data.order.plan import Plan
from lsml_spark.data.read import Lost, Shards, batches
from lsml_spark.train.books.clock import ALL_REDUCE, CHECKPOINT, COMPUTE, DATA, Blame, StepClock
from lsml_spark.train.books.record import Record
from lsml_spark.train.exchange.choose import build
from lsml_spark.train.exchange.world import World
from lsml_spark.train.layers import grouped, set_rates
from lsml_spark.train.start import Start
from lsml_spark.train.step import NonFinite, Part, Signals, StepStats, Updates, parts_by_lane
from lsml_spark.train.survival import checkpoint, full_state
from lsml_spark.train.survival.checkpoint import Checkpoints, Position
from lsml_spark.train.survival.watch import Watch, stop_requested

CURVE_POINTS = 500
# of the watch → of the clock
PHASE = {"all-reduce": ALL_REDUCE, "data": DATA, "compute": COMPUTE, "checkpoint": CHECKPOINT}


@dataclass
class Run:
    """What one rank did in this process (not in an earlier one that was interrupted)."""

    resumed: int = 0  # epochs that an earlier process made, wholly or in part
    # where the run was taken up again, in all its processes
    resumptions: list[dict[str, int]] = field(default_factory=list)
    rows_by_epoch: dict[int, int] = field(default_factory=dict)  # rows of this rank's lanes
    blame: Blame = field(default_factory=Blame)  # where the time of the steps went, on all ranks
    lost: Lost = field(default_factory=Lost)  # row groups of this rank that could not be read
    lost_by_epoch: dict[int, int] = field(default_factory=dict)  # their rows in this rank's lanes


@dataclass
class Totals:
    """Rows and mean loss over the updates of an epoch."""

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


class Training:
    """Trains the network of `start` in place, from the last checkpoint or from where it stands."""

    def __init__(self, start: Start, watch: Watch):
        self.start, self.watch = start, watch
        spec, network, world, shards = self.spec, self.network, self.world, self.shards = (
            start.spec, start.network, start.world, start.shards
        )  # fmt: skip
        config = self.config = spec.config
        self.model = build(config, network, world, seeds.derive(spec.seed, "exchange"), self._mark)
        self.optimizer = config.optimizer.build(grouped(self.model.groups, network, config.layers), config.l2)
        places = config.lanes if config.by_lane else self.model.lanes_world
        self.updates = Updates(self.model, self.optimizer, config, places, start.encoders)
        # Of ranks that compute the same lanes together, one counts their rows.
        self.counts = world.rank % (world.size // self.model.lanes_world) == 0
        self.refused: list[str] = []  # sample ids of updates that this rank alone has left out
        self.orders = [start.plan(epoch, self.model.lanes_world) for epoch in range(config.epochs)]
        self.total = config.stop.total(
            sum(math.ceil(order.steps / config.accumulate) for order in self.orders)
        )
        self.store = Checkpoints(spec.scratch, spec.identity, config.survival.checkpoint.keep)
        self.run, self.clock = Run(), StepClock()
        self.record: Record | None = None  # rank 0's
        watch.reading = lambda: "; ".join(
            str(shards.groups[group]) for group in list(self.run.lost.reading.values())
        )

    def fit(self) -> tuple[Position, Run]:
        """TrainingError where the loss is not finite; EnvironmentProblem where a checkpoint cannot be
        written; Stopped after SIGTERM.
        """
        try:
            position = self._resumed()
            self.saved = time.monotonic()
            self.began = self.saved - position.seconds
            if self.world.rank == 0:
                ends = None if self.config.stop.time is None else self.began + self.config.stop.time
                self.record = Record(
                    self.spec.scratch,
                    self.clock,
                    first=position.update,
                    updates=self.total,
                    epochs=self.config.epochs,
                    ends=ends,
                )
            while position.epoch < self.config.epochs and not position.stopped:
                position = self._epoch(position)
        finally:
            if self.record:
                self.record.close()
            self.store.close()
        return position, self.run

    def _mark(self, phase: str, epoch: int | None = None, step: int | None = None) -> None:
        """This rank enters a phase of a step."""
        self.watch.at(phase, epoch, step)
        self.clock.to(PHASE[phase])

    def _resumed(self) -> Position:
        """The position of the last checkpoint, which is loaded; the first one where there is none."""
        newest = self.store.newest()
        position = checkpoint.position_of(newest[1]) if newest else Position.first(self.start.champion)
        if len(set(map(tuple, self.world.gather([position.epoch, position.step])))) > 1:
            raise TrainingError(
                f"the ranks see different checkpoints in {self.spec.scratch}; it must be one folder shared "
                "by all hosts"
            )
        if self.world.rank == 0:
            self.store.forget_after(newest)
        if newest:
            tensors, values = newest
            full_state.load(self.network, self.optimizer, tensors)
            prefix = "exchange."
            self.model.load_state(
                {
                    name.removeprefix(prefix): value
                    for name, value in tensors.items()
                    if name.startswith(prefix)
                }
            )
            self.updates.scaler.load_state_dict(values["scaler"])
            self.run.resumed = position.epoch + (position.step > 0)
            at = {"step": position.update, "epoch": position.epoch, "world": self.world.size}
            self.run.resumptions = [*values["resumptions"], at]
        return position

    def _epoch(self, before: Position) -> Position:
        """The rest of an epoch. The plans of the epochs may have unequal steps and rows."""
        config, epoch, order = self.config, before.epoch, self.orders[before.epoch]
        curve, done, update, stopped = list(before.steps), Totals(**before.running), before.update, None
        position, lost_before = before, self.run.lost.rows
        self.network.train()
        self.run.rows_by_epoch[epoch] = 0
        self._mark("data", epoch, before.step)
        for number, local in self._steps(order, before.step):
            self._mark("compute", epoch, number)
            rate = self._set_rate(update, position.seconds, epoch)
            stats = self._update(order, number, local, update)
            self.run.rows_by_epoch[epoch] += self.counts * sum(len(batch) for step in local for batch in step)
            update += 1
            if stats is None:
                self._mark("data", epoch, number + len(local))
                continue
            done.add(stats)
            curve = extended(curve, {"step": update - 1, "epoch": epoch, "loss": stats.loss, "lr": rate})
            seconds = self.clock.step_done()
            if self.record:
                self.record.add(update - 1, epoch, stats, rate, self.updates.scale, seconds)
            stopped = config.stop.why(update, stats.signals.seconds)
            position = Position(
                epoch,
                number + len(local),
                update,
                stats.signals.seconds,
                before.start,
                curve,
                before.by_epoch,
                asdict(done),
                stopped,
            )
            if stopped or position.step >= order.steps:
                break
            if self._due(update, stats.signals):
                self._save(position)
            if stats.signals.stop:
                raise Stopped(
                    f"stopped after step {position.step} of epoch {epoch}; the same command goes on from "
                    "there"
                )
            self._mark("data", epoch, position.step)
        self.run.lost_by_epoch[epoch] = self.run.lost.rows - lost_before
        whole = position.step >= order.steps
        by_epoch = [
            *before.by_epoch,
            {"epoch": epoch, "rows": done.rows, "loss": done.loss}
            | ({} if whole else {"steps": position.step}),
        ]
        stopped = stopped or config.stop.after_epoch(by_epoch)
        position = Position(
            epoch + 1, 0, update, position.seconds, before.start, curve, by_epoch, {}, stopped
        )
        self._mark("all-reduce")
        self.run.blame.add(self.world.gather(self.clock.take()))
        self._save(position)
        return position

    def _steps(self, order: Plan, start: int) -> Iterator[tuple[int, list[list[Batch]]]]:
        """(first step, batches of the lanes for each step) of every update."""
        by_lane = self.config.by_lane
        steps = batches(
            self.shards,
            order,
            self.model.lanes_rank,
            start=start,
            by_lane=by_lane,
            on_bad=self.config.data.on_bad_shard,
            lost=self.run.lost,
        )
        for number in range(start, order.steps, self.config.accumulate):
            yield number, list(itertools.islice(steps, self.config.accumulate))

    def _set_rate(self, update: int, elapsed: float, epoch: int) -> float:
        """The same on all ranks, which go by rank 0's clock."""
        schedule, stop = self.config.schedule, self.config.stop
        if stop.time is None:
            share = schedule.share(update, self.total)
        else:
            share = schedule.share_at(max((update + 1) / self.total, elapsed / stop.time), update)
        rate = self.config.peak_rate * share
        set_rates(self.optimizer, rate, epoch)
        return rate

    def _update(
        self, order: Plan, number: int, local: Sequence[Sequence[Batch]], update: int
    ) -> StepStats | None:
        rank, epoch = self.model.lanes_rank, order.epoch
        step_seeds = [
            seeds.derive(self.spec.seed, "step", epoch, number + ahead) for ahead in range(len(local))
        ]
        if self.config.by_lane:
            parts = parts_by_lane(order.lanes_of(rank), local, step_seeds)
        else:
            of_rank = [seeds.derive(seed, "rank", rank) for seed in step_seeds]
            parts = [Part(rank, [batch for step in local for batch in step], of_rank)]
        now = time.monotonic()
        due = now - self.saved >= self.config.survival.checkpoint.seconds and not self.store.busy
        wish = Signals(now - self.began, due, stop_requested())
        rows = order.rows_until(number + len(local)) - order.rows_until(number)
        last = number + len(local) >= order.steps or update + 1 >= self.total
        try:
            stats = self.updates.step(parts, rows, last, wish)
        except NonFinite as error:
            raise self._explained(error, order, number, local) from error
        self.refused += self._sample_ids(self.updates.refused, order, number)
        return stats

    def _due(self, update: int, signals: Signals) -> bool:
        every = self.config.survival.checkpoint.steps
        return signals.save or signals.stop or bool(every and update % every == 0)

    def _save(self, position: Position) -> None:
        """Begin a checkpoint; rank 0 writes it."""
        self._mark("all-reduce")  # the others may still be on their way here
        self.saved = time.monotonic()
        of_ranks = self.world.gather(self.model.state())
        tensors = full_state.tensors_of(self.network, self.optimizer)
        if self.world.rank == 0:
            self._mark("checkpoint")
            if self.record:
                self.record.metrics.sync()
            tensors |= {f"exchange.{name}": tensor for state in of_ranks for name, tensor in state.items()}
            self.store.save(
                tensors,
                {
                    "plan": self.orders[0].digest,
                    "scaler": self.updates.scaler.state_dict(),
                    "resumptions": self.run.resumptions,
                },
                position,
            )

    def _explained(
        self, error: NonFinite, order: Plan, number: int, local: Sequence[Sequence[Batch]]
    ) -> TrainingError:
        """The same error on every rank, naming the samples whichever rank read them."""
        ids = self.refused + self._sample_ids(error.rows_of, order, number)
        ids_of_all = list(dict.fromkeys(itertools.chain(*self.world.gather(ids))))
        rows = sum(self.world.gather(self.counts * sum(len(batch) for step in local for batch in step)))
        where = f"epoch {order.epoch}, step {number}: the loss is not finite"
        if 0 < len(ids_of_all) < rows:
            named = ", ".join(ids_of_all[:10]) + (" …" if len(ids_of_all) > 10 else "")
            return TrainingError(f"{where}; sample ids: {named}; look at their weight, offset and features")
        first = f", first sample id {ids_of_all[0]}" if ids_of_all else ""
        return TrainingError(
            f"{where} for all {rows} rows{first}: it diverged; lower train.optimizer.lr or train.clip"
        )

    def _sample_ids(self, rows_of: dict[int, list[list[int]]], order: Plan, number: int) -> list[str]:
        """Of the rows that NonFinite names."""
        return refused_ids(
            self.shards, order, self.model.lanes_rank, number, rows_of, self.run.lost, self.config.by_lane
        )


def refused_ids(
    shards: Shards,
    order: Plan,
    rank: int,
    number: int,
    rows_of: dict[int, list[list[int]]],
    lost: Lost,
    by_lane: bool = False,
) -> list[str]:
    """Sample ids, with file and row group, of the rows that NonFinite names.

    The update begins with step `number`; `by_lane`: its places are lanes.
    """
    sample_ids = []
    for place, of_step in rows_of.items():
        lanes = [place] if by_lane else order.lanes_of(rank)
        for ahead, rows in enumerate(of_step):
            if rows:
                every: list[str] = []
                for lane in lanes:
                    ids = shards.sample_ids(order, lane, number + ahead, without=lost.groups)
                    groups = [
                        group
                        for group in order.rows_at(lane, number + ahead)[0].tolist()
                        if group not in lost.groups
                    ]
                    every += [
                        f"{sample_id} ({shards.groups[group].name})"
                        for sample_id, group in zip(ids, groups, strict=True)
                    ]
                sample_ids += [every[row] for row in rows]
    return sample_ids


def extended(curve: list[dict], point: dict) -> list[dict]:
    """A curve of at most 500 points, evenly spaced: only each 2^k-th update is kept."""
    every = 1 << max(0, math.ceil(math.log2((point["step"] + 1) / CURVE_POINTS)))
    if point["step"] % every:
        return curve
    return [
        *(curve if len(curve) < CURVE_POINTS else [old for old in curve if old["step"] % every == 0]),
        point,
    ]


def curve_of(position: Position, world: World) -> dict:
    """curve.json."""
    stopped = {"stopped": position.stopped} if position.stopped else {}
    return {
        "steps": position.steps,
        "epochs": position.by_epoch,
        "world": world.size,
        "start": position.start,
    } | stopped
