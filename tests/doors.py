"""Which sockets a family of processes listens on, as Linux tells it in /proc."""

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LISTENS = "0A"


def family(pid: int) -> set[int]:
    """The process and all that descend from it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    found, before = {pid}, 0
    while len(found) > before:
        before = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return found


def listening(pid: int) -> set[tuple[str, int, str]]:
    """(address, port, program) of every TCP socket that the process or one of its descendants listens on."""
    owners = {}
    for one in family(pid):
        try:
            name = Path(f"/proc/{one}/comm").read_text().strip()
            for link in Path(f"/proc/{one}/fd").iterdir():
                owners[link.readlink().name] = name
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            owner = owners.get(f"socket:[{words[9]}]")
            if words[3] == LISTENS and owner:
                address, _, port = words[1].partition(":")
                found.add((str(_address(address)), int(port, 16), owner))
    return found


def _address(hexadecimal: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The kernel prints addresses in words of four bytes, each in the machine's order."""
    raw = b"".join(bytes.fromhex(hexadecimal[i : i + 8])[::-1] for i in range(0, len(hexadecimal), 8))
    address = ipaddress.ip_address(raw)
    return getattr(address, "ipv4_mapped", None) or address


def open_to_others(sockets: set[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    """Those of them that another host could reach."""
    return sorted(one for one in sockets if not ipaddress.ip_address(one[0]).is_loopback)


@contextmanager
def watched(pid: int) -> Iterator[set[tuple[str, int, str]]]:
    """Within it, all sockets that were ever seen are collected."""
    seen: set[tuple[str, int, str]] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            try:
                seen.update(listening(pid))
            except OSError:  # the process has ended
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
