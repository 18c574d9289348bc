"""A night opens no door to the network: whatever its processes listen on is on loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from doors import listening, open_to_others, watched
from nights import REPO, SMALL, lsml_process, plain_environment

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc who listens"),
]

# A Python worker and a block manager are at work while the process looks at itself; then it says what it
# found.
LOOK = f"""
import json, os, sys
sys.path.append({str(REPO / "tests")!r})
from doors import listening
from lsml_spark.spark.session import session
spark = session()
assert spark.range(4).rdd.map(lambda row: row.id).sum() == 6
spark.range(1000).persist().count()
# spark-submit is Java's, and Python its child
first = os.getppid() if "PYSPARK_GATEWAY_PORT" in os.environ else os.getpid()
print(json.dumps(sorted(listening(first))))
"""


def found(done):
    assert done.returncode == 0, done.stderr
    return {tuple(one) for one in json.loads(done.stdout.splitlines()[-1])}


def test_the_look_finds_a_socket_that_is_open_to_all():
    with socket.create_server(("0.0.0.0", 0)) as server, socket.create_server(("127.0.0.1", 0)) as local:
        sockets = {(address, port) for address, port, _ in listening(os.getpid())}
        assert {server.getsockname(), local.getsockname()} <= sockets
        assert server.getsockname() in {one[:2] for one in open_to_others(listening(os.getpid()))}
        assert local.getsockname() not in {one[:2] for one in open_to_others(listening(os.getpid()))}


def test_a_local_spark_listens_on_loopback_alone_and_says_nothing_and_finds_no_module_of_the_working_folder(
    tmp_path,
):
    (tmp_path / "token.py").write_text("raise ImportError('this is not the token of Python')\n")
    (tmp_path / "look.py").write_text(LOOK)
    done = subprocess.run(
        [sys.executable, "-P", "look.py"],
        cwd=tmp_path,
        env=plain_environment(),
        capture_output=True,
        text=True,
    )
    sockets = found(done)
    assert len(sockets) >= 3, sockets  # py4j, the driver, the block manager
    assert open_to_others(sockets) == []
    assert done.stderr == ""


@pytest.mark.slow
def test_under_spark_submit_with_a_local_master_it_does_too_and_is_as_quiet(tmp_path):
    (tmp_path / "look.py").write_text(LOOK)
    submit = [str(Path(sys.executable).with_name("spark-submit")), "--master", "local[2]", "look.py"]
    done = subprocess.run(
        submit,
        cwd=tmp_path,
        env=plain_environment() | {"PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    sockets = found(done)
    assert len(sockets) >= 3, sockets
    assert open_to_others(sockets) == []
    assert [line for line in done.stderr.splitlines() if " INFO " in line] == []
    # what Java and spark-submit say before our first line runs
    assert len(done.stderr.splitlines()) < 10, done.stderr


@pytest.mark.slow
@pytest.mark.dist
def test_no_process_of_a_whole_night_listens_where_another_host_could_come(nights):
    shutil.rmtree(nights / "retail" / "2011-01-14")
    settings = (*SMALL, "train.workers=2")
    night = lsml_process(
        "run", "--date", "2011-01-14", root=nights, settings=settings, env=plain_environment()
    )
    with watched(night.pid) as seen:
        said, _ = night.communicate()
    assert night.returncode == 0, said
    assert any(program == "java" for _, _, program in seen), seen
    assert len(seen) > 5, seen  # Spark's, and those of two ranks
    assert open_to_others(seen) == []
