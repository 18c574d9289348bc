"""How many rows the budget pays for: rows, a share of them, or time at the speed that the last night
measured.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsml_spark.core.duration import NUMBER, SECONDS
from lsml_spark.core.errors import ConfigError

TIME = re.compile(rf"{NUMBER}(?:\s+on\s+(\d+)\s+workers?)?")


@dataclass(frozen=True)
class Time:
    """`2h on 8 workers`: training time; without workers, as many as the last night had."""

    seconds: float
    workers: int | None


def parse(budget: float | str) -> float | Time:
    """A budget as the YAML says it. ValueError where it is neither a positive number nor a time."""
    if isinstance(budget, str):
        match = TIME.fullmatch(budget.strip())
        if not match or not float(match[1]):
            raise ValueError(
                f"'{budget}' is no budget: say a share (0.5), a number of rows (200000) or a time (90min, 2h "
                "on 8 workers)"
            )
        return Time(float(match[1]) * SECONDS[match[2]], int(match[3]) if match[3] else None)
    if not budget > 0:
        raise ValueError(f"a budget of {budget} rows trains nothing; it must be greater than 0")
    return float(budget)


def rows(budget: float | Time, available: int, speed: "Speed | None") -> float:
    """Rows to keep of those available; ConfigError where a time is asked for and no night has measured a
    speed.
    """
    if isinstance(budget, Time):
        if speed is None:
            raise ConfigError(
                "select.budget is a time, and no earlier night has measured how fast training is; "
                "give the rows or the share that the first night may take: --set select.budget=0.1"
            )
        return min(speed.rows_in(budget), available)
    return budget * available if budget <= 1 else min(budget, available)


@dataclass(frozen=True)
class Speed:
    """Of a finished training: rows per second of all its workers together, and how often each row was
    read.
    """

    rows_per_second: float
    workers: int
    epochs: int

    @classmethod
    def of(
        cls, train: Mapping[str, Any], config: Mapping[str, Any], metrics: Mapping[str, Any]
    ) -> "Speed | None":
        """From a train manifest's `run`, `config` and `metrics`."""
        measured = train.get("rows_per_second")
        return cls(float(measured), int(metrics["world"]), int(config["epochs"])) if measured else None

    def rows_in(self, budget: Time) -> float:
        """Rows that can be read in all epochs within that time, if workers scale."""
        return (
            budget.seconds
            * self.rows_per_second
            / self.workers
            * (budget.workers or self.workers)
            / self.epochs
        )
