"""One peer's training on tensors that lie in memory: `child.py PEER SHAPE WORLD`, under torchrun where WORLD
> 1. Rank 0 says JSON last.

bare: PyTorch alone, DDP. fabric: Lightning Fabric. accelerate: Hugging Face Accelerate. ray: Ray Train, which
starts its own ranks. Each gets the same network, optimiser, clipping and loss; what differs is what the peer
puts around a step.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lsml_spark.core.config import validate
from lsml_spark.models.network import tensors
from lsml_spark.train.config import Config
from lsml_spark.transforms.schema import Schema
from training.rows import SHAPES, WARM, batches, encoders

Step = Callable[[Any, torch.Tensor], None]


def built(name: str) -> tuple[nn.Module, Any]:
    shape = SHAPES[name]
    config = validate(Config, {**shape.train, "batch": shape.batch, "workers": 1}, "benchmark")
    torch.manual_seed(0)
    network = config.model.build(Schema.of(encoders(shape))).train()
    return network, config.optimizer.build(network.parameters(), config.l2)


def plain(model: nn.Module, network: nn.Module, optimizer: Any) -> Step:
    """The step of a loop by hand; `model` is the network, as whoever joins the ranks has wrapped it."""

    def step(features: Any, label_B: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(model(features), label_B)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        loss.item()

    return step


def bare(network: nn.Module, optimizer: Any, world: int) -> Step:
    model = network
    if world > 1:
        torch.distributed.init_process_group("gloo")
        model = nn.parallel.DistributedDataParallel(network)

    return plain(model, network, optimizer)


def fabric(network: nn.Module, optimizer: Any, world: int) -> Step:
    from lightning_fabric import Fabric

    engine = Fabric(accelerator="cpu", devices=world, strategy="ddp" if world > 1 else "auto")
    engine.launch()
    model, wrapped = engine.setup(network, optimizer)

    def step(features: Any, label_B: torch.Tensor) -> None:
        wrapped.zero_grad(set_to_none=True)
        loss = cross_entropy(model(features), label_B)
        engine.backward(loss)
        engine.clip_gradients(model, wrapped, max_norm=1.0)
        wrapped.step()
        loss.item()

    return step


def accelerate(network: nn.Module, optimizer: Any, world: int) -> Step:
    from accelerate import Accelerator

    engine = Accelerator(cpu=True)
    model, wrapped = engine.prepare(network, optimizer)

    def step(features: Any, label_B: torch.Tensor) -> None:
        wrapped.zero_grad(set_to_none=True)
        loss = cross_entropy(model(features), label_B)
        engine.backward(loss)
        engine.clip_grad_norm_(model.parameters(), 1.0)
        wrapped.step()
        loss.item()

    return step


def timed(name: str, rank: int, world: int, step: Step) -> dict[str, float]:
    """Rows per second of all ranks over the shape's epochs, after a few steps that are not counted."""
    shape = SHAPES[name]
    told = [(features, label - 1) for features, label, _ in map(tensors, batches(name, rank, world))]
    for features, label in told[:WARM]:
        step(features, label)
    clock = time.perf_counter()
    for _ in range(shape.epochs):
        for features, label in told:
            step(features, label)
    seconds = time.perf_counter() - clock
    return {"rows_per_second": shape.epochs * len(told) * shape.batch / seconds, "seconds": seconds}


def ray(name: str, world: int) -> dict[str, float]:
    import ray as cluster
    from ray.train import ScalingConfig, get_context, report
    from ray.train.torch import TorchConfig, TorchTrainer, prepare_model

    def loop() -> None:
        torch.set_num_threads(1)
        network, optimizer = built(name)
        model = prepare_model(network)
        report(timed(name, get_context().get_world_rank(), world, plain(model, network, optimizer)))

    cluster.init(num_cpus=world + 1, include_dashboard=False, log_to_driver=False)
    config = ScalingConfig(num_workers=world, resources_per_worker={"CPU": 1})
    return dict(
        TorchTrainer(loop, scaling_config=config, torch_config=TorchConfig(backend="gloo")).fit().metrics
    )


def main() -> None:
    peer, name, world = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(1)
    if peer == "ray":
        found = ray(name, world)
    else:
        network, optimizer = built(name)
        step = {"bare": bare, "fabric": fabric, "accelerate": accelerate}[peer](network, optimizer, world)
        found = timed(name, int(os.environ.get("RANK", "0")), world, step)
    if os.environ.get("RANK", "0") == "0":
        print(json.dumps({key: found[key] for key in ("rows_per_second", "seconds")}), flush=True)
    os._exit(0)  # gloo's threads abort a finished process now and then


if __name__ == "__main__":
    main()
