"""What rank 0 tells of a run while it goes on: a line of metrics for every update, and the live line."""

from pathlib import Path

from lsml_spark.train.books.clock import StepClock
from lsml_spark.train.books.metrics import Metrics, StepRecord
from lsml_spark.train.books.progress import Progress
from lsml_spark.train.step import StepStats


class Record:
    """`first`: the update that is made next; `updates`, `epochs`: of the whole run; `ends`: when its time is
    over (time.monotonic).
    """

    def __init__(
        self, scratch: Path, clock: StepClock, *, first: int, updates: int, epochs: int, ends: float | None
    ):
        self.metrics = Metrics(scratch, first)
        self.progress = Progress(steps=updates, epochs=epochs, clock=clock, first=first, ends=ends)

    def add(
        self,
        update: int,
        epoch: int,
        stats: StepStats,
        rate: float,
        scale: float | None,
        seconds: dict[str, float],
    ) -> None:
        """After an update; `seconds`: wall time of rank 0 in it, one number for each phase of `clock.py`."""
        speed = stats.rows / max(sum(seconds.values()), 1e-9)
        self.metrics.write(
            StepRecord(
                update, epoch, stats.loss, rate, stats.rows, stats.weight, seconds, speed, stats.norm, scale
            )
        )
        self.progress.show(update, epoch, stats.rows, stats.loss, rate)

    def close(self) -> None:
        self.metrics.close()
        self.progress.close()
