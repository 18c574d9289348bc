"""What the agents of a job's hosts tell each other: that ranks have failed, and with which codes all have
ended.

One host needs no store for that. Between several, host 0's agent keeps one at the address that the user
named, and its ranks meet there too; an attempt's keys carry its number, so nothing of an earlier one is found
again.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from lsml_spark.core import addresses
from lsml_spark.core.errors import TrainingError

ARRIVE = 1800.0  # seconds in which all hosts must have come
ANSWER = 60.0  # seconds in which a host whose ranks were ended says so; then it is taken for lost
LEAVE = 10.0  # seconds for which host 0 waits until all others have read the end


@dataclass(frozen=True)
class Reported:
    """How one host's attempt ended: exit codes, and what is to be said of ranks that failed."""

    codes: list[int]
    said: list[str]


class Hosts(Protocol):
    @contextmanager
    def store(self) -> Iterator[tuple[dict[str, str], int | None]]:
        """Environment by which ranks find their store, and a listening socket's number for rank 0 where it is
        to keep it.
        """

    def fail(self, attempt: int) -> None:
        """Tell that a rank has failed."""

    def failed(self, attempt: int) -> bool:
        """Whether a rank of any host has failed."""

    def agree(self, attempt: int, own: Reported) -> list[Reported]:
        """What all hosts report of an attempt, the same on each."""


@contextmanager
def several(address: str, port: int, hosts: int, host: int, stopped: Callable[[], bool]) -> Iterator[Hosts]:
    """The hosts of a job; TrainingError where another one is lost."""
    if hosts == 1:
        yield Alone()
        return
    try:
        member = Several(address.strip("[]"), port, hosts, host, stopped)
        yield member
        member.leave()
    except (RuntimeError, OSError) as error:  # torch.distributed's errors derive from these
        raise TrainingError(
            f"host {host} of {hosts} lost host 0 at {address}:{port}: {str(error).splitlines()[0]}"
        ) from error


class Alone:
    """One host: rank 0 keeps the store, on a port of loopback that is bound before any rank starts."""

    def __init__(self) -> None:
        self._failed = False

    @contextmanager
    def store(self) -> Iterator[tuple[dict[str, str], int | None]]:
        self._failed = False
        address = addresses.loopback()
        with addresses.listen(address, 0) as server:
            yield {"MASTER_ADDR": address, "MASTER_PORT": str(server.getsockname()[1])}, server.fileno()

    def fail(self, attempt: int) -> None:
        self._failed = True

    def failed(self, attempt: int) -> bool:
        return self._failed

    def agree(self, attempt: int, own: Reported) -> list[Reported]:
        return [own]


class Several:
    """One of several hosts. The store of host 0's agent outlives the attempts."""

    def __init__(self, address: str, port: int, hosts: int, host: int, stopped: Callable[[], bool]):
        from lsml_spark.train.survival import meeting

        self.address, self.port, self.hosts, self.host, self.stopped = address, port, hosts, host, stopped
        self.kept: Any = (
            meeting.visit(address, port, ARRIVE, stopped) if host else meeting.serve(address, port)
        )

    @contextmanager
    def store(self) -> Iterator[tuple[dict[str, str], int | None]]:
        yield (
            {
                "MASTER_ADDR": self.address,
                "MASTER_PORT": str(self.port),
                "TORCHELASTIC_USE_AGENT_STORE": "True",
            },
            None,
        )

    def fail(self, attempt: int) -> None:
        self.kept.set(f"agents/{attempt}/failed", "")

    def failed(self, attempt: int) -> bool:
        return bool(self.kept.check([f"agents/{attempt}/failed"]))

    def agree(self, attempt: int, own: Reported) -> list[Reported]:
        self.kept.set(f"agents/{attempt}/{self.host}", json.dumps([own.codes, own.said]))
        keys, end = [f"agents/{attempt}/{host}" for host in range(self.hosts)], None
        while not self.kept.check(keys):
            if end is None and (self.failed(attempt) or self.stopped()):
                end = time.monotonic() + ANSWER
            if end is not None and time.monotonic() > end:
                break
            time.sleep(addresses.PAUSE)
        answers = []
        for host, key in enumerate(keys):
            if self.kept.check([key]):
                answers.append(Reported(*json.loads(self.kept.get(key))))
            else:
                answers.append(Reported([1], [f"host {host} has not answered for {ANSWER:.0f} s"]))
        return answers

    def leave(self) -> None:
        """The store goes with host 0, so that one is the last."""
        if self.host:
            self.kept.set(f"agents/left/{self.host}", "")
            return
        keys, end = [f"agents/left/{host}" for host in range(1, self.hosts)], time.monotonic() + LEAVE
        while not self.kept.check(keys) and time.monotonic() < end:
            time.sleep(addresses.PAUSE)
