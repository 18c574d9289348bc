"""`exchange: {use: async}`: a parameter server (Dean et al. 2012; Li et al. 2014), to compare the synchronous
ways with.

Rank 0 holds parameters and optimiser; every other rank pulls the parameters, computes a gradient on its own
lanes, pushes it and pulls again. Within an epoch nobody waits for another worker, so a gradient may belong to
parameters that others have moved on since: its staleness. Each push steps with 1 / workers of the learning
rate, so that a round of all workers moves as far as one synchronous update. Each row is used once an epoch.
The order of arrival decides the bits: no two runs are alike. There are no checkpoints: an interrupted run
starts again.
"""

import datetime
import queue
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from lsml_spark.core import seeds
from lsml_spark.core.errors import ConfigError, TrainingError
from lsml_spark.data.order.plan import Plan
from lsml_spark.data.read import batches
from lsml_spark.models.network import Network
from lsml_spark.train.exchange.buffers import tracks
from lsml_spark.train.exchange.lanes import LaneParallel
from lsml_spark.train.exchange.world import LostPeers, World
from lsml_spark.train.loop import Run, Totals, extended, refused_ids
from lsml_spark.train.spec import Spec
from lsml_spark.train.start import Start
from lsml_spark.train.step import NonFinite, Part, Signals, StepStats, Updates
from lsml_spark.train.survival.checkpoint import Position

GRADIENT, EPOCH_DONE, REFUSED = 0.0, 1.0, 2.0  # what a worker's message is
GO_ON, STOP = 0.0, 1.0  # what the server's is


def fit_async(start: Start) -> tuple[Position, Run]:
    """As `loop.fit`, with rank 0 as the server of world - 1 workers; only its `network` and Position are
    those of the run.

    ConfigError for fewer than two ranks; LostPeers that names a worker that died; TrainingError where a loss
    is not finite.
    """
    spec, world, network = start.spec, start.world, start.network
    if world.size < 2:
        raise ConfigError(
            "train.exchange.use: async needs two ranks at least, a server and a worker; raise train.workers"
        )
    if tracks(network):
        raise ConfigError(
            "train.exchange.use: async has nobody who joins the running statistics of batch norm; take "
            "another norm, or allreduce"
        )
    workers, timeout = world.size - 1, datetime.timedelta(seconds=spec.config.survival.timeout)
    links = {rank: dist.new_group([0, rank], timeout, backend="gloo") for rank in range(1, world.size)}
    orders = [start.plan(epoch, workers) for epoch in range(spec.config.epochs)]
    run, position = Run(), Position.first(start.champion)
    server = (
        Server(spec, network, links, workers * sum(order.steps for order in orders))
        if world.rank == 0
        else None
    )
    for epoch, order in enumerate(orders):
        if server:
            run.rows_by_epoch[epoch], run.lost_by_epoch[epoch] = 0, 0
            why, done = "", server.epoch(epoch)
            position = Position(
                epoch + 1, 0, server.pushes, 0.0, start.champion, server.curve, [*position.by_epoch, done], {}
            )
        else:
            why = work(start, links[world.rank], order, run)
        reasons = [reason for reason in world.gather(why) if reason]
        if reasons:
            raise TrainingError("; ".join(reasons))
    return position, run


class Server:
    """Parameters and optimiser. A thread per worker receives; the main thread applies what arrives, in the
    order of arrival.
    """

    def __init__(self, spec: Spec, network: Network, links: Mapping[int, Any], updates: int):
        self.config, self.links, self.updates = spec.config, links, updates
        self.parameters = _trained(network)
        self.numbers = sum(parameter.numel() for parameter in self.parameters)
        self.optimizer = spec.config.optimizer.build(self.parameters, spec.config.l2)
        self.version, self.pushes, self.curve = 0, 0, list[dict[str, Any]]()
        self.inbox: queue.SimpleQueue[tuple[int, Tensor | Exception, Tensor]] = queue.SimpleQueue()

    def epoch(self, epoch: int) -> dict[str, Any]:
        """Serve until every worker has given all of its steps, or one has refused; what curve.json says of
        the epoch.
        """
        totals, staleness, stopped = Totals(), Counter[int](), False
        for rank in self.links:
            threading.Thread(target=self._listen, args=(rank,), daemon=True).start()
            self._answer(rank, GO_ON)
        working = set(self.links)
        while working:
            rank, header, gradient = self.inbox.get()
            if isinstance(header, Exception):
                raise self._lost(rank, header)
            kind, version, rows, weight, loss = header.tolist()
            if kind != GRADIENT:
                working.remove(rank)
                stopped |= kind == REFUSED
                continue
            stats = StepStats(int(rows), weight, loss, norm=0.0, applied=True, signals=Signals())
            totals.add(stats)
            staleness[self.version - int(version)] += 1
            self._apply(epoch, stats, gradient)
            self._answer(rank, STOP if stopped else GO_ON)
        counts = {str(behind): count for behind, count in sorted(staleness.items())}
        return {"epoch": epoch, "rows": totals.rows, "loss": totals.loss, "staleness": counts}

    def _apply(self, epoch: int, stats: StepStats, gradient: Tensor) -> None:
        rate = self.config.peak_rate * self.config.schedule.share(self.pushes, self.updates)
        self.curve = extended(
            self.curve, {"step": self.pushes, "epoch": epoch, "loss": stats.loss, "lr": rate}
        )
        self.pushes += 1
        if not stats.weight:
            return
        for group in self.optimizer.param_groups:
            group["lr"] = rate / len(self.links)
        parts = gradient.split([parameter.numel() for parameter in self.parameters])
        for parameter, part in zip(self.parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.device)
        self.optimizer.step()
        self.version += 1

    def _answer(self, rank: int, kind: float) -> None:
        try:
            dist.send(torch.tensor([kind, self.version], dtype=torch.float64), rank, self.links[rank])
            dist.send(parameters_to_vector(self.parameters).detach().cpu(), rank, self.links[rank])
        except RuntimeError as error:
            raise self._lost(rank, error) from error

    def _listen(self, rank: int) -> None:
        """One epoch of a worker's messages, into the inbox; its end of the line too."""
        try:
            while True:
                header, gradient = (
                    torch.zeros(5, dtype=torch.float64),
                    torch.empty(self.numbers, dtype=self.parameters[0].dtype),
                )
                dist.recv(header, rank, self.links[rank])
                if header[0] == GRADIENT:
                    dist.recv(gradient, rank, self.links[rank])
                self.inbox.put((rank, header, gradient))
                if header[0] != GRADIENT:
                    return
        except RuntimeError as error:
            self.inbox.put((rank, error, torch.empty(0)))

    def _lost(self, rank: int, error: Exception) -> LostPeers:
        return LostPeers(
            f"the parameter server lost its worker, rank {rank} of {len(self.links) + 1}: "
            f"{str(error).splitlines()[0]}"
        )


def work(start: Start, link: Any, order: Plan, run: Run) -> str:
    """One epoch of a worker; why it stopped before the end, if it refused a loss that is not finite."""
    spec, network, world, shards = start.spec, start.network, start.world, start.shards
    config, epoch, worker = spec.config, order.epoch, world.rank - 1
    model = LaneParallel(network, World(0, 1, world.device))
    idle = torch.optim.SGD(model.parameters, lr=0.0)  # the server has the one that moves
    run.rows_by_epoch[epoch], lost_before = 0, run.lost.rows
    network.train()
    updates, why = Updates(model, idle, config, 1, start.encoders), ""
    goes_on, version = _pull(model.parameters, link)
    for number, local in enumerate(
        batches(shards, order, worker, by_lane=False, on_bad=config.data.on_bad_shard, lost=run.lost)
    ):
        seed = seeds.derive(spec.seed, "step", epoch, number)
        try:
            stats = updates.step([Part(0, local, [seeds.derive(seed, "rank", worker)])])
        except NonFinite as error:
            ids = refused_ids(shards, order, worker, number, error.rows_of, run.lost)
            why = f"epoch {epoch}, step {number}: the loss is not finite; sample ids: {', '.join(ids[:10])}"
            break
        assert stats is not None
        run.rows_by_epoch[epoch] += stats.rows
        _push(link, GRADIENT, version, stats, model.parameters)
        goes_on, version = _pull(model.parameters, link)
        if not goes_on:
            break
    _push(link, REFUSED if why else EPOCH_DONE)
    run.lost_by_epoch[epoch] = run.lost.rows - lost_before
    return why


def _pull(parameters: Sequence[Any], link: Any) -> tuple[bool, int]:
    """Set the parameters from the server's; (go on?, their version)."""
    header, flat = torch.zeros(2, dtype=torch.float64), parameters_to_vector(parameters).detach().cpu()
    dist.recv(header, 0, link)
    dist.recv(flat, 0, link)
    vector_to_parameters(flat.to(parameters[0].device), parameters)
    return bool(header[0] == GO_ON), int(header[1])


def _push(
    link: Any, kind: float, version: int = 0, stats: StepStats | None = None, parameters: Sequence[Any] = ()
) -> None:
    # three numbers of one step: rows, weight, mean loss
    books = (stats.rows, stats.weight, stats.loss) if stats else (0, 0.0, 0.0)
    dist.send(torch.tensor([kind, version, *books], dtype=torch.float64), 0, link)
    if kind == GRADIENT:
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in parameters
        ]
        dist.send(parameters_to_vector(gradients).cpu(), 0, link)


def _trained(network: Network) -> list[Any]:
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
