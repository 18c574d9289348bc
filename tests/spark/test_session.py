"""The session in processes of its own: what it sets, what it leaves to spark-submit, how it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.spark

TELL = """
import json, sys
from lsml_spark.spark.session import session, stop
spark = session({"spark.sql.shuffle.partitions": "3"})
assert spark.range(1000).selectExpr("id % 7 AS k").groupBy("k").count().count() == 7
told = dict(spark.sparkContext.getConf().getAll())
told["python"] = spark.range(1).rdd.map(lambda _: sys.executable).first()
told["zone"] = spark.sql("SELECT current_timezone()").first()[0]
session({"spark.sql.shuffle.partitions": "5"})
told["changed"] = spark.conf.get("spark.sql.shuffle.partitions")
stop()
stop()
told["second"] = session(master="local[1]").sparkContext.master
print(json.dumps(told))
"""


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_"))}
    return subprocess.run(command, cwd=folder, env=clean | environment, capture_output=True, text=True)


def test_a_local_session_is_quiet_in_utc_and_leaves_nothing_behind(tmp_path):
    done = run(tmp_path, sys.executable, "-c", TELL)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["spark.master"] == "local[*]"
    assert told["spark.driver.host"] in ("127.0.0.1", "localhost")
    assert told["spark.sql.shuffle.partitions"] == "3"
    assert told["python"] == sys.executable
    assert told["zone"] == "UTC"
    assert told["changed"] == "5"
    assert told["second"] == "local[1]"
    # the JVM's own, at birth
    unasked = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: ")]
    assert unasked == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_was_submitted_wins_over_ours(tmp_path):
    (tmp_path / "job.py").write_text(TELL)
    submit = str(Path(sys.executable).with_name("spark-submit"))
    given = ["--master", "local[2]", "--conf", "spark.sql.shuffle.partitions=6", "--name", "mine"]
    done = run(tmp_path, submit, *given, "job.py", PYSPARK_DRIVER_PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["spark.master"] == "local[2]"
    assert told["spark.app.name"] == "mine"
    assert told["spark.sql.shuffle.partitions"] == "6"
    assert told["zone"] == "UTC"


FAIL = """
import sys
from lsml_spark.core.errors import EnvironmentProblem
from lsml_spark.spark.session import session
try:
    session(master=sys.argv[1])
except EnvironmentProblem as error:
    print(error)
"""


@pytest.mark.slow  # Spark asks the master three times in a minute
def test_a_master_out_of_reach_is_one_line(tmp_path):
    done = run(tmp_path, sys.executable, "-c", FAIL, "spark://127.0.0.1:1", SPARK_LOCAL_IP="127.0.0.1")
    assert done.stdout.startswith("Spark did not start on spark://127.0.0.1:1"), done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_a_java_that_dies_is_one_line(tmp_path):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(
        '#!/bin/sh\n[ "$1" = -version ] && echo \'openjdk version "17.0.1"\' >&2 && exit 0\nexit 1\n'
    )
    java.chmod(0o755)
    done = run(tmp_path, sys.executable, "-c", FAIL, "local[1]", JAVA_HOME=str(tmp_path))
    assert done.stdout.startswith(f"Spark's Java did not start (JAVA_HOME is {tmp_path})"), done.stderr
    assert len(done.stdout.splitlines()) == 1
