"""What a `Stream` holds and makes: row groups in memory, blocks of steps, and what was lost on the way."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from lsml_spark.data.parquet.columns import Held, Places


@dataclass(frozen=True)
class Loaded:
    """A row group in memory: `order_N` turns places of the plan into rows of the columns."""

    columns: Mapping[str, Held]
    order_N: np.ndarray
    nbytes: int


@dataclass(frozen=True)
class Taken:
    """Places of one row group's order, and where in the block they go."""

    group: int
    order_P: slice | np.ndarray
    places: Places


@dataclass(frozen=True)
class Block:
    """Some consecutive steps, lane after lane: rows [edges[l][k], edges[l][k + 1]) are what lane l gives to
    step k.
    """

    taken: Sequence[Taken]
    edges: Sequence[Sequence[int]]

    @property
    def steps(self) -> int:
        return len(self.edges[0]) - 1


@dataclass
class Lost:
    """Row groups that could not be read and were left out: what was said of each; and those that are being
    read now.
    """

    groups: dict[int, str] = field(default_factory=dict)
    rows: int = 0  # left out of steps so far
    reading: dict[int, int] = field(default_factory=dict)  # by thread; for those who ask why nothing comes

    @contextmanager
    def reads(self, group: int) -> Iterator[None]:
        thread = threading.get_ident()
        self.reading[thread] = group
        try:
            yield
        finally:
            del self.reading[thread]


class Entry:
    """A row group that is held or being loaded; not let go of while steps are made of it."""

    def __init__(self, rows: int):
        self.rows, self.users = rows, 0
        self.future: Future[Loaded | None]
        self.nbytes: float | None = None  # unknown until it is loaded
