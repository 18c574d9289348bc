"""Goal: PowerSGD and local SGD end within 2 % of the loss of the exact update; the other ways beside them.

    python benchmarks/train_ways.py NIGHT [--workers 2] [--seeds 3]  # NIGHT: runs/<pipeline>/<date>

Trains the night's shards in each way, with the retail pipeline's `train` section but for the optimiser, and
evaluates the weights on the held-out day: mean log loss of the rows whose label is known. Medians over seeds
(of initial weights, order and drop-out). The optimiser is Adagrad: SGD at the pipeline's rate, from a cold
start, differs between seeds by 10 %, more than the ways do.
"""

import argparse
import datetime
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import torch
import yaml
from machine import machine
from torch.nn.functional import cross_entropy

from lsml_spark.core import manifest
from lsml_spark.core.config import validate
from lsml_spark.core.work import Source, Work
from lsml_spark.data.order.plan import plan
from lsml_spark.data.read import Shards, batches
from lsml_spark.models import saved
from lsml_spark.models.network import tensors
from lsml_spark.train.run import Config, run

ROOT = Path(__file__).parents[1]
WAYS: dict[str, dict] = {
    "exact": {},
    "lanes at once": {"lane_sums": False},
    "bf16 hook": {"exchange": {"hook": "bf16"}},
    "fp16 hook": {"exchange": {"hook": "fp16"}},
    "PowerSGD, 4 columns": {"exchange": {"hook": {"use": "powersgd", "columns": 4}}},
    "PowerSGD, 16 columns": {"exchange": {"hook": "powersgd"}},
    "local SGD, average every 2": {"exchange": {"use": "local", "average_every": 2}, "lane_sums": False},
    "local SGD, average every 8": {"exchange": {"use": "local", "average_every": 8}, "lane_sums": False},
    "bf16 forward and backward": {"precision": {"compute": "bf16"}},
    "fp16 forward and backward": {"precision": {"compute": "fp16"}},
    "shards over 2 ranks (FSDP2)": {"parallel": {"shard": 2}},
    "wide layers over 2 ranks (tensor)": {"parallel": {"tensor": 2}},
    "async, 1 server, 2 workers": {"exchange": {"use": "async"}, "workers": 3, "lane_sums": False},
}


def held_out(model: Path, shard: Source) -> float:
    """Mean log loss on the test table of rows with a known label."""
    found = saved.load(model)
    features = [name for name in found.encoders["columns"] if name != found.encoders["label"]]
    shards = Shards.of(shard.folder, shard.manifest.tables["test"].files, features, found.encoders["label"])
    order, losses = plan(shards.rows_G, seed=0, epoch=0, world=1, batch=1024, lanes=1), []
    with torch.no_grad():
        for (batch,) in batches(shards, order, 0):
            inputs, label_B, _ = tensors(batch)
            losses.append(
                cross_entropy(found.network(inputs), label_B - 1, ignore_index=-1, reduction="none")[
                    label_B > 0
                ]
            )
    return float(torch.cat(losses).double().mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("night", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "train_ways.json")
    told = parser.parse_args()
    inputs = {}
    for name in ("shard", "features", "select"):
        found = manifest.read(told.night / name)
        assert found, f"{told.night / name}: no finished stage"
        inputs[name] = Source(told.night / name, found)
    section = yaml.safe_load((ROOT / "pipelines" / "retail.yaml").read_text())["train"] | {
        "workers": told.workers,
        "optimizer": {"use": "adagrad", "lr": 0.1},
    }
    date = datetime.date.fromisoformat(inputs["shard"].manifest.date)
    rows: dict[str, list[tuple[float, float]]] = {way: [] for way in told.ways}
    for seed in range(told.seeds):
        for way in told.ways:
            scratch = Path(tempfile.mkdtemp(prefix="train_ways-"))
            (scratch / "train").mkdir()
            try:
                config = validate(Config, section | WAYS[way], way)
                outcome = run(Work("retail", "train", date, seed, scratch / "train", inputs), config)
                rows[way].append((outcome.metrics["loss"], held_out(scratch / "train", inputs["shard"])))
            finally:
                shutil.rmtree(scratch)
            print(
                f"seed {seed}, {way}: training loss {rows[way][-1][0]:.4f}, held-out {rows[way][-1][1]:.4f}",
                flush=True,
            )
    medians = {
        way: [statistics.median(column) for column in zip(*found, strict=True)] for way, found in rows.items()
    }
    base = medians[told.ways[0]]
    result = {
        "machine": machine(),
        "command": f"python benchmarks/train_ways.py NIGHT {' '.join(sys.argv[2:])}".strip(),
        "rows": inputs["shard"].manifest.tables["train"].rows,
        "ways": {
            way: {
                "training": loss,
                "held_out": test,
                "of_exact": [loss / base[0], test / base[1]],
                "all": rows[way],
            }
            for way, (loss, test) in medians.items()
        },
    }
    told.out.write_text(json.dumps(result, indent=1) + "\n")
    print("\n| way | training loss | held-out | of exact |\n|---|---|---|---|")
    for way, (loss, test) in medians.items():
        print(f"| {way} | {loss:.4f} | {test:.4f} | {test / base[1]:.4f} |")


if __name__ == "__main__":
    main()
