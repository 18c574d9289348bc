"""Profiles and `metrics` tables as docs/reference.md draws them: of a shop's rows, and of a wide table over
many nights.
"""

import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.manifest import File, Table, describe

QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}
Values = Sequence[Any]


def shop_rows(
    date: str, rows: int = 1737, missing: float = 0.23, shift: float = 0.0, evil: str = ""
) -> dict[str, tuple[str, str, Values]]:
    """{column: (type, kind, values)} of a day's lines; `shift` moves the prices, `missing` is of
    CustomerID.
    """
    rng = np.random.default_rng(int(date.replace("-", "")))
    start = datetime.datetime.fromisoformat(date).replace(tzinfo=datetime.UTC).timestamp()
    keys = 22000 + np.minimum(rng.zipf(1.4, rows), 1500)
    seconds = start + np.clip(rng.normal(13.0, 2.2, rows), 7.5, 20) * 3600
    customers = [
        None if lost else f"{12000 + int(who)}.0"
        for lost, who in zip(rng.random(rows) < missing, rng.zipf(1.6, rows) % 900, strict=True)
    ]
    countries = rng.choice(
        ["United Kingdom", "Germany", "France", "EIRE", evil or "Spain"],
        rows,
        p=[0.9, 0.04, 0.03, 0.02, 0.01],
    )
    return {
        "InvoiceNo": (
            "string",
            "text",
            [f"{536000 + int(number)}" for number in np.sort(rng.integers(0, 90, rows))],
        ),
        "StockCode": ("string", "text", [str(key) for key in keys]),
        "Description": (
            "string",
            "text",
            [evil or None if index % 190 == 0 else f"ITEM {key}" for index, key in enumerate(keys)],
        ),
        "Quantity": (
            "int",
            "number",
            np.where(rng.random(rows) < 0.03, -1, rng.zipf(1.7, rows).clip(max=400)).tolist(),
        ),
        "InvoiceDate": ("timestamp", "time", seconds.tolist()),
        "UnitPrice": ("double", "number", np.round(np.exp(rng.normal(0.8 + shift, 0.9, rows)), 2).tolist()),
        "CustomerID": ("string", "text", customers),
        "Country": ("string", "text", countries.tolist()),
        "Gift": ("boolean", "boolean", (rng.random(rows) < 0.1).tolist()),
    }


def profile(rows: Mapping[str, tuple[str, str, Values]]) -> dict[str, Any]:
    """profile.json of these rows, by NumPy."""
    total = len(next(iter(rows.values()))[2])
    columns = {name: _column(kind_type, kind, values) for name, (kind_type, kind, values) in rows.items()}
    table = {"rows": total, "clean": total, "quarantined": 0, "kept_share": 1.0}
    return {"rows": total, "sampled": total, "metrics": table, "columns": columns}


def _column(type_: str, kind: str, values: Values) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    metrics: dict[str, float] = {"missing": len(values) - len(known), "distinct": len(set(known))}
    metrics["missing_share"] = metrics["missing"] / max(1, len(values))
    found: dict[str, Any] = {"type": type_, "kind": kind, "metrics": metrics}
    if kind in ("number", "time") and known:
        numbers = np.sort(np.array(known, dtype=float))
        metrics |= {"min": float(numbers[0]), "max": float(numbers[-1])}
        if kind == "number":
            metrics |= {name: float(np.quantile(numbers, share)) for name, share in QUANTILES.items()}
            metrics |= {
                "mean": float(numbers.mean()),
                "stddev": float(numbers.std(ddof=1)),
                "nan": 0,
                "infinite": 0,
            }
            metrics |= {"zeros": int((numbers == 0).sum()), "negative": int((numbers < 0).sum())}
            metrics["mad"] = float(np.median(np.abs(numbers - metrics["median"])))
        unique, counts = np.unique(numbers, return_counts=True)
        if len(unique) > 512:
            unique, counts = np.quantile(numbers, (np.arange(512) + 0.5) / 512), np.ones(512)
        found["points"] = {"values": unique.tolist(), "weights": (counts / counts.sum()).tolist()}
        found["range"] = [str(numbers[0]), str(numbers[-1])]
    if kind in ("text", "boolean"):
        words = [str(value).lower() if kind == "boolean" else value for value in known]
        ranked = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
        found |= {
            "top": [list(item) for item in ranked[:100]],
            "others": sum(count for _, count in ranked[100:]),
        }
        if kind == "boolean":
            metrics["true"] = words.count("true")
        elif words:
            lengths = np.array([len(word) for word in words])
            metrics |= {
                "empty": words.count(""),
                "length_min": int(lengths.min()),
                "length_max": int(lengths.max()),
            }
            metrics["length_mean"] = float(lengths.mean())
            found["range"] = [min(words), max(words)]
    return found


def figures(given: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """The rows of table `metrics`: one per figure of a profile."""
    rows = [("", name, float(value)) for name, value in given["metrics"].items()]
    return rows + [
        (name, metric, float(value))
        for name, column in given["columns"].items()
        for metric, value in column["metrics"].items()
    ]


def metrics_table(folder: Path, rows: Sequence[tuple[str, str, float]]) -> Table:
    """Write table `metrics` into a quality folder and describe it."""
    path = folder / "metrics" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("column", "metric", "value")
    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})
    pq.write_table(table, path)
    found = describe(folder, path)
    columns = {"column": "string", "metric": "string", "value": "double"}
    return Table(
        columns,
        table.num_rows,
        "2" * 16,
        [File(found.path, found.bytes, found.checksum, table.num_rows, [table.num_rows])],
    )


def wide_rows(columns: int, rows: int = 400, numbers: bool = False) -> dict[str, tuple[str, str, Values]]:
    """A table of `columns` columns: half numbers (or all), three in ten texts, the rest times and
    booleans.
    """
    rng = np.random.default_rng(columns)
    found: dict[str, tuple[str, str, Values]] = {}
    for place in range(columns):
        kind = ("number", "text", "number", "text", "number", "text", "number", "time", "number", "boolean")[
            0 if numbers else place % 10
        ]
        name = f"{('customer', 'order', 'basket', 'session', 'device')[place % 5]}_{kind}_{place:03}"
        lost = rng.random(rows) < (place % 7) / 20
        if kind == "number":
            values: list[Any] = (np.exp(rng.normal(0, 1, rows)) * 10 ** (place % 4)).round(3).tolist()
        elif kind == "time":
            values = (1.298e9 + 60 * rng.integers(0, 1440, rows)).astype(float).tolist()
        elif kind == "boolean":
            values = (rng.random(rows) < 0.4).tolist()
        else:
            values = [f"category {word}" for word in rng.zipf(1.5, rows) % 300]
        types = {"number": "double", "time": "timestamp", "boolean": "boolean", "text": "string"}
        found[name] = (
            types[kind],
            kind,
            [None if gone else value for gone, value in zip(lost, values, strict=True)],
        )
    return found


def wobbled(rows: Sequence[tuple[str, str, float]], night: int) -> list[tuple[str, str, float]]:
    """The figures of another night: each a few percent off, what is 0 stays 0."""
    noise = np.random.default_rng(night).normal(1, 0.03, len(rows))
    return [
        (column, metric, value * float(factor))
        for (column, metric, value), factor in zip(rows, noise, strict=True)
    ]
