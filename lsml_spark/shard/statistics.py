"""What is in each shard: rows, and by column the smallest, the largest and the mean, taken as the rows pass
to the file.

Kept by column and not by shard, and without what the manifest says already (bytes, checksums), so that ten
thousand shards make a JSON file of megabytes and the same rows the same file. There are no nulls to count:
shards hold none.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NAME = "statistics.json"
DIGITS = 9  # of a mean: what does not change with the order of a sum


class Moments:
    """Watches the rows of one shard (`spark/tables.py: Watcher`): those of one partition."""

    def __init__(self, place: str, numbers: Sequence[str], label: str | None):
        self.place, self.numbers, self.label = place, numbers, label
        self.shard: int | None = None
        self.rows = 0
        self.low = dict.fromkeys(numbers, math.inf)
        self.high = dict.fromkeys(numbers, -math.inf)
        self.sum = dict.fromkeys(numbers, 0.0)
        self.finite = dict.fromkeys(numbers, 0)
        self.labels: pa.Array | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self.rows += batch.num_rows
        self.shard = batch.column(self.place)[0].as_py()
        for name in self.numbers:
            column = batch.column(name)
            if pa.types.is_boolean(column.type):
                column = column.cast(pa.uint8())
            elif pa.types.is_float64(column.type):
                column = column.cast(pa.float32())  # as the shard holds it
            values_N = column.drop_null().to_numpy(zero_copy_only=False)
            if values_N.dtype.kind == "f":
                values_N = values_N[np.isfinite(values_N)]
            if len(values_N):
                self.low[name] = min(self.low[name], values_N.min().item())
                self.high[name] = max(self.high[name], values_N.max().item())
                self.sum[name] += float(values_N.sum(dtype=np.float64))
                self.finite[name] += len(values_N)
        if self.label is not None:
            seen = batch.column(self.label)
            self.labels = pc.unique(seen if self.labels is None else pa.concat_arrays([self.labels, seen]))

    def finish(self) -> bytes:
        columns = {
            name: [
                self.low[name],
                self.high[name],
                float(f"{self.sum[name] / self.finite[name]:.{DIGITS}g}"),
                self.rows - self.finite[name],
            ]
            if self.finite[name]
            else [None, None, None, self.rows]
            for name in self.numbers
        }
        labels = len(self.labels) if self.labels is not None else None
        return json.dumps(
            {"shard": self.shard, "rows": self.rows, "labels": labels, "columns": columns}
        ).encode()


def by_table(
    seen: Sequence[bytes], tables: Mapping[str, Sequence[int]], columns: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The reports of all partitions as {table: {rows: […], labels: […], columns: {name: {min: […], max, mean,
    infinite}}}}.

    A list has one entry per file of the table, in the manifest's order. `tables`: the shards of each;
    `columns`: those it has. `infinite` counts NaN and ±∞, which the other figures leave out.
    """
    reports = {report["shard"]: report for report in map(json.loads, seen)}
    merged = {}
    for table, shards in tables.items():
        mine = [reports[shard] for shard in shards]
        figures = ("min", "max", "mean", "infinite")
        merged[table] = {
            "rows": [report["rows"] for report in mine],
            "labels": [report["labels"] for report in mine],
            "columns": {
                name: {
                    figure: [report["columns"][name][i] for report in mine]
                    for i, figure in enumerate(figures)
                }
                for name in (mine[0]["columns"] if mine else ())
                if name in columns[table]
            },
        }
    return merged
