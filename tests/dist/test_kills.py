"""Killed again and again, at moments that are drawn: the weights are those of a run that nobody touched, bit
for bit.
"""

import json
import os
import random
import subprocess
import sys

import pytest
from safetensors.numpy import load_file
from toy_runs import config, furthest, prepared

from lsml_spark.train.books import metrics
from lsml_spark.train.survival import launch

pytestmark = [
    pytest.mark.dist,
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux says in /proc who the children of a process are"
    ),
]

# Each life has its moment: (whom it strikes, the rank that does it, its how many-th update, milliseconds
# later).
MORTAL = """
import json, os, signal, sys, threading
from pathlib import Path
from lsml_spark.train import worker
from lsml_spark.train.step import Updates
folder = Path(sys.argv[1]).parent
deaths = folder / "deaths"
lives = len(deaths.read_text().splitlines()) if deaths.exists() else 0
moments = json.loads((folder / "moments.json").read_text())
whom, rank, call, wait = moments[lives] if lives < len(moments) else (None, -1, 0, 0)
plain, calls = Updates.step, iter(range(10**6))

def strike():
    with deaths.open("a") as file:
        file.write(whom + "\\n")
    agent = os.getppid()
    ranks = [int(pid) for pid in Path(f"/proc/{agent}/task/{agent}/children").read_text().split()]
    for pid in {"rank": [os.getpid()], "agent": [agent], "all": [agent, *ranks]}[whom]:
        os.kill(pid, signal.SIGKILL)

def step(*arguments, **told):
    if int(os.environ["RANK"]) == rank and next(calls) == call:
        threading.Timer(wait / 1000, strike).start()
    return plain(*arguments, **told)

Updates.step = step
worker.leave(worker.main(sys.argv[1:]))
"""


def trained(root, moments, told, worlds=(2,)):
    """(folder of the model, how often it was started) of a run that is restarted until it is done, on as many
    ranks as `worlds` says.
    """
    path = prepared(root, {"run": told})["run"]
    (path.parent / "moments.json").write_text(json.dumps(moments))
    (path.parent / "mortal.py").write_text(MORTAL)
    for started in range(1, 100):
        ranks = worlds[min(started, len(worlds)) - 1]
        words = [
            "-m",
            "lsml_spark.train.survival.agent",
            "--standalone",
            f"--nproc-per-node={ranks}",
            "--max-restarts=99",
            "--monitor-interval=0.1",
        ]
        done = subprocess.run(
            [sys.executable, *words, str(path.parent / "mortal.py"), str(path)],
            env={**os.environ, **launch.environment()}, capture_output=True, text=True, timeout=300,
            start_new_session=True,
        )  # fmt: skip
        if done.returncode == 0:
            return path.parent / "train", started
        assert done.returncode == -9, done.stderr[-3000:]
    raise AssertionError("it never finished")


def test_ten_kills_leave_no_trace(tmp_path):
    """Ranks, their launcher, and all at once; between updates, in them, and while a checkpoint is being
    written.
    """
    told = config(
        epochs=10, survival={"checkpoint": {"steps": 2}}, precision={}, optimizer="adamw", workers=2
    )
    draw = random.Random(8)
    whom = ["rank"] * 7 + ["agent"] + ["all"] * 2
    draw.shuffle(whom)
    moments = [(who, draw.randrange(2), draw.randrange(7), draw.uniform(0, 20)) for who in whom]
    undisturbed, _ = trained(tmp_path / "undisturbed", [], told)
    killed, started = trained(tmp_path / "killed", moments, told)
    assert (tmp_path / "killed" / "run" / "deaths").read_text().split() == whom
    assert started == 4  # torchrun brought the ranks back itself, unless it was killed too
    for file in ("model.safetensors", "curve.json"):
        assert (killed / file).read_bytes() == (undisturbed / file).read_bytes(), file
    assert [record["step"] for record in metrics.read(killed / metrics.METRICS)] == list(range(50))


def test_a_run_goes_on_with_other_numbers_of_ranks(tmp_path):
    """4, then 2, then 3: the same global batches follow, at the same learning rate."""
    told = config(epochs=3, survival={"checkpoint": {"steps": 2}}, workers=4)
    one, _ = trained(tmp_path / "one", [], told, worlds=(1,))
    several, started = trained(
        tmp_path / "several", [("all", 3, 5, 0), ("all", 1, 4, 0)], told, worlds=(4, 2, 3)
    )
    assert started == 3
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (several, one))
    assert furthest(ours, theirs) <= 1e-12
    ours, theirs = (json.loads((folder / "curve.json").read_text()) for folder in (several, one))
    for name in ("step", "epoch", "lr"):
        assert [point[name] for point in ours["steps"]] == [point[name] for point in theirs["steps"]]
    assert [point["loss"] for point in ours["steps"]] == pytest.approx(
        [point["loss"] for point in theirs["steps"]], rel=1e-12
    )
    assert [epoch["rows"] for epoch in ours["epochs"]] == [300, 300, 300]
