"""Read a rank's batches from Parquet shards: only the row groups of its lanes, only the columns that the
model names.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.data.batch import Batch, Column, Ragged
from lsml_spark.data.order.plan import Plan
from lsml_spark.data.parquet.files import Group
from lsml_spark.data.parquet.schema import Sources, sources_of
from lsml_spark.data.parquet.shards import GROUP, LABEL, OFFSET, SAMPLE_ID, WEIGHT, Shards
from lsml_spark.data.stream import MEMORY, THREADS, Lost, OnBad, Rows, Stream

__all__ = ["GROUP", "LABEL", "OFFSET", "SAMPLE_ID", "WEIGHT", "Group", "Lost", "Shards", "batches"]


def batches(
    shards: Shards,
    plan: Plan,
    rank: int,
    *,
    start: int = 0,
    by_lane: bool = True,
    sample_ids: bool = False,
    threads: int = THREADS,
    memory: int = MEMORY,
    on_bad: OnBad = "fail",
    lost: Lost | None = None,
) -> Iterator[list[Batch]]:
    """For each of `plan.steps` steps from `start` on, one batch per lane of this rank (in lane order; the
    last ones may be empty).

    Without `by_lane` one batch for all of them.

    `threads` read ahead, in at most `memory` bytes (see data/stream.py). `on_bad`: skip leaves the rows of a
    row group that cannot be read out of their steps and notes it in `lost`; fail raises the IntegrityError.
    """
    columns_read = list(
        dict.fromkeys(
            [shards.label, WEIGHT, *shards.optional, *shards.features, *([SAMPLE_ID] if sample_ids else [])]
        )
    )
    if start >= plan.steps:
        return
    sources = sources_of(shards.schema(on_bad == "skip"), columns_read)

    def make(rows: Rows, rows_L: Sequence[int]) -> list[Batch]:
        return [_batch(shards, sources, columns) for columns in rows]

    yield from Stream(
        shards, plan, rank, sources, make,
        start=start, by_lane=by_lane, threads=threads, memory=memory, on_bad=on_bad, lost=lost,
    )  # fmt: skip


def _batch(shards: Shards, sources: Sources, columns: Mapping[str, Column]) -> Batch:
    def of(name: str) -> Any:
        column, place = sources.places[name]
        return columns[column] if place is None else np.asarray(columns[column])[:, place]

    arrays = {name: of(name) for name in shards.features}
    flat = {name: array for name, array in arrays.items() if not isinstance(array, Ragged)}
    return Batch(
        label=of(shards.label),
        weight=of(WEIGHT),
        scalars={name: array for name, array in flat.items() if array.ndim == 1 and array.dtype != object},
        ragged={name: array for name, array in arrays.items() if isinstance(array, Ragged)},
        sample_ids=of(SAMPLE_ID) if SAMPLE_ID in sources.places else None,
        offset=of(OFFSET) if OFFSET in shards.optional else None,
        tensors={name: array for name, array in flat.items() if array.ndim > 1},
        records={
            column: np.asarray(columns[column])
            for column, place in sources.places.values()
            if place is not None
        },
        texts={name: array for name, array in flat.items() if array.dtype == object},
    )
