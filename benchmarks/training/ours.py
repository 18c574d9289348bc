"""Ours, from shards on disk with checkpoints and metrics: `ours.py SHAPE WORLD LANES ROOT [kill]`. The last
line is JSON.

The train stage itself starts the ranks, as a night does. With `kill`, the launcher and the ranks are killed
(SIGKILL) once the first checkpoint is there, and the stage runs again: what it took to be training again is
its time beside that of its steps.
"""

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from lsml_spark.core.config import validate
from lsml_spark.core.manifest import read
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.train.books import metrics
from lsml_spark.train.run import Config, run
from training.rows import SHAPES, WARM


def stage(name: str, world: int, lanes: int, root: Path, epochs: int) -> Outcome:
    shape = SHAPES[name]
    told = {
        **shape.train,
        "batch": shape.batch,
        "epochs": epochs,
        "workers": world,
        "lanes": lanes,
        "launcher": "local",
    }
    inputs = {part: Source(root / part, read(root / part)) for part in ("features", "shard")}
    (root / "train").mkdir(exist_ok=True)
    return run(
        Work("speed", "train", datetime.date(2026, 1, 1), 1, root / "train", inputs),
        validate(Config, told, "benchmark"),
    )


def training(outcome: Outcome) -> float:
    """Seconds of rank 0 between its start and its end: reading, computing, exchanging, and checkpoints with
    the final model.
    """
    return sum(
        outcome.run["rank_0_seconds"][phase] for phase in ("data", "compute", "all-reduce", "checkpoint")
    )


def speed(name: str, world: int, lanes: int, root: Path) -> dict:
    shape = SHAPES[name]
    clock = time.perf_counter()
    outcome = stage(name, world, lanes, root, shape.epochs)
    wall = time.perf_counter() - clock
    seconds = outcome.run["rank_0_seconds"]
    trained = training(outcome)
    steps = metrics.read(root / "train" / metrics.METRICS)
    counted = sum(step["rows"] for step in steps[WARM:])
    return {
        "rows_per_second": counted / (trained - sum(sum(step["seconds"].values()) for step in steps[:WARM])),
        "seconds": trained,
        "checkpoint_share": seconds["checkpoint"] / trained,
        "start_and_end": wall - trained,
        "by_phase": seconds,
        "time": outcome.run.get("time"),
    }


def resumed(name: str, world: int, lanes: int, root: Path) -> dict:
    """Kill the whole process group after the first checkpoint, then time the next run."""
    script = [sys.executable, __file__, name, str(world), str(lanes), str(root)]
    process = subprocess.Popen(
        script, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    scratch = root / ".train"
    while not list(scratch.glob("**/checkpoint*.safetensors")) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    found = speed(name, world, lanes, root)
    return {"seconds_to_train_again": found["start_and_end"], "steps_again": found["seconds"]}


def main() -> None:
    name, world, lanes, root = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    for left in ("train", ".train") if len(sys.argv) > 5 else ():
        shutil.rmtree(root / left, ignore_errors=True)
    print(json.dumps((resumed if len(sys.argv) > 5 else speed)(name, world, lanes, root)), flush=True)


if __name__ == "__main__":
    main()
