"""Where sockets are opened and to whom: the loopback address of this host, or one address that the user
names, never all of them.

Nothing here asks for the name of this host, which need not resolve, and a host may have IPv4, IPv6 or both.
Imports no torch.
"""

import errno
import fcntl
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lsml_spark.core.errors import ConfigError, EnvironmentProblem, Stopped

LOOPBACK = ("127.0.0.1", "::1")
SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of an interface
PAUSE = 0.1  # seconds between two looks, in which a signal is heard


def loopback() -> str:
    """The loopback address that is up. EnvironmentProblem where there is none."""
    for address in LOOPBACK:
        try:
            listen(address, 0).close()
            return address
        except EnvironmentProblem:
            continue
    raise EnvironmentProblem(
        "this host has no loopback interface (neither 127.0.0.1 nor ::1), over which its training ranks talk"
    )


def listen(address: str, port: int) -> socket.socket:
    """A listening socket on this address of the host and no other; port 0 takes a free one.

    EnvironmentProblem where the address is not this host's or the port is taken, ConfigError where the name
    is unknown.
    """
    family, place = _resolved(address, port)
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(place)
        server.listen(1024)
    except OSError as error:
        server.close()
        why = (
            "is taken by another program"
            if error.errno == errno.EADDRINUSE
            else f"cannot be listened on ({error.strerror})"
        )
        raise EnvironmentProblem(
            f"MASTER_ADDR={address}, MASTER_PORT={port} {why}; name an address of the first rank's host"
        ) from error
    return server


def reach(address: str, port: int, seconds: float, stopped: Callable[[], bool], patient: bool = True) -> bool:
    """Whether somebody listens there within so many seconds; without patience a refusal is an answer. Stopped
    where `stopped` says so.
    """
    end = time.monotonic() + seconds
    while True:
        if stopped():
            raise Stopped("stopped while it waited for the first rank; run the same command again to go on")
        try:
            family, place = _resolved(address, port)
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.settimeout(1.0)
                probe.connect(place)
                return True
        except OSError as error:
            refused = isinstance(error, ConnectionRefusedError) and not patient
        except ConfigError:  # the first host's name may come later than this one
            refused = False
            if time.monotonic() > end:
                raise
        if refused or time.monotonic() > end:
            return False
        time.sleep(PAUSE)


def way_to(address: str, port: int) -> str | None:
    """This host's own address on the way to another one; None where there is no way. Nothing is sent."""
    try:
        family, place = _resolved(address, port or 1)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    except (OSError, ConfigError):
        return None


def interface_of(address: str) -> str | None:
    """The interface that has this address, as GLOO_SOCKET_IFNAME wants it; None where the system does not
    tell.
    """
    if is_loopback(address):
        return next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    if sys.platform != "linux":
        return None
    if ":" in address:
        digits = socket.inet_pton(socket.AF_INET6, address.partition("%")[0]).hex()
        lines = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines()]
        return next((words[-1] for words in lines if words[0] == digits), None)
    return next((name for _, name in socket.if_nameindex() if _ipv4_of(name) == address), None)


def is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")


def _ipv4_of(interface: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(
                probe.fileno(), SIOCGIFADDR, struct.pack("256s", os.fsencode(interface)[:15])
            )
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


def _resolved(address: str, port: int) -> tuple[int, tuple]:
    try:
        family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise ConfigError(
            f"MASTER_ADDR={address}: this name is not known here ({error}); name the first rank's host by "
            "its address"
        ) from error
    return family, place
