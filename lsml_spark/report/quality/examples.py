"""Quarantined rows to look at: a few per reason, the first of each by file and line, whatever the
partitioning.

The quarantine is read file by file and batch by batch, so its size does not matter.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lsml_spark.core.scalars import rows_of
from lsml_spark.core.work import Source
from lsml_spark.report.text import visible

OWN = ("_file", "_line", "date", "reason", "reasons")
RAW, CORRUPT = "_raw_", "_corrupt"  # the text of a column as found; the whole line where it is malformed


def quarantined(source: Source | None, limit: int) -> dict[str, Any]:
    """`columns` of the raw row, `rows` (place, reasons, values) and `total`; at most `limit` rows, reasons in
    turn.
    """
    if source is None or "quarantine" not in source.manifest.tables or limit == 0:
        return {"columns": [], "rows": [], "total": 0}
    best: pa.Table | None = None
    for path in source.files("quarantine"):
        for batch in pq.ParquetFile(path).iter_batches():
            table = _with_order(pa.Table.from_batches([batch]))
            best = _first_of_each(
                pa.concat_tables([best, table], promote_options="default") if best is not None else table,
                limit,
            )
    total = source.manifest.tables["quarantine"].rows
    if best is None or not best.num_rows:
        return {"columns": [], "rows": [], "total": total}
    rows = _in_turn(rows_of(best), limit)
    columns = [name for name in best.column_names if name not in OWN and not name.startswith("__")]
    if all(row.get(CORRUPT) is None for row in rows):
        columns = [name for name in columns if name != CORRUPT]
    names = ["malformed line" if name == CORRUPT else name.removeprefix(RAW) for name in columns]
    return {"columns": names, "rows": [_shown(row, columns, names) for row in rows], "total": total}


def first_of(source: Source | None, checks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """{check: the row that it quarantined first, by file and line}, as found, with `_file` and `_line`."""
    earliest: dict[str, tuple[tuple[str, int], dict[str, Any]]] = {}
    if source is None or "quarantine" not in source.manifest.tables:
        return {}
    for path in source.files("quarantine"):
        for batch in pq.ParquetFile(path).iter_batches():
            table = _with_order(pa.Table.from_batches([batch]))
            for check in checks:
                hits = table.filter(_gives(table, check))
                if hits.num_rows:
                    (row,) = rows_of(
                        hits.sort_by([("__file", "ascending"), ("__line", "ascending")]).slice(0, 1)
                    )
                    place = (row["__file"], row["__line"])
                    earliest[check] = min(
                        earliest.get(check, (place, row)), (place, row), key=lambda item: item[0]
                    )
    return {check: _alone(row) for check, (_, row) in earliest.items()}


def _gives(table: pa.Table, check: str) -> Any:
    """Which rows name the check among their reasons."""
    if "reasons" not in table.column_names or not pa.types.is_list(table["reasons"].type):
        return pc.equal(table["__reason"], check)
    lists = table["reasons"].combine_chunks()
    rows = pc.list_parent_indices(lists).filter(pc.equal(pc.list_flatten(lists), check))
    return pc.is_in(pa.array(range(table.num_rows)), value_set=rows.cast(pa.int64()))


def _alone(row: dict[str, Any]) -> dict[str, Any]:
    names = {
        name: name.removeprefix(RAW)
        for name in row
        if name not in OWN and not name.startswith("__") and name != CORRUPT
    }
    corrupt = {"malformed line": row[CORRUPT]} if row.get(CORRUPT) is not None else {}
    return (
        corrupt
        | {shown: row[name] for name, shown in names.items()}
        | {"_file": row["__file"], "_line": row.get("_line")}
    )


def _with_order(table: pa.Table) -> pa.Table:
    """Add `__reason`, `__file` (base name: the folder differs between machines) and `__line`, never null."""
    empty = pa.array([""] * table.num_rows)
    names = table.column_names
    reason = pc.fill_null(table["reason"].cast(pa.string()), "") if "reason" in names else empty
    file = pc.fill_null(table["_file"].cast(pa.string()), "") if "_file" in names else empty
    line = (
        pc.fill_null(table["_line"].cast(pa.int64()), -1)
        if "_line" in names
        else pa.array(range(table.num_rows))
    )
    table = table.append_column("__reason", reason)
    table = table.append_column("__file", pc.replace_substring_regex(file, r"^.*[/\\]", ""))
    return table.append_column("__line", line)


def _first_of_each(table: pa.Table, limit: int) -> pa.Table:
    order = [("__reason", "ascending"), ("__file", "ascending"), ("__line", "ascending")]
    table = table.take(pc.sort_indices(table, sort_keys=order))
    codes_N = table["__reason"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    starts_N = np.maximum.accumulate(np.where(np.diff(codes_N, prepend=-1) != 0, np.arange(len(codes_N)), 0))
    return table.filter(pa.array(np.arange(len(codes_N)) - starts_N < limit))


def _in_turn(rows: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """One row of each reason, then a second of each, … until `limit`, so that the first rows show every
    reason.
    """
    turn: Counter[str] = Counter()
    ranked = []
    for row in rows:
        ranked.append((turn[row["__reason"]], row))
        turn[row["__reason"]] += 1
    return [row for _, row in sorted(ranked, key=lambda item: item[0])[:limit]]


def _shown(row: dict[str, Any], columns: list[str], names: list[str]) -> dict[str, Any]:
    reasons = row.get("reasons")
    if isinstance(reasons, str):
        reasons = [reasons]
    return {
        "file": visible(row["__file"]),
        "line": row.get("_line"),
        "reasons": [visible(reason) for reason in reasons or [row["__reason"]]],
        "values": [
            (name, None if row[column] is None else visible(row[column]))
            for name, column in zip(names, columns, strict=True)
        ],
    }
