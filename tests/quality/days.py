"""Days made by hand: a profile by docs/reference.md from Python values, and a history of such days. No
Spark.
"""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.quality.check import Judged, TableCheck, parse
from lsml_spark.quality.day import Day, Past

DATE = datetime.date(2011, 2, 1)  # a Tuesday
KINDS = {
    str: "text",
    bool: "boolean",
    int: "number",
    float: "number",
    datetime.datetime: "time",
    list: "nested",
}
TYPES = {
    "text": "string",
    "boolean": "boolean",
    "number": "double",
    "time": "timestamp",
    "nested": "array<int>",
}


def column(values: Sequence[Any], listed: int = 100) -> dict[str, Any]:
    """The profile of one column."""
    there = [value for value in values if value is not None]
    kind = next((KINDS[type(value)] for value in there), "text")
    metrics: dict[str, float] = {
        "missing": len(values) - len(there),
        "distinct": len({str(value) for value in there}),
    }
    if values:
        metrics["missing_share"] = metrics["missing"] / len(values)
    found: dict[str, Any] = {"type": TYPES[kind], "kind": kind, "metrics": metrics}
    if kind in ("number", "time"):
        x = np.array(
            [v.replace(tzinfo=datetime.UTC).timestamp() if kind == "time" else v for v in there], float
        )
        finite = np.sort(x[np.isfinite(x)])
        metrics |= (
            {"nan": int(np.isnan(x).sum()), "infinite": int(np.isinf(x).sum())} if kind == "number" else {}
        )
        if len(finite):
            q25, median, q75 = np.quantile(finite, [0.25, 0.5, 0.75])
            metrics |= {
                "min": finite[0],
                "max": finite[-1],
                "mean": finite.mean(),
                "q25": q25,
                "median": median,
                "q75": q75,
            }
            metrics |= (
                {"zeros": int((finite == 0).sum()), "negative": int((finite < 0).sum())}
                if kind == "number"
                else {}
            )
            found["points"] = points(finite)
    counts = Counter(str(value) for value in there)
    if kind in ("text", "boolean") or (kind == "number" and len(counts) <= listed):
        top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        found |= {
            "top": [list(pair) for pair in top[:listed]],
            "others": sum(rows for _, rows in top[listed:]),
        }
    return found


def points(values: np.ndarray) -> dict[str, list[float]]:
    """At most 512 weighted points: the values themselves, else quantile midpoints."""
    distinct, rows = np.unique(values, return_counts=True)
    if len(distinct) <= 512:
        return {"values": distinct.tolist(), "weights": (rows / len(values)).tolist()}
    middle = np.quantile(values, (np.arange(512) + 0.5) / 512, method="inverted_cdf")
    return {"values": middle.tolist(), "weights": [1 / 512] * 512}


def profile_of(columns: Mapping[str, Sequence[Any]], listed: int = 100) -> dict[str, Any]:
    rows = len(next(iter(columns.values()), []))
    found = {name: column(values, listed) for name, values in columns.items()}
    return {
        "rows": rows,
        "sampled": rows,
        "metrics": {"rows": rows, "clean": rows, "kept_share": 1.0},
        "columns": found,
    }


def past(
    columns: Mapping[str, Sequence[Any]],
    date: datetime.date,
    clean: Any = None,
    scores: pa.Table | None = None,
    listed: int = 100,
):
    profile = profile_of(columns, listed)
    metrics = {("", name): value for name, value in profile["metrics"].items()}
    metrics |= {
        (c, name): value
        for c, found in profile["columns"].items()
        for name, value in found["metrics"].items()
    }
    return Past(date, lambda: profile, lambda: metrics, lambda: clean, lambda: scores)


def day(
    columns: Mapping[str, Sequence[Any]],
    *before: Mapping[str, Sequence[Any]],
    listed: int = 100,
    **given: Any,
) -> Day:
    """The day `columns` after the good nights `before`, the oldest first, one a day up to yesterday."""
    profile = profile_of(columns, listed)
    history = [
        past(columns, DATE - datetime.timedelta(days=len(before) - i), listed=listed)
        for i, columns in enumerate(before)
    ]
    sample = pa.table({name: pa.array(values) for name, values in columns.items()})
    return Day(
        **{
            "date": DATE,
            "rows": profile["rows"],
            "clean": profile["rows"],
            "profile": profile,
            "sample": sample,
            "history": history,
            **given,
        }
    )


def judge(item: Any, found: Day) -> Judged:
    """What the check that the YAML item declares says of the day."""
    return parse(item, TableCheck).judge(found)
