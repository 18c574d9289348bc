"""Starts the ranks of one host, and starts them again when one dies; where there are several hosts, each has
one and they agree.

`python -m lsml_spark.train.survival.agent --nproc-per-node 4 -m MODULE ARGUMENT…`, with torchrun's names for
its options. Unlike torchrun it listens on nothing but the address that it was given (on one host: on
loopback), keeps no pickled state, needs no host name and leaves no folders, dies with its parent, and does
not try again what a retry cannot mend. Exit codes: 0; a rank's own where that says that the input or the
machine is at fault (2 to 8); 143 after SIGTERM, to it or to a rank (130 and 129 after SIGINT and SIGHUP); 4
where ranks were killed from outside; else 1.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lsml_spark.core.errors import ConfigError, LsmlError, Stopped, TrainingError
from lsml_spark.core.process import ASKED, FINAL, PARENT, PROGRESS, die_with_parent, meaning
from lsml_spark.train.survival import boot
from lsml_spark.train.survival.hosts import Hosts, Reported, several

LISTENING = "LSML_STORE_FD"  # train/survival/meeting.py
GRACE = 5.0  # seconds in which the ranks that lost one may end by themselves and say what they saw
STOPPING = 30.0  # seconds in which ranks that were asked to stop may finish their step and write a checkpoint


@dataclass(frozen=True)
class Job:
    """What to start: `ranks` processes on each of `hosts`, of which this one is number `host`; they meet at
    address:port.
    """

    words: list[str]
    ranks: int
    hosts: int = 1
    host: int = 0
    restarts: int = 0
    address: str = ""
    port: int = 0
    interval: float = 0.1


class Agent:
    """The ranks of this host, over all attempts."""

    def __init__(self, job: Job):
        self.job = job
        self.processes: dict[int, subprocess.Popen] = {}
        self.asked: int | None = None  # the signal
        self.asked_at = 0.0

    def run(self) -> int:
        """Start the ranks until they end well, or cannot; the exit code."""
        job = self.job
        with (
            _hearing(self.stop),
            several(job.address, job.port, job.hosts, job.host, lambda: self.asked is not None) as hosts,
        ):
            for attempt in range(job.restarts + 1):
                reports = hosts.agree(attempt, self._attempt(attempt, hosts))
                codes = [code for report in reports for code in report.codes]
                code = meaning(codes)
                if self.asked is not None and any(codes):
                    return 128 + self.asked
                if code in (0, *FINAL):
                    return code
                if attempt == job.restarts:
                    # an exception of Python, or killed from outside
                    return 1 if 1 in codes else TrainingError.exit_code
                message = "; ".join(dict.fromkeys(line for report in reports for line in report.said))
                print(f"{PROGRESS}{message}: restart {attempt + 1} of {job.restarts}", flush=True)
        raise AssertionError("every attempt ends in one of the ways above")

    def _attempt(self, attempt: int, hosts: Hosts) -> Reported:
        """Start all ranks of this host and wait until they have ended; where one fails, here or elsewhere,
        the others soon are.
        """
        self.processes = {}
        with hosts.store() as (place, inherited):
            for local in range(self.job.ranks):
                self._start(local, attempt, place, inherited if local == 0 else None)
        failed_at = None
        try:
            while len(codes := self._ended()) < len(self.processes):
                now = time.monotonic()
                if any(codes.values()):
                    hosts.fail(attempt)
                if failed_at is None and hosts.failed(attempt):
                    failed_at = now
                late = self.asked is not None and now - self.asked_at > STOPPING
                if late or (failed_at is not None and self.asked is None and now - failed_at > GRACE):
                    break
                time.sleep(self.job.interval)
        finally:
            self._kill()
        if any(codes.values()):
            hosts.fail(attempt)
        message = (
            [self._obituary(rank, code) for rank, code in sorted(codes.items())]
            if any(codes.values())
            else []
        )
        # Who hangs and is killed here has failed too: its peers, on this host or another, have said why.
        killed = [-signal.SIGKILL] * (len(self.processes) - len(codes))
        return Reported([*codes.values(), *killed], message)

    def _start(self, local: int, attempt: int, place: dict[str, str], inherited: int | None) -> None:
        job = self.job
        rank = job.host * job.ranks + local
        seat = {
            "RANK": str(rank),
            "WORLD_SIZE": str(job.hosts * job.ranks),
            "LOCAL_RANK": str(local),
            "LOCAL_WORLD_SIZE": str(job.ranks),
            "TORCHELASTIC_RESTART_COUNT": str(attempt),
            "TORCHELASTIC_MAX_RESTARTS": str(job.restarts),
            PARENT: str(os.getpid()),
        }
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in (LISTENING, "TORCHELASTIC_USE_AGENT_STORE")
        }
        passed = () if inherited is None else (inherited,)
        if inherited is not None:
            seat[LISTENING] = str(inherited)
        self.processes[rank] = subprocess.Popen(
            job.words, env={**environment, **place, **seat}, pass_fds=passed
        )
        if self.asked is not None:  # between two of them
            self.processes[rank].terminate()

    def _ended(self) -> dict[int, int]:
        """Exit codes, by rank, of those that have ended by themselves."""
        return {
            rank: code for rank, process in self.processes.items() if (code := process.poll()) is not None
        }

    def _kill(self) -> None:
        """Not SIGTERM, which to a rank means: write a checkpoint."""
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
        for process in self.processes.values():
            process.wait()

    def _obituary(self, rank: int, code: int) -> str:
        from lsml_spark.train.survival.watch import obituary

        spec = Path(self.job.words[-1])
        return (
            obituary(spec.parent, rank, code)
            if spec.name == "spec.json"
            else f"rank {rank} ended with exit code {code}"
        )

    def stop(self, number: int) -> None:
        """Ask the ranks to stop, all for the same reason."""
        if self.asked is None:
            self.asked, self.asked_at = number, time.monotonic()
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()


@contextmanager
def _hearing(act: Callable[[int], None]) -> Iterator[None]:
    """Within it `act` hears of SIGTERM, SIGINT and SIGHUP."""
    before = {one: signal.signal(one, lambda number, _frame: act(number)) for one in ASKED}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def main(arguments: list[str]) -> int:
    """Run the agent; the process's exit code."""
    try:
        return Agent(_job(arguments)).run()
    except Stopped as error:
        print(f"error: {error}", file=sys.stderr)
        return Stopped.exit_code
    except LsmlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see `python -m lsml_spark.train.survival.agent --help`")


def _job(arguments: list[str]) -> Job:
    parser = _Options(
        prog="python -m lsml_spark.train.survival.agent",
        description="Start ranks that train together.",
        allow_abbrev=False,
    )
    parser.add_argument("--nproc-per-node", type=int, default=1, help="ranks on each host")
    parser.add_argument("--nnodes", type=int, default=1, help="hosts")
    parser.add_argument("--node-rank", type=int, default=0, help="which of them this is, from 0")
    parser.add_argument(
        "--master-addr",
        default="",
        help="the address of host 0, on which it listens; needed for several hosts",
    )
    parser.add_argument("--master-port", type=int, default=29500)
    parser.add_argument("--max-restarts", type=int, default=0, help="how often all ranks are started again")
    parser.add_argument(
        "--monitor-interval", type=float, default=0.1, help="seconds between two looks at the ranks"
    )
    parser.add_argument(
        "--standalone",
        action="store_true",
        help="one host, which is what is done where --nnodes is not given",
    )
    parser.add_argument("--rdzv-backend", default="static", help="static, and nothing else")
    parser.add_argument("--rdzv-endpoint", help=argparse.SUPPRESS)  # of the other kinds, which are refused
    parser.add_argument("-m", dest="module", action="store_true", help="what follows is a module, not a file")
    parser.add_argument("program")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    own = parser.parse_args(_with_hyphens(arguments))
    if own.rdzv_backend != "static":
        raise ConfigError(
            f"--rdzv-backend {own.rdzv_backend}: torch keeps pickles in it, by which whoever reaches its "
            "port runs code; "
            "name the first host with --master-addr, and each host's number with --node-rank"
        )
    if own.nnodes > 1 and not own.master_addr:
        raise ConfigError(
            "--nnodes: several hosts meet at an address of the first one; name it with --master-addr"
        )
    if own.nproc_per_node < 1 or not 0 <= own.node_rank < own.nnodes or own.max_restarts < 0:
        raise ConfigError(
            f"--nproc-per-node {own.nproc_per_node}, --nnodes {own.nnodes}, --node-rank {own.node_rank}, "
            "--max-restarts "
            f"{own.max_restarts}: hosts and ranks are at least one, and hosts are counted from 0"
        )
    words = (
        boot.module(own.program, *own.words)
        if own.module
        else [sys.executable, "-u", own.program, *own.words]
    )
    return Job(
        words,
        own.nproc_per_node,
        own.nnodes,
        own.node_rank,
        own.max_restarts,
        own.master_addr,
        own.master_port,
        own.monitor_interval,
    )


def _with_hyphens(arguments: list[str]) -> list[str]:
    """torchrun takes --nproc_per_node for --nproc-per-node; what belongs to the program stays as it is."""
    words = list(arguments)
    for number, word in enumerate(words):
        if (
            word == "--"
            or word == "-m"
            or (not word.startswith("-") and not words[number - 1].startswith("--"))
        ):
            break
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            words[number] = name.replace("_", "-") + equals + value
    return words


if __name__ == "__main__":
    die_with_parent()
    sys.exit(main(sys.argv[1:]))
