"""Launchers from outside: what SIGTERM and SIGKILL do to the whole family of processes, two hosts, and the
exit codes.
"""

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from toy_jobs import HERE, paths

from lsml_spark.train.survival import launch
from lsml_spark.train.survival.heartbeat import read

pytestmark = pytest.mark.dist
HOST = re.escape(platform.node())
LOOPBACK = [((), (f"--node-rank={host}",), {}) for host in (0, 1)]
TORCHRUN, AGENT = "torch.distributed.run", "lsml_spark.train.survival.agent"


@contextlib.contextmanager
def started(words, **environment):
    """A process of its own group, whose output comes as one text; nothing of it is left behind."""
    environment = {**os.environ, **launch.environment(), "PYTHONPATH": paths(), **environment}
    process = subprocess.Popen(
        words,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        threading.Event().wait(0.05)


def trains(job, ranks=2, step=2):
    """Whether all ranks have reached that step."""
    beats = read(job.scratch)
    return len(beats) == ranks and all(beat.step >= step for beat in beats.values())


def program(job, fault="none", **told):
    return [str(HERE / "toy_jobs.py"), str(job.scratch.parent), json.dumps({"fault": fault, **told})]


def test_sigterm_to_the_run_leaves_a_checkpoint_code_143_and_no_process_and_the_same_command_goes_on(
    job, undisturbed
):
    with started([sys.executable, *program(job, "slow", call=0)]) as process:
        until(lambda: trains(job))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 143, said
    assert "error: stopped by SIGTERM; run the same command again to go on" in said
    stopped = read(job.scratch)
    assert all(beat.ended() for beat in stopped.values())
    assert len({(beat.epoch, beat.step) for beat in stopped.values()}) == 1
    assert stopped[0].epoch == 0
    job.run(job.config("slow", call=0))
    assert job.weights() == undisturbed


def test_no_process_outlives_a_killed_run(job):
    with started([sys.executable, *program(job, "slow", call=0)]) as process:
        until(lambda: trains(job))
        ranks = read(job.scratch).values()
        assert not any(beat.ended() for beat in ranks)
        process.kill()
        until(lambda: all(beat.ended() for beat in ranks), 10.0)


@contextlib.contextmanager
def two_hosts(job, module, fault="none", restarts=0, hosts=LOOPBACK, address="127.0.0.1", **told):
    """Two agents of one rank each that meet at a port; `hosts`: words before the command, options,
    environment of each.
    """
    words = [
        sys.executable,
        "-m",
        module,
        "--nnodes=2",
        "--nproc-per-node=1",
        f"--master-addr={address}",
        f"--master-port={free_port()}",
    ]
    words += [f"--max-restarts={restarts}"]
    with contextlib.ExitStack() as both:
        yield [
            both.enter_context(started([*host, *words, *local, *program(job, fault, **told)], **environment))
            for host, local, environment in hosts
        ]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ends(processes, seconds=90):
    """Exit codes and outputs of all."""
    said = [process.communicate(timeout=seconds)[0] for process in processes]
    return [process.returncode for process in processes], said


def test_two_hosts_by_torchrun_train_what_one_host_does(job, undisturbed):
    with two_hosts(job, TORCHRUN) as hosts:
        codes, said = ends(hosts)
    assert codes == [0, 0], said
    assert job.weights() == undisturbed


@pytest.mark.slow
def test_a_rank_killed_on_one_of_two_hosts_is_named_by_the_other_and_all_go_on(job, undisturbed):
    with two_hosts(job, AGENT, "kill", restarts=2) as hosts:
        codes, said = ends(hosts)
    assert codes == [0, 0], said
    assert job.weights() == undisturbed
    blamed = (
        rf"error: rank 0 lost its peers: rank 1 on {HOST} \(process \d+\) is gone; it was in phase "
        r"compute, epoch 1, step 5"
    )
    assert re.search(blamed, "".join(said)), said


@pytest.mark.slow
def test_without_restarts_torchrun_says_who_died_and_no_host_is_left_waiting(job):
    with two_hosts(job, TORCHRUN, "kill") as hosts:
        codes, said = ends(hosts)
    assert all(codes), said
    assert re.search(rf"error: .*rank 1 on {HOST} \(process \d+\) is gone", "".join(said)), said


@pytest.mark.slow
def test_an_error_of_the_input_ends_both_hosts_at_once_with_its_code(job):
    with two_hosts(job, AGENT, "memory", restarts=3, once=False) as hosts:
        codes, said = ends(hosts)
    assert 4 in codes, said
    assert all(codes), said
    assert "ran out of memory" in "".join(said)


@pytest.mark.slow
def test_sigterm_to_one_of_two_hosts_stops_both_with_143(job):
    with two_hosts(job, AGENT, "slow", call=0) as hosts:
        until(lambda: trains(job))
        hosts[1].send_signal(signal.SIGTERM)
        codes, said = ends(hosts)
    assert codes == [143, 143], said


@pytest.fixture
def namespaces():
    """Two network namespaces joined by a pair of virtual cards; `link(up)` cuts and joins."""
    if (
        not shutil.which("ip")
        or os.geteuid()
        or subprocess.run(["ip", "netns", "add", f"a{os.getpid()}"], capture_output=True).returncode
    ):
        pytest.skip("no network namespaces can be made here: that takes root and `ip netns`")
    names = [f"a{os.getpid()}", f"b{os.getpid()}"]
    cards = [f"va{os.getpid() % 10**6}", f"vb{os.getpid() % 10**6}"]

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    def link(up):
        ip("-n", names[0], "link", "set", cards[0], "up" if up else "down")

    try:
        ip("netns", "add", names[1])
        ip("link", "add", cards[0], "type", "veth", "peer", "name", cards[1])
        for name, card, last in zip(names, cards, (1, 2), strict=True):
            ip("link", "set", card, "netns", name)
            ip("-n", name, "addr", "add", f"10.77.0.{last}/24", "dev", card)
            for device in ("lo", card):
                ip("-n", name, "link", "set", device, "up")
        hosts = [
            (
                ("ip", "netns", "exec", name),
                (f"--node-rank={host}",),
                {},
            )
            for host, name in enumerate(names)
        ]
        yield hosts, link
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.mark.slow
def test_a_link_that_is_cut_for_seconds_costs_seconds(job, undisturbed, namespaces):
    hosts, link = namespaces
    with two_hosts(job, AGENT, "slow", hosts=hosts, address="10.77.0.1", call=0, stall=20.0) as both:
        until(lambda: trains(job))
        link(False)
        before = read(job.scratch)[0]
        threading.Event().wait(3.0)
        assert read(job.scratch)[0].step <= before.step + 1
        link(True)
        codes, said = ends(both, 120)
    assert codes == [0, 0], said
    assert job.weights() == undisturbed


@pytest.mark.slow
def test_a_link_that_stays_cut_ends_both_hosts_in_time_and_the_network_is_blamed(job, namespaces):
    hosts, link = namespaces
    with two_hosts(job, AGENT, "slow", hosts=hosts, address="10.77.0.1", call=0, stall=4.0) as both:
        until(lambda: trains(job))
        link(False)
        cut = time.monotonic()
        until(lambda: all(beat.ended() for beat in read(job.scratch).values()), 30.0)
        assert time.monotonic() - cut < 30
        link(True)
        codes, said = ends(both, 120)
    assert all(codes), said
    assert "look at the network between them" in "".join(said), said
