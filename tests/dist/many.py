"""What the tests of several ranks share: ranks as processes of this host, a toy network, and lanes of rows to
feed it.
"""

import multiprocessing
import traceback
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.functional import cross_entropy

from lsml_spark.models.bag_mlp import BagMlp
from lsml_spark.train.exchange.world import World
from lsml_spark.transforms.schema import Schema

LANES = 8
LABELS = [f"i{i}" for i in range(21)]
ENCODERS = {
    "label": "label",
    "columns": {
        "label": {"use": "vocabulary", "values": LABELS},
        "context": {"use": "vocabulary", "list": True, "like": "label"},
        "country": {"use": "vocabulary", "values": ["UK", "FR", "DE"]},
    },
}


def network(dtype=torch.float64, dropout=0.3, hidden=(16,)):
    torch.manual_seed(0)
    return (
        BagMlp(use="bag_mlp", dim=8, hidden=hidden, dropout=dropout)
        .build(Schema.of(ENCODERS))
        .to(dtype)
        .train()
    )


def lane_of(update, lane):
    """(features, label, weight) of some rows; lane 5 is empty now and then, and some rows weigh nothing."""
    rng = np.random.default_rng([update, lane])
    rows = 0 if lane == 5 and update % 2 else int(rng.integers(1, 7))
    offsets = np.concatenate([[0], np.cumsum(rng.integers(0, 5, size=rows))])
    features = {
        "context": (
            torch.from_numpy(rng.integers(0, len(LABELS) + 1, size=offsets[-1])),
            torch.from_numpy(offsets),
        ),
        "country": torch.from_numpy(rng.integers(0, 4, size=rows)),
    }
    weight = torch.from_numpy(rng.choice([0.0, 1.0, 2.5], size=rows))
    return features, torch.from_numpy(rng.integers(1, len(LABELS) + 1, size=rows)), weight


def loss_of(forward, update, lane):
    """(weighted loss, weight), both summed over the lane's rows, with the lane's own seed of drop-out."""
    features, label_B, weight_B = lane_of(update, lane)
    torch.manual_seed(1000 * update + lane)
    logits_BV = forward(features)
    return (
        cross_entropy(logits_BV, label_B - 1, reduction="none") * weight_B.to(logits_BV.dtype)
    ).sum(), weight_B.sum()


def alone(model, optimizer, updates, lanes=range(LANES), clip=None):
    """The truth: plain torch, one process, the mean over all rows of an update; none where no row weighs."""
    for update in updates:
        optimizer.zero_grad()
        losses, weights = zip(*[loss_of(model, update, lane) for lane in lanes], strict=True)
        if not sum(weights):
            continue
        (sum(losses) / sum(weights)).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()


def launch(rank_main, ranks, folder):
    """Run `rank_main(world, folder)` on every rank; an AssertionError with the rank's traceback where one
    fails.
    """
    folder = Path(folder)
    # Forked from a process that has imported torch once: a spawned rank takes seconds for it.
    multiprocessing.set_forkserver_preload(["lsml_spark.train.exchange.sharded", "many"])
    mp.start_processes(_rank, (rank_main, ranks, folder), nprocs=ranks, start_method="forkserver")
    errors = [path.read_text() for path in sorted(folder.glob("error-*"))]
    assert not errors, errors[0]


def _rank(rank, rank_main, ranks, folder):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=ranks)
    try:
        rank_main(World(rank, ranks, torch.device("cpu")), folder)
    except BaseException:
        (folder / f"error-{rank}").write_text(traceback.format_exc())
        raise
    if dist.is_initialized():
        dist.destroy_process_group()
