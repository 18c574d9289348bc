"""Samples, weights, augmentations and shards do not depend on how Spark cuts the work."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from nights import REPO, RETAIL, SMALL, identities, lsml, lsml_process, manifests, plain_environment

from lsml_spark.core.stages import SPARK_STAGES, STAGES
from lsml_spark.spark.session import LOCAL_JVM

pytestmark = pytest.mark.spark
NIGHT = "2011-01-13"  # the first: what a later night keeps depends on those before it
SCRIPTS = {"select": "select_rows"}


@pytest.mark.parametrize("partitions", [pytest.param(1, marks=pytest.mark.slow), 11])
def test_the_number_of_partitions_does_not_matter(spark, finished, tmp_path, partitions):
    settings = {
        "spark.sql.shuffle.partitions": partitions,
        "spark.sql.files.minPartitionNum": partitions,
        "spark.sql.files.openCostInBytes": 0,
        "spark.sql.files.maxPartitionBytes": {1: 2**40, 11: 20_000}[partitions],
        "spark.sql.adaptive.enabled": "false",  # it would merge the small partitions that this test wants
    }
    before = {key: spark.conf.get(key, None) for key in settings}
    try:
        for key, value in settings.items():
            spark.conf.set(key, value)
        result = lsml("run", "--date", NIGHT, "--until", "shard", root=tmp_path)
    finally:
        for key, value in before.items():
            spark.conf.unset(key) if value is None else spark.conf.set(key, value)
    assert result.exit_code == 0, result.output
    assert identities(tmp_path, NIGHT, SPARK_STAGES) == identities(finished, NIGHT, SPARK_STAGES)
    files = len(manifests(tmp_path, NIGHT)["augment"].tables["train"].files)
    assert files == 1 if partitions == 1 else files >= partitions, "the night was not cut as this test wants"
    shards = [
        {file.checksum for file in manifests(root, NIGHT)["shard"].tables["train"].files}
        for root in (tmp_path, finished)
    ]
    assert shards[0] == shards[1], "shards are the same to the byte"


def submit(root, stage, *spark_options, config=RETAIL, date=NIGHT):
    """spark-submit jobs/<stage>.py"""
    sets = [word for setting in SMALL for word in ("--set", setting)]
    words = [
        os.path.join(os.path.dirname(sys.executable), "spark-submit"),
        *spark_options,
        f"jobs/{SCRIPTS.get(stage, stage)}.py",
    ]
    environment = plain_environment() | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        [*words, "--config", str(config), "--date", date, "--root", str(root), *sets],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.slow
def test_spark_submit_of_a_job_gives_the_same_as_lsml_run(finished, tmp_path):
    submit(tmp_path, "quality", "--master", "local[1]")
    assert identities(tmp_path, NIGHT) == identities(finished, NIGHT, ("quality",))


def run_on(master: str, root, **environment) -> None:
    """`lsml run` from `prepare` to the shards in a process of its own, on another Spark than the suite's."""
    for stage in STAGES[1:]:
        shutil.rmtree(root / "retail" / NIGHT / stage)
    settings = {
        "spark.master": master,
        "spark.driver.host": "127.0.0.1",
        "spark.executor.memory": "1g",
        "spark.executor.extraJavaOptions": LOCAL_JVM,
    }
    process = lsml_process(
        *("run", "--date", NIGHT, "--until", "shard"),
        root=root,
        settings=(*SMALL, f"spark={json.dumps(settings)}"),
        env=plain_environment() | environment,
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said


@pytest.mark.slow
def test_one_core_on_a_host_without_torch_gives_the_same(nights, finished, tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('there is no torch on this host')\n")
    run_on("local[1]", nights, PYTHONPATH=str(tmp_path))
    assert identities(nights, NIGHT) == identities(finished, NIGHT, SPARK_STAGES)


@pytest.mark.slow
def test_a_standalone_cluster_gives_the_same(cluster, nights, finished):
    run_on(cluster, nights)
    assert identities(nights, NIGHT) == identities(finished, NIGHT, SPARK_STAGES)
