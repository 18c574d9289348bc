"""Where a rank is, in a file of one page that outlives it: written without a system call, read by whoever
asks what happened.

The pages of ranks on one host are those of the kernel's cache, so even after SIGKILL they hold the last phase
that the rank entered. Two writers: the training thread where it is, the watch's thread that the process is
alive at all.
"""

import contextlib
import mmap
import os
import platform
import struct
import time
from dataclasses import dataclass
from pathlib import Path

PHASES = ("start", "data", "compute", "all-reduce", "checkpoint", "done")
NUMBER = {phase: number for number, phase in enumerate(PHASES)}
SIZE = 1024
WHO = struct.Struct("<id96s")  # pid, wall time − monotonic time, host
# phase, epoch, step, since (monotonic), allowed seconds, seconds spent in each phase
WHERE = struct.Struct("<iqqdd6d")
# beats, time of the last one (monotonic), resident bytes, length of the text that follows
ALIVE = struct.Struct("<qdqi")
WHERE_AT, ALIVE_AT = 128, 256
TEXT_AT = ALIVE_AT + ALIVE.size
TEXT_MOST = SIZE - TEXT_AT


@dataclass(frozen=True)
class Beat:
    """What a rank's page says. `since` and `heard` are wall times of its host."""

    rank: int
    host: str
    pid: int
    phase: str
    epoch: int  # −1 before the first
    step: int
    since: float
    allowed: float  # seconds that the rank may stay in this phase
    seconds: dict[str, float]  # spent in each phase, before this one
    beats: int
    heard: float
    resident: int  # bytes
    reading: str  # shard file and row group

    @property
    def name(self) -> str:
        return f"rank {self.rank} on {self.host} (process {self.pid})"

    @property
    def place(self) -> str:
        """Phase, epoch and step, and what it reads."""
        at = f", epoch {self.epoch}, step {self.step}" if self.epoch >= 0 else ""
        return f"phase {self.phase}{at}" + (f", reading {self.reading}" if self.reading else "")

    def ended(self) -> bool | None:
        """Whether the process is gone; None where it is another host's."""
        if self.host != platform.node():
            return None
        with contextlib.suppress(OSError, IndexError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        return Path("/proc/self").exists() or not _signalled(self.pid)


class Page:
    """A rank's own page."""

    def __init__(self, scratch: Path, rank: int):
        self.rank = rank
        self.file = os.open(scratch / f"heartbeat-{rank}", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(self.file, bytes(SIZE))  # a hole in a mapped file of a full disk would be a SIGBUS
        self.page = mmap.mmap(self.file, SIZE)
        self.lag = time.time() - time.monotonic()
        WHO.pack_into(self.page, 0, os.getpid(), self.lag, platform.node().encode()[:96])

    def where(
        self, phase: str, epoch: int, step: int, since: float, allowed: float, seconds: list[float]
    ) -> None:
        WHERE.pack_into(self.page, WHERE_AT, NUMBER[phase], epoch, step, since, allowed, *seconds)

    def alive(self, beats: int, reading: str) -> None:
        text = reading.encode()[-TEXT_MOST:]  # the end of a long path says more than its beginning
        self.page[TEXT_AT : TEXT_AT + len(text)] = text
        ALIVE.pack_into(self.page, ALIVE_AT, beats, time.monotonic(), _resident(), len(text))

    def beat(self) -> Beat:
        return _parsed(self.rank, self.page[:])

    def publish(self) -> None:
        """Let other hosts see it, on a network file system that writes back when it likes."""
        os.fsync(self.file)

    def close(self) -> None:
        self.page.close()
        os.close(self.file)


def read(scratch: Path) -> dict[int, Beat]:
    """The ranks' pages by rank; those that are not there or half made are left out."""
    beats = {}
    for path in sorted(scratch.glob("heartbeat-*")):
        with contextlib.suppress(OSError, struct.error, ValueError, IndexError):
            rank = int(path.name.removeprefix("heartbeat-"))
            beat = _parsed(rank, path.read_bytes())
            if beat.pid:
                beats[rank] = beat
    return beats


def _parsed(rank: int, page: bytes) -> Beat:
    pid, lag, host = WHO.unpack_from(page, 0)
    phase, epoch, step, since, allowed, *seconds = WHERE.unpack_from(page, WHERE_AT)
    beats, heard, resident, length = ALIVE.unpack_from(page, ALIVE_AT)
    return Beat(
        rank,
        host=host.rstrip(b"\0").decode(errors="replace"),
        pid=pid,
        phase=PHASES[phase],
        epoch=epoch,
        step=step,
        since=since + lag,
        allowed=allowed,
        seconds=dict(zip(PHASES, seconds, strict=True)),
        beats=beats,
        heard=heard + lag,
        resident=resident,
        reading=page[TEXT_AT : TEXT_AT + length].decode(errors="replace"),
    )


def _resident() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * mmap.PAGESIZE
    except (OSError, IndexError):
        return 0


def _signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
