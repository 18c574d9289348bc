"""One worker, three launchers, the same model."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from nights import REPO, RETAIL, SMALL, identities, manifests, plain_environment

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = "2011-01-14"


def train_by_torchrun(root, ranks, **environment):
    sets = [word for setting in SMALL for word in ("--set", setting)]
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(ranks),
        "jobs/train.py",
    ]
    return subprocess.run(
        [*words, "--config", str(RETAIL), "--date", NIGHT, "--root", str(root), *sets],
        cwd=REPO,
        env=plain_environment() | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_torchrun_on_a_host_without_jvm_and_pyspark_trains_the_same_model(nights, finished, tmp_path):
    """A `pyspark` that cannot be imported and a PATH without java: the training host needs neither."""
    (tmp_path / "pyspark.py").write_text("raise ImportError('there is no pyspark on this host')\n")
    shutil.rmtree(nights / "retail" / NIGHT / "train")
    done = train_by_torchrun(
        nights, 2, PYTHONPATH=str(tmp_path), PATH=os.path.dirname(sys.executable), JAVA_HOME=""
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert identities(nights, NIGHT)["train"] == identities(finished, NIGHT)["train"]
    again = train_by_torchrun(nights, 2, PYTHONPATH=str(tmp_path), PATH=os.path.dirname(sys.executable))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "up to date" in again.stderr


@pytest.mark.slow
def test_a_barrier_stage_trains_the_same_model(cluster, nights, finished):
    from test_partitioning import submit

    shutil.rmtree(nights / "retail" / NIGHT / "train")
    submit(
        nights,
        "train",
        "--master",
        cluster,
        "--conf",
        "spark.driver.host=127.0.0.1",
        "--conf",
        "spark.executor.memory=1g",
        date=NIGHT,
    )
    assert identities(nights, NIGHT)["train"] == identities(finished, NIGHT)["train"]
    assert manifests(nights, NIGHT)["train"].run["launcher"] == "spark"
    assert json.loads((nights / "retail" / NIGHT / "train" / "curve.json").read_text())["world"] == 2
