"""The keys of the training window and the labels of the day: their figures, and against those of the last
night.

Keys come from the zipf profile. Labels are counted from the prepared rows of the day (table `test`), against
the last night's day where it is at hand, else against the window that the model trains on.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lsml_spark.core.work import Source
from lsml_spark.report.charts import rank_curve
from lsml_spark.report.facts import Night
from lsml_spark.report.quality.compare import categories
from lsml_spark.report.series import number
from lsml_spark.report.text import visible

FIGURES = ("rows", "keys", "hapaxes", "unseen_mass", "unseen_keys")
TOP, KNOWN = 30, 10_000  # keys shown; labels counted by name
CURVE = 60


def keys(night: Night, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Figures, rank–frequency curve and top keys, each with last night's; None before the keys were
    counted.
    """
    now, last = night.facts("zipf", "profile.json"), night.facts_before("zipf", "profile.json")
    if not now:
        return None
    before = {str(key): (rank, rows) for rank, (key, rows) in enumerate(last.get("top") or [], 1)}
    top = [
        [visible(key, 60), rows, *before.get(str(key), (None, None))]
        for key, rows in (now.get("top") or [])[:TOP]
    ]
    named = {str(key) for key, _ in now.get("top") or []}
    return {
        **role(night, "key", columns),
        "figures": {name: [number(now.get(name)), number(last.get(name))] for name in FIGURES},
        "since": night.previous["zipf"].manifest.date if last else None,
        "top": top,
        "gone": [
            [visible(key, 60), rank] for key, (rank, _) in list(before.items())[:TOP] if key not in named
        ],
        "curve": [_curve(profile) for profile in (now, last)],
    }


def labels(
    night: Night, columns: Sequence[Mapping[str, Any]], checks: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Shares of the day's labels against an earlier day's or the window's; None where there are no prepared
    rows to read.
    """
    source = night.sources.get("prepare")
    now = _counted(source, "test")
    if source is None or now is None:
        return None
    previous = night.previous.get("prepare")
    last, against = _counted(previous, "test"), previous.manifest.date if previous else None
    if last is None:
        last, against = (
            _counted(source, "train"),
            "the training window" if "train" in source.manifest.tables else None,
        )
    of = role(night, "label", columns)
    top, rest, apart = categories(now, last)
    about = [
        place
        for place, check in enumerate(checks)
        if "label" in str(check.get("rule")) or (of and check.get("column") == of["column"])
    ]
    return {
        **of,
        "rows": now["rows"],
        "distinct": [now["distinct"], last["distinct"] if last else None],
        "against": against if last else None,
        "top": [[visible(value, 60), *shares] for value, *shares in top],
        "rest": rest,
        "drift": apart,
        "checks": about,
    }


def role(night: Night, name: str, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`column`: the place of the raw column that `prepare.sql` calls `name`, where it is one (`StockCode AS
    label`).
    """
    source = night.sources.get("prepare")
    sql = str(source.manifest.config.get("sql") or "") if source else ""
    match = re.search(rf"([\w.]+|`[^`]+`)\s+AS\s+`?{name}\b", sql, re.IGNORECASE)
    raw = match[1].strip("`").rpartition(".")[2] if match else ""
    place = next((place for place, column in enumerate(columns) if column["name"] == raw), None)
    return {} if place is None else {"column": place}


def _counted(source: Source | None, table: str) -> dict[str, Any] | None:
    """`top`, `others`, `rows`, `distinct` of column `label`, as a profile has them, file by file; None where
    it cannot be read.
    """
    if (
        source is None
        or table not in source.manifest.tables
        or "label" not in source.manifest.tables[table].columns
    ):
        return None
    counts: pa.Table | None = None
    for path in source.files(table):
        for batch in pq.ParquetFile(path).iter_batches(columns=["label"]):
            label = batch.column(0)
            if pa.types.is_nested(label.type):
                return None
            part = pa.table(
                {
                    "label": pc.cast(label.drop_null(), pa.string()),
                    "rows": pa.array(np.ones(len(label.drop_null()), np.int64)),
                }
            )
            both = part if counts is None else pa.concat_tables([counts, part])
            counts = both.group_by("label").aggregate([("rows", "sum")]).rename_columns(["label", "rows"])
    if counts is None:
        return None
    counts = counts.sort_by([("rows", "descending"), ("label", "ascending")])
    rows = pc.sum(counts["rows"]).as_py() or 0
    top = [[row["label"], row["rows"]] for row in counts.slice(0, KNOWN).to_pylist()]
    return {
        "top": top,
        "others": rows - sum(count for _, count in top),
        "rows": rows,
        "distinct": counts.num_rows,
    }


def _curve(profile: Mapping[str, Any]) -> list[list[float]] | None:
    """[[rank, rows per key], …] of a spectrum, thinned evenly in log rank."""
    spectrum = profile.get("spectrum") or []
    if not spectrum:
        return None
    frequencies, counts = zip(*spectrum, strict=True)
    xs, ys = rank_curve(frequencies, counts, frequencies)
    kept = np.unique(np.searchsorted(xs, np.geomspace(1, xs[-1], CURVE)).clip(max=len(xs) - 1))
    return [[number(xs[place], 4) or 0, number(ys[place], 4) or 0] for place in kept]
