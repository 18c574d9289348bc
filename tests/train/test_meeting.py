"""How ranks meet: at one address, with a word for who is missing, and an ear for SIGTERM."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from doors import listening

from lsml_spark.core import addresses
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, Stopped
from lsml_spark.train.survival import agent, launch, meeting
from lsml_spark.train.worker import in_process

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc who listens")


def go_on():
    return False


@pytest.fixture
def world(monkeypatch):
    """A world of two, as a launcher describes it; the interface chosen for it is forgotten again."""
    told = {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    for name, value in (told | {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"}).items():
        monkeypatch.setenv(name, value)
    for name in (
        "LOCAL_WORLD_SIZE",
        "TORCHELASTIC_USE_AGENT_STORE",
        "TORCHELASTIC_RESTART_COUNT",
        meeting.LISTENING,
    ):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@linux
def test_rank_0_listens_at_the_address_that_it_was_told_and_nowhere_else_and_who_is_missing_is_named(world):
    def look():
        while not done.wait(0.05):
            seen.update(listening(os.getpid()) - before)

    before, seen, done = listening(os.getpid()), set(), threading.Event()
    watch = threading.Thread(target=look)
    watch.start()
    with pytest.raises(meeting.NobodyThere, match=r"^rank 1 did not come within 1 s$"):
        meeting.meet(0, 2, 1.0, go_on)
    done.set()
    watch.join()
    assert {one[:2] for one in seen} == {("127.0.0.1", int(os.environ["MASTER_PORT"]))}


def test_ranks_of_one_host_meet_on_loopback_whatever_the_name_of_the_host_is(world):
    world.setenv("MASTER_ADDR", "no-such-host.invalid")
    world.setenv("LOCAL_WORLD_SIZE", "2")
    met = {}
    ranks = [
        threading.Thread(target=lambda rank=rank: met.update({rank: meeting.meet(rank, 2, 20.0, go_on)}))
        for rank in (0, 1)
    ]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    met[0].set("said", "by 0")
    assert met[1].get("said") == b"by 0"


def test_the_store_of_an_attempt_knows_nothing_of_the_attempt_before(world):
    port = int(os.environ["MASTER_PORT"])
    with_agent = meeting.serve("127.0.0.1", port)
    with_agent.set("lsml/0/here/1", "")
    world.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    world.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.raises(meeting.NobodyThere, match="rank 1 did not come"):
        meeting.meet(0, 2, 0.5, go_on)


@pytest.mark.parametrize("rank", [0, 1])
def test_who_waits_for_the_others_stops_when_asked(world, rank):
    asked = threading.Event()
    threading.Timer(0.5, asked.set).start()
    clock = time.monotonic()
    with pytest.raises(Stopped):
        meeting.meet(rank, 2, 600.0, asked.is_set)
    assert time.monotonic() - clock < 10


@pytest.mark.dist
def test_sigterm_to_a_rank_that_waits_for_its_peers_ends_it_with_143_in_seconds(tmp_path):
    port = free_port()
    (tmp_path / "rank.py").write_text(
        "from lsml_spark.train import worker\n"
        "try:\n    worker.train(None, timeout=600.0)\n"
        "except worker.Stopped as error:\n    print(error)\n    worker.leave(143)\n"
    )
    place = {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    environment = {**os.environ, **launch.environment(), **place}
    rank = subprocess.Popen(
        [sys.executable, tmp_path / "rank.py"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert addresses.reach("127.0.0.1", port, 120.0, go_on)  # it listens: now it waits
        rank.send_signal(signal.SIGTERM)
        clock = time.monotonic()
        said, _ = rank.communicate(timeout=60)
        assert rank.returncode == 143, said
        assert time.monotonic() - clock < 20
    finally:
        rank.kill()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"MASTER_ADDR": ""}, "MASTER_ADDR is not set, but WORLD_SIZE=2"),
        ({"MASTER_PORT": ""}, "MASTER_PORT is not set, but WORLD_SIZE=2"),
        ({"MASTER_PORT": "http"}, "MASTER_PORT: expected a port"),
        ({"MASTER_PORT": "70000"}, "MASTER_PORT: expected a port"),
        ({"MASTER_PORT": "٣"}, "MASTER_PORT: expected a port"),
        ({"RANK": "x"}, "RANK: expected a number, found 'x'"),
        ({"RANK": "²"}, "RANK: expected a number"),
        ({"RANK": "2"}, "RANK=2, but WORLD_SIZE=2"),
        ({"WORLD_SIZE": "-1"}, "WORLD_SIZE: expected a number"),
        (
            {"MASTER_ADDR": "no-such-host.invalid"},
            "MASTER_ADDR=no-such-host.invalid: this name is not known here",
        ),
    ],
)
def test_a_world_that_makes_no_sense_is_a_sentence_about_the_variable(world, changes, said):
    for name, value in changes.items():
        world.setenv(name, value)
    with pytest.raises((ConfigError, EnvironmentProblem), match=said):
        in_process(None)


def test_an_address_of_another_host_is_not_listened_on_and_all_addresses_are_not_taken_instead(world):
    world.setenv("MASTER_ADDR", "192.0.2.1")  # of no host: RFC 5737
    with pytest.raises(
        EnvironmentProblem, match=r"MASTER_ADDR=192\.0\.2\.1, MASTER_PORT=\d+ cannot be listened on"
    ):
        meeting.meet(0, 2, 1.0, go_on)


def test_a_port_that_another_program_has_is_named(world):
    taken = socket.create_server(("127.0.0.1", int(os.environ["MASTER_PORT"])))
    with taken, pytest.raises(EnvironmentProblem, match=r"MASTER_PORT=\d+ is taken by another program"):
        meeting.meet(0, 2, 1.0, go_on)


def test_gloo_is_told_the_interface_on_the_way_to_rank_0():
    assert addresses.interface_of("127.0.0.1") in ("lo", "lo0")
    assert addresses.interface_of("192.0.2.1") is None
    own = addresses.way_to("192.0.2.1", 9)
    if own and sys.platform == "linux":
        assert addresses.interface_of(own) in {name for _, name in socket.if_nameindex()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", "a:1", "x.py"],
            "torch keeps pickles in it",
        ),
        (["--rdzv_backend", "etcd-v2", "x.py"], "torch keeps pickles in it"),
        (["--nnodes=2", "x.py"], "name it with --master-addr"),
        (["--nnodes=2", "--node-rank=2", "--master-addr=127.0.0.1", "x.py"], "hosts are counted from 0"),
        (["--nproc-per-node=0", "x.py"], "at least one"),
        (["--nproc-per-node=many", "x.py"], "invalid int value"),
        ([], "program"),
    ],
)
def test_options_that_the_agent_does_not_take_are_one_line_and_code_2(words, said, capsys):
    assert agent.main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("program", "code"),
    [("import os; os.kill(os.getpid(), 9)", 4), ("raise ValueError", 1), ("raise SystemExit(6)", 6)],
)
def test_the_agents_code_is_that_of_its_ranks_and_4_where_they_were_killed(program, code):
    assert agent.Agent(agent.Job([sys.executable, "-c", program], ranks=2)).run() == code
