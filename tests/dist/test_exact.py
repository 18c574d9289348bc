"""Many ranks against one process, in real processes: every optimiser, accumulation, weights of zero, odd
worlds.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from toy_runs import config, furthest, prepared

from lsml_spark.train.survival import launch

pytestmark = pytest.mark.dist

# One launch trains every spec of a list: starting processes costs more than the training.
EVERY = """
import sys
from pathlib import Path
from lsml_spark.train import spec, worker
from lsml_spark.train.exchange.world import joined
with joined(60.0) as world:
    for path in sys.argv[1:]:
        told = spec.read(Path(path))
        with worker._watched(told, world, 1) as watch:
            worker._train(told, world, watch)
worker.leave(0)
"""
OPTIMIZERS = {
    "sgd": {"use": "sgd", "lr": 0.5, "momentum": 0.0},
    "momentum": {"use": "sgd", "lr": 0.5},
    "adagrad": {"use": "adagrad"},
    "adamw": {"use": "adamw"},
    "lamb": {"use": "lamb"},
}


def launched(root, ranks, configs):
    """Weights by name of config, after one launch on so many ranks."""
    return launched_specs(root, ranks, prepared(root, configs))


def launched_specs(root, ranks, paths):
    """Weights by name, of the specs in these files."""
    script = root / "every.py"
    script.write_text(EVERY)
    torchrun = (
        ["-m", "lsml_spark.train.survival.agent", "--standalone", f"--nproc-per-node={ranks}"]
        if ranks > 1
        else []
    )
    environment = {**os.environ, **launch.environment()}
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(Path(__file__).parent), environment.get("PYTHONPATH")])
    )
    done = subprocess.run(
        [sys.executable, *torchrun, str(script), *map(str, paths.values())],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: load_file(path.parent / "train" / "model.safetensors") for name, path in paths.items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return launched(tmp_path_factory.mktemp("one"), 1, every_config())


def every_config():
    return {
        f"{name}-{accumulate}-{lane_sums}": config(
            optimizer=optimizer, accumulate=accumulate, lane_sums=lane_sums
        )
        for name, optimizer in OPTIMIZERS.items()
        for accumulate in (1, 4)
        for lane_sums in (True, False)
    } | {"unused parameters-True": config(model="toy_partial.ToyPartial", lane_sums=True)}


@pytest.mark.parametrize("ranks", [2, *[pytest.param(n, marks=pytest.mark.slow) for n in (3, 4)]])
def test_ranks_equal_one_process_for_every_optimiser_and_accumulation(tmp_path, alone, ranks):
    many = launched(tmp_path, ranks, every_config())
    for name, weights in many.items():
        assert furthest(weights, alone[name]) <= 1e-12, name
        if "True" in name and ranks != 3:
            # lanes are summed in one order on any power of two
            assert furthest(weights, alone[name]) == 0.0, name


def test_accumulation_is_a_larger_batch(tmp_path, alone):
    """Of plans with one lane: 4 steps of 16 rows are one of 64. Epochs of 5 steps leave a last update of one
    step.
    """
    few = {
        "batch": 16,
        "lanes": 1,
        "lane_sums": False,
        "optimizer": OPTIMIZERS["momentum"],
        "schedule": {"use": "constant", "warmup": 0.0},
    }
    weights = launched(
        tmp_path, 1, {"small": config(**few, accumulate=4), "large": config(**few | {"batch": 64})}
    )
    assert furthest(weights["small"], weights["large"]) <= 1e-12


def test_lanes_at_once_equal_lanes_apart(alone):
    for name, weights in alone.items():
        if (at_once := name.replace("True", "False")) in alone:
            assert furthest(weights, alone[at_once]) <= 1e-10


def test_what_an_update_saw_is_in_the_curve(tmp_path):
    paths = prepared(tmp_path, {"stopped": config(stop={"steps": 7}, survival={"checkpoint": {"steps": 2}})})
    subprocess.run(
        launch.command(paths["stopped"]),
        env={**os.environ, **launch.environment()},
        check=True,
        capture_output=True,
        timeout=120,
    )
    curve = json.loads((tmp_path / "stopped" / "train" / "curve.json").read_text())
    assert curve["stopped"] == "steps"
    assert [step["step"] for step in curve["steps"]] == list(range(7))
    assert [epoch.get("steps") for epoch in curve["epochs"]] == [None, 2]  # 5 steps make an epoch
    assert curve["steps"][-1]["lr"] == 0.0
    kept = [path.stem for path in Path(tmp_path / "stopped" / ".train").glob("checkpoint-*.json")]
    assert sorted(kept) == ["checkpoint-00001-00000001", "checkpoint-00002-00000000"]
