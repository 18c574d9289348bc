"""Nights run once for all tests that look at finished nights, and a Spark cluster on loopback."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest
from filelock import FileLock
from nights import lsml, plain_environment

from lsml_spark.spark.java import ensure_java


@pytest.fixture(scope="session")
def finished(spark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the nights 2011-01-13 and 2011-01-14. Copy it before changing anything."""
    base = tmp_path_factory.getbasetemp()
    # one for all processes that share the tests
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "nights"
    with FileLock(f"{root}.lock"):
        # nothing to do where another has done it
        result = lsml("backfill", "--from", "2011-01-13", "--to", "2011-01-14", root=root)
    assert result.exit_code == 0, result.output
    return root


@pytest.fixture
def nights(finished: Path, tmp_path: Path) -> Path:
    """A copy of the two finished nights to work on."""
    return Path(shutil.copytree(finished, tmp_path / "runs"))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The URL of a standalone Spark master with two workers of one core each."""
    ensure_java()
    spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
    environment = plain_environment() | {
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(tmp_path / "work"),
        "SPARK_NO_DAEMONIZE": "1",
    }
    processes: list[subprocess.Popen] = []

    def start(role: str, said: str, *arguments: str) -> str:
        """Start a daemon and wait until its log says that it is ready; what it said comes back."""
        words = [str(spark_class), f"org.apache.spark.deploy.{role}", *arguments]
        process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        processes.append(process)
        for line in process.stdout:
            if found := re.search(said, line):
                return found.group(0)
        raise AssertionError(f"{role} ended before it said {said}")

    try:
        url = start(
            "master.Master",
            r"spark://127\.0\.0\.1:\d+",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--webui-port",
            "0",
        )
        for _ in range(2):
            start(
                "worker.Worker",
                "Successfully registered with master",
                "--host",
                "127.0.0.1",
                "--webui-port",
                "0",
                "-c",
                "1",
                "-m",
                "2g",
                url,
            )
        yield url
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()
