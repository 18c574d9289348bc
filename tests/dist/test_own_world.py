"""Ranks see the world of their parent and nothing of the network, the working folder or the name of the
host.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from doors import open_to_others, watched
from test_launch import program, started

pytestmark = [
    pytest.mark.dist,
    pytest.mark.skipif(sys.platform != "linux", reason="namespaces, and /proc that tells who listens"),
]


def unshared(*words):
    """A shell that runs these commands in network and host name of its own, then the program after them."""
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "--uts", "--net", "true"], capture_output=True).returncode
    ):
        pytest.skip("no namespaces can be made here: that takes root and `unshare`")
    return ["unshare", "--uts", "--net", "sh", "-ec", f'{" ; ".join(words)} ; exec "$0" "$@"']


NAMELESS = ("hostname nowhere.invalid", "ip link set lo up")
CARD = (
    "ip link add d0 type veth peer name d1",
    "ip addr add 10.99.0.1/24 dev d0",
    "ip link set d0 up",
    "ip link set d1 up",
)  # by which others could come


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """Where the user stands: a file there has the name of a module of the standard library."""
    folder = tmp_path / "home"
    (folder / "tmp").mkdir(parents=True)
    (folder / "token.py").write_text("raise ImportError('this is not the token of Python')\n")
    monkeypatch.chdir(folder)
    return folder


def trains(job, words, folder):
    """The sockets that were listened on while a run of two ranks trained to its end."""
    with (
        started([*words, sys.executable, *program(job)], TMPDIR=str(folder / "tmp")) as process,
        watched(process.pid) as seen,
    ):
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return seen


def test_two_ranks_on_a_host_without_a_name_beside_a_token_py_listen_on_loopback_and_leave_nothing(
    job, undisturbed, working_folder
):
    seen = trains(job, unshared(*NAMELESS, *CARD), working_folder)
    assert job.weights() == undisturbed
    assert len(seen) >= 3, seen  # the store, and gloo in both ranks
    assert open_to_others(seen) == []
    # torch's one cache
    assert {
        name for name in os.listdir(working_folder / "tmp") if not name.startswith("torchinductor_")
    } == set()


@pytest.mark.slow
def test_two_ranks_on_a_host_that_has_ipv6_alone_train_the_same(job, undisturbed, working_folder):
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this kernel has no IPv6")
    seen = trains(
        job,
        unshared(*NAMELESS, "ip addr del 127.0.0.1/8 dev lo", "ip -6 addr replace ::1/128 dev lo"),
        working_folder,
    )
    assert job.weights() == undisturbed
    assert {address for address, _, _ in seen} == {"::1"}
