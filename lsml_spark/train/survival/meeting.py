"""How ranks find each other: a key-value store that rank 0, or the agent, keeps at one address.

Written beside torch's `env://` rendezvous because that listens on every address of the host, hears no signal
while it waits (SIGTERM took minutes), and does not say who is missing. What ranks write here are their names
and gloo's or NCCL's addresses: bytes that nothing unpickles. docs/network.md says who can reach it.
"""

import datetime
import os
import re
import socket
import time
from collections.abc import Callable

from torch.distributed import PrefixStore, Store, TCPStore

from lsml_spark.core import addresses
from lsml_spark.core.errors import ConfigError, Stopped

# the agent's listening socket, which rank 0 inherits: no one can take its port meanwhile
LISTENING = "LSML_STORE_FD"


class NobodyThere(Exception):
    """Peers have not come in time; the message says which."""


def meet(rank: int, size: int, timeout: float, stopped: Callable[[], bool]) -> Store:
    """The store in which all ranks of this attempt are present.

    Raises:
        ConfigError: MASTER_ADDR or MASTER_PORT is missing or makes no sense.
        EnvironmentProblem: rank 0 cannot listen at MASTER_ADDR.
        NobodyThere: a rank has not come within `timeout` seconds.
        Stopped: `stopped` says so.
    """
    end = time.monotonic() + timeout
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    address, port = place(size)
    _choose_interface(address, port)
    store = PrefixStore(f"lsml/{attempt}", _store(rank, address, port, timeout, stopped))
    store.set(f"here/{rank}", "")
    missing = list(range(size))
    while missing := [other for other in missing if not store.check([f"here/{other}"])]:
        if stopped():
            raise Stopped("stopped while it waited for the other ranks; run the same command again to go on")
        if time.monotonic() > end:
            raise NobodyThere(
                f"rank{'s' * (len(missing) > 1)} {', '.join(map(str, missing))} did not come within "
                f"{timeout:.0f} s"
            )
        time.sleep(addresses.PAUSE / 5)
    return store


def place(size: int) -> tuple[str, int]:
    """Address and port of the store. All ranks on one host meet on its loopback interface, whatever
    MASTER_ADDR says.
    """
    address = {name: os.environ.get(name, "").strip() for name in ("MASTER_ADDR", "MASTER_PORT")}
    for name, value in address.items():
        if not value:
            raise ConfigError(
                f"environment variable {name} is not set, but WORLD_SIZE={size}: whoever starts the ranks "
                "must set it"
            )
    if not re.fullmatch("[0-9]{1,5}", address["MASTER_PORT"]) or not 0 < int(address["MASTER_PORT"]) < 2**16:
        raise ConfigError(
            "environment variable MASTER_PORT: expected a port (1 to 65535), "
            f"found '{address['MASTER_PORT']}'"
        )
    alone = os.environ.get("LOCAL_WORLD_SIZE") == str(size)
    return addresses.loopback() if alone else address["MASTER_ADDR"].strip("[]"), int(address["MASTER_PORT"])


def serve(
    address: str, port: int, listening: socket.socket | None = None, timeout: float = 300.0
) -> TCPStore:
    """A store that listens at this address alone."""
    server = listening or addresses.listen(address, port)
    limit = datetime.timedelta(seconds=timeout)
    return TCPStore(
        address, port, None, True, limit, wait_for_workers=False, master_listen_fd=server.detach()
    )


def visit(
    address: str, port: int, timeout: float, stopped: Callable[[], bool], patient: bool = True
) -> TCPStore:
    """The store that another process keeps there. NobodyThere where it does not answer in time."""
    if not addresses.reach(address, port, timeout, stopped, patient):
        raise NobodyThere(f"nobody listens at MASTER_ADDR={address}, MASTER_PORT={port}")
    return TCPStore(address, port, None, False, datetime.timedelta(seconds=timeout), wait_for_workers=False)


def _store(rank: int, address: str, port: int, timeout: float, stopped: Callable[[], bool]) -> TCPStore:
    if rank or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        return visit(address, port, timeout, stopped)
    inherited = os.environ.get(LISTENING)
    return serve(address, port, socket.socket(fileno=int(inherited)) if inherited else None, timeout)


def _choose_interface(address: str, port: int) -> None:
    """Tell gloo, and on one host NCCL, which interface to talk over: the one on the way to rank 0. What the
    user has set stays.
    """
    own = address if addresses.is_loopback(address) else addresses.way_to(address, port)
    interface = addresses.interface_of(own) if own else None
    if interface is None:
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    # between hosts NCCL knows better which of several cards is the fast one
    if own and addresses.is_loopback(own):
        os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
