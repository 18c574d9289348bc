"""The live line of rank 0: rows per second, loss, learning rate, how far, how long still, and the share of
time spent waiting for data.

A line every two seconds. Where standard output is a terminal the line is redrawn in place; anywhere else (a
log, the launcher's pipe) each is a line of its own that begins with PROGRESS, by which the launcher knows it.
"""

import re
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from lsml_spark.core import duration
from lsml_spark.core.process import PROGRESS
from lsml_spark.train.books.clock import DATA, StepClock

SECONDS = 2.0
WINDOW = 15  # lines that the speed is taken over: half a minute


class Progress:
    """`steps` and `epochs` are those of the whole training, `first` the step it begins at (where it was
    resumed).

    `ends`: the moment, on `now`'s clock, at which a time budget is spent; the time left is the shorter of the
    two.
    """

    def __init__(
        self,
        *,
        steps: int,
        epochs: int,
        clock: StepClock,
        first: int = 0,
        ends: float | None = None,
        out: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
    ):
        self.steps, self.epochs, self.clock, self.ends, self.now = steps, epochs, clock, ends, now
        self.out = out or sys.stdout
        self.redraws = self.out.isatty()
        self.rows = 0
        # moment, steps done, rows done in this process
        self.marks = deque([(now(), first, 0)], maxlen=WINDOW)
        self.booked = dict(clock.totals)

    def show(self, step: int, epoch: int, rows: int, loss: float, rate: float) -> None:
        """After every step: its number and its epoch's (from 0), the rows of its global batch, its loss and
        learning rate.
        """
        self.rows += rows
        moment = self.now()
        if moment - self.marks[-1][0] < SECONDS:
            return
        since, steps_then, rows_then = self.marks[0]
        self.marks.append((moment, step + 1, self.rows))
        elapsed = moment - since
        left = (self.steps - step - 1) * elapsed / max(step + 1 - steps_then, 1)
        left = left if self.ends is None else max(0.0, min(left, self.ends - moment))
        self._say(
            f"epoch {epoch + 1}/{self.epochs}  step {step + 1:,}/{self.steps:,}  "
            f"{(self.rows - rows_then) / elapsed:,.0f} rows/s  "
            f"loss {loss:.4f}  lr {rate:.3g}  data wait {self._data_wait():.0%}  {duration.said(left)} left"
        )

    def close(self) -> None:
        """Leaves the last line standing on a terminal."""
        if self.redraws:
            print(file=self.out, flush=True)

    def _data_wait(self) -> float:
        """Share of this rank's time since the last line."""
        booked, self.booked = self.booked, dict(self.clock.totals)
        passed = sum(self.booked.values()) - sum(booked.values())
        return (self.booked[DATA] - booked[DATA]) / passed if passed else 0.0

    def _say(self, line: str) -> None:
        if self.redraws:
            print(f"\r\x1b[2K{line}", end="", file=self.out, flush=True)
        else:
            print(f"{PROGRESS}{line}", file=self.out, flush=True)


def passing(line: str) -> bool:
    """Whether a launcher's line is one of these, which the next one makes old."""
    return re.match(r"epoch \d+/\d+  step ", line) is not None
