"""Stop `lsml` by a signal at a drawn moment, and look at what it says and leaves."""

import os
import random
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}
# what a night says when all is well
PROGRESS = re.compile(r"^\d{4}-\d\d-\d\d \w+ +\S|^WARNING: |^\d{4}-\d\d-\d\d: ")


@dataclass(frozen=True)
class Stop:
    """Some `seconds` after the night `said` something (None: after its start), to its process or its whole
    group.
    """

    said: str | None
    seconds: float
    number: signal.Signals
    group: bool
    twice: bool

    def __str__(self) -> str:
        times = "twice " if self.twice else ""
        return (
            f"{self.number.name} {times}to the {'group' if self.group else 'process'} {self.seconds:.2f} "
            f"s after {self.said or 'start'}"
        )


@dataclass(frozen=True)
class Stopped:
    code: int
    lines: list[str]  # all that it said
    children: list[int]  # what is left of its family

    @property
    def odd(self) -> list[str]:
        """Lines that are neither progress nor the one line of the stop."""
        return [line for line in self.lines if not PROGRESS.match(line)]


def draw(seed: int, moments: list[tuple[str | None, float]]) -> Stop:
    """One stop; `moments`: what the night says, and for how many seconds after it a stop may come."""
    chosen = random.Random(seed)
    said, longest = chosen.choice(moments)
    number = chosen.choice(list(CODES))
    return Stop(said, chosen.uniform(0, longest), number, chosen.random() < 0.5, chosen.random() < 0.25)


def stop(words: list[str], one: Stop, **options) -> Stopped:
    """Run a command until then; TimeoutError where it goes on for a minute after."""

    def heard_by_all() -> None:
        for number in CODES:  # whoever runs the tests may ignore some
            signal.signal(number, signal.SIG_DFL)

    process = subprocess.Popen(
        words,
        preexec_fn=heard_by_all,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **options,
    )
    lines: list[str] = []
    heard = threading.Event()

    def listen() -> None:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if one.said is not None and one.said in line:
                heard.set()
        heard.set()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    if one.said is not None:
        heard.wait()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=one.seconds)
    family = _below(process.pid)
    for _ in range(1 + one.twice):
        with suppress(ProcessLookupError):
            (os.killpg if one.group else os.kill)(process.pid, one.number)
    code = process.wait(timeout=60)
    left = [pid for pid in family if _alive(pid)]
    thread.join(10)
    process.stdout.close()
    return Stopped(code, lines, left)


def _below(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, path.read_text().split()):
                found += [child, *_below(child)]
    return found


def _alive(pid: int) -> bool:
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X"):
                return False
        except OSError:
            return False
        time.sleep(0.02)
    return True
