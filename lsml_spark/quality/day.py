"""What a check of a whole day may look at: the day's profile, a sample of its rows, and the good days before
it.

A profile is plain JSON values, as written to `profile.json`; docs/reference.md lists its fields.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

Profile = Mapping[str, Any]
Metrics = Mapping[tuple[str, str], float]  # (column or "" for the table, metric) → value


@dataclass(frozen=True)
class Past:
    """An earlier day that was found fit to train on. What it left is read when it is asked for."""

    date: datetime.date
    load_profile: Callable[[], Profile]
    load_metrics: Callable[[], Metrics]
    load_clean: Callable[[], DataFrame]
    # what the model of that night thought of its held-out rows
    load_scores: Callable[[], pa.Table | None] = lambda: None

    @cached_property
    def profile(self) -> Profile:
        return self.load_profile()

    @cached_property
    def metrics(self) -> Metrics:
        return self.load_metrics()


@dataclass(frozen=True)
class Day:
    """The day that is being judged.

    Fields:
        rows, clean: how many records there were, and how many passed the row checks.
        profile: of all its typed rows, quarantined ones too.
        sample: up to 20,000 of its typed rows drawn by hash (all rows of a smaller day): the contract's
            columns.
        history: earlier good days, the oldest first.
        headers: columns of each raw file as found, by file name.
        typed: all rows under the contract's types, with `_file` and `_line`; `clean_rows`: those that passed.
    """

    date: datetime.date
    rows: int
    clean: int
    profile: Profile
    sample: pa.Table
    history: Sequence[Past] = ()
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    typed: Callable[[], DataFrame] | None = None
    clean_rows: Callable[[], DataFrame] | None = None

    def column(self, name: str) -> Mapping[str, Any]:
        """The profile of a column; empty where there is none."""
        return self.profile.get("columns", {}).get(name, {})

    def metric(self, column: str, metric: str) -> float | None:
        """A figure of this day; column "" means the table."""
        figures = self.column(column).get("metrics", {}) if column else self.profile.get("metrics", {})
        return figures.get(metric)

    def series(self, column: str, metric: str) -> np.ndarray:
        """The same figure on the days before, the oldest first, shape (N,); days without it are left out."""
        values = [past.metrics.get((column, metric)) for past in self.history]
        return np.array([value for value in values if value is not None], float)

    @property
    def last(self) -> Past | None:
        """The last good day."""
        return self.history[-1] if self.history else None
