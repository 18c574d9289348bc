"""Exact figures of every column, batch by batch on Arrow arrays, while the rows are on their way into the
files.

The rows pass through Python anyway, so measuring them here costs neither a second scan nor a plan of hundreds
of Spark aggregates (which outgrows the JVM's limit of 64 KB per method at a few hundred columns). What the
partitions saw is added up without rounding: every partitioning gives the same bits.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core.moments import UNIT, Moments
from lsml_spark.quality.figures import hyperloglog

KINDS = {
    "number": r"tinyint|smallint|int|bigint|float|double|decimal.*",
    "text": r"string.*|char.*|varchar.*",
    "time": r"date|timestamp|timestamp_ntz",
    "boolean": r"boolean",
    "binary": r"binary",
}
SMALL = 2**31  # whole numbers below it have squares that int64 holds


def kind_of(type_: str) -> str:
    """number | text | time | boolean | binary | nested, of a Spark type's simple name; what is none of the
    others is nested.
    """
    return next((kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, type_)), "nested")


def hashed_by_spark(type_: str) -> bool:
    """Whether the 64-bit hash of a value comes with the rows; those of plain numbers are computed here, which
    is cheaper.
    """
    return kind_of(type_) in ("text", "binary", "nested") or type_.startswith("decimal")


def spark_hash(value: str, type_: str) -> str:
    """SQL: xxhash64 of a value; of a list, map or struct, of its JSON (xxhash64 forgets where a list ends and
    takes no map).
    """
    plain = (
        f"to_json({value}, map('ignoreNullFields', 'false'))"
        if re.match("array|map|struct", type_)
        else value
    )
    return f"CASE WHEN {value} IS NOT NULL THEN xxhash64({plain}) END"


@dataclass
class Figures:
    """What is known of one column; all of it can be added up over partitions."""

    missing: int = 0
    counts: dict[str, int] = field(default_factory=dict)  # nan, infinite, zeros, negative, empty, true
    least: Any = None  # the value itself, as a plain Python or NumPy value
    greatest: Any = None
    moments: Moments = field(default_factory=Moments)  # of finite numbers, of lengths, of sizes
    registers: np.ndarray = field(default_factory=hyperloglog.empty)

    def count(self, **counts: int) -> None:
        for name, number in counts.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def bounds(self, least: Any, greatest: Any) -> None:
        self.least = least if self.least is None else min(self.least, least)
        self.greatest = greatest if self.greatest is None else max(self.greatest, greatest)

    def merge(self, other: "Figures") -> None:
        self.missing += other.missing
        self.count(**other.counts)
        if other.least is not None:
            self.bounds(other.least, other.greatest)
        self.moments.merge(other.moments)
        np.maximum(self.registers, other.registers, out=self.registers)


def measure(figures: Figures, type_: str, values: pa.Array) -> None:
    """Add a batch of a column to its figures."""
    figures.missing += values.null_count
    there = values.drop_null() if values.null_count else values
    if len(there):
        MEASURES[kind_of(type_)](figures, there)


def _number(figures: Figures, values: pa.Array) -> None:
    if pa.types.is_decimal(values.type):
        _bounds(figures, values)
        _finite(figures, np.asarray(values.cast(pa.float64(), safe=False)))
        return
    x = values.to_numpy(zero_copy_only=False)
    hyperloglog.add(figures.registers, hyperloglog.hashes(x))
    if x.dtype.kind == "f":
        finite = np.isfinite(x)
        kept = int(finite.sum())
        if kept < len(x):
            nan = int(np.isnan(x).sum())
            figures.count(nan=nan, infinite=len(x) - kept - nan)
            x = x[finite]
        x = x.astype(np.float64, copy=False)
    if len(x):
        figures.bounds(x.min().item(), x.max().item())
        _finite(figures, x)


def _finite(figures: Figures, x: np.ndarray) -> None:
    figures.count(zeros=int(np.count_nonzero(x == 0)), negative=int(np.count_nonzero(x < 0)))
    if x.dtype.kind == "i" and max(abs(int(x.min())), abs(int(x.max()))) < SMALL:
        _whole(figures.moments, x.astype(np.int64, copy=False))
    else:
        figures.moments.add(x.astype(np.float64, copy=False))


def _whole(moments: Moments, x: np.ndarray) -> None:
    """Sums of small whole numbers, shape (N,), in integers."""
    squares = x * x
    moments.count += len(x)
    moments.total += int(x.sum()) << UNIT
    moments.squares += ((int((squares >> 32).sum()) << 32) + int((squares & 0xFFFFFFFF).sum())) << UNIT


def _bounds(figures: Figures, values: pa.Array) -> None:
    bounds = pc.min_max(values)
    figures.bounds(bounds["min"].as_py(), bounds["max"].as_py())


def _text(figures: Figures, values: pa.Array) -> None:
    lengths = np.asarray(pc.utf8_length(values))
    figures.count(empty=int(np.count_nonzero(lengths == 0)))
    _sizes(figures, lengths)


def _binary(figures: Figures, values: pa.Array) -> None:
    _sizes(figures, np.asarray(pc.binary_length(values)))


def _nested(figures: Figures, values: pa.Array) -> None:
    if pa.types.is_list(values.type) or pa.types.is_map(values.type) or pa.types.is_large_list(values.type):
        _sizes(figures, np.diff(np.asarray(values.offsets)))


def _sizes(figures: Figures, sizes: np.ndarray) -> None:
    figures.bounds(int(sizes.min()), int(sizes.max()))
    _whole(figures.moments, sizes.astype(np.int64))


def _time(figures: Figures, values: pa.Array) -> None:
    x = epoch(values)
    hyperloglog.add(figures.registers, hyperloglog.hashes(x))
    figures.bounds(int(x.min()), int(x.max()))


def epoch(values: pa.Array) -> np.ndarray:
    """Microseconds (of a timestamp) or days (of a date) since 1970 as int64, shape (N,)."""
    return np.asarray(values.cast(pa.int32() if pa.types.is_date32(values.type) else pa.int64())).astype(
        np.int64
    )


def _boolean(figures: Figures, values: pa.Array) -> None:
    true = int(values.true_count)
    figures.count(true=true)
    hyperloglog.add(
        figures.registers,
        hyperloglog.hashes(np.array(([1] if true else []) + ([0] if true < len(values) else []), np.int64)),
    )


MEASURES = {
    "number": _number,
    "text": _text,
    "time": _time,
    "boolean": _boolean,
    "binary": _binary,
    "nested": _nested,
}


def figures_of(kind: str, type_: str, figures: Figures, rows: int, distinct: int | None) -> dict[str, float]:
    """The metrics of one column as docs/reference.md lists them; `distinct` where it is known exactly."""
    known = rows - figures.missing
    metrics: dict[str, float] = {
        "missing": figures.missing,
        "missing_share": figures.missing / rows if rows else None,  # type: ignore[dict-item]
        "distinct": hyperloglog.estimate(figures.registers) if distinct is None else distinct,
    }
    if kind == "number":
        metrics |= {name: figures.counts.get(name, 0) for name in ("nan", "infinite")} if known else {}
    if kind == "boolean" and known:
        metrics["true"] = figures.counts.get("true", 0)
    if kind == "text" and known:
        metrics["empty"] = figures.counts.get("empty", 0)
    if figures.least is not None:
        metrics |= _of_values(kind, type_, figures)
    return {name: value for name, value in metrics.items() if value is not None}


def _of_values(kind: str, type_: str, figures: Figures) -> dict[str, float]:
    least, greatest, moments = figures.least, figures.greatest, figures.moments
    if kind == "time":
        return {"min": seconds(type_, least), "max": seconds(type_, greatest)}
    if kind == "number":
        metrics = {"min": float(least), "max": float(greatest), "mean": moments.mean}
        spread = {"stddev": moments.stddev} if moments.count > 1 else {}
        return metrics | spread | {name: figures.counts.get(name, 0) for name in ("zeros", "negative")}
    if kind == "binary":
        return {"length_min": least, "length_max": greatest}
    word = "length" if kind == "text" else "size"
    return {f"{word}_min": least, f"{word}_max": greatest, f"{word}_mean": moments.mean}


def seconds(type_: str, count: int) -> float:
    """Epoch seconds of what `epoch` gives."""
    return count * 86_400.0 if type_ == "date" else count / 1e6


def range_of(kind: str, type_: str, figures: Figures) -> list[str] | None:
    """Least and greatest value as text, of numbers and times."""
    if figures.least is None or kind not in ("number", "time"):
        return None
    if kind == "number":
        return [str(figures.least), str(figures.greatest)]
    return [time_text(type_, value) for value in (figures.least, figures.greatest)]


def time_text(type_: str, count: int) -> str:
    """A date, or date and time without needless zeros; any year."""
    if type_ == "date":
        return str(np.datetime64(count, "D"))
    return (
        str(np.datetime64(count, "us")).replace("T", " ").rstrip("0").rstrip(".")
        if count % 1_000_000
        else str(np.datetime64(count // 1_000_000, "s")).replace("T", " ")
    )


def merged(parts: list[Mapping[str, Figures]]) -> dict[str, Figures]:
    """The figures of all partitions together."""
    total: dict[str, Figures] = {}
    for part in parts:
        for name, figures in part.items():
            if name in total:
                total[name].merge(figures)
            else:
                total[name] = figures
    return total
