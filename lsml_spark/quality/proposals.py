"""Which checks a profile of clean days calls for. Pure: from figures to YAML items, each with the reason for
it.

The rule of thumb: what never happened in the days that were shown is quarantined where it cannot be meant (a
missing key, a negative price, a broken form) and reported where it might be new (an unknown country, a large
order). Only too few rows stop a night: a proposal must not stop a good one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.quality.checks.outlier import bounds
from lsml_spark.quality.figures.shapes import pattern_of

ENOUGH_ROWS = 100  # fewer rows say little about what never happens
FEW = 50  # categories
LIGHT_TAIL = 50.0  # robust z of the farthest value; beyond it the tail is heavy, and far is not wrong


@dataclass(frozen=True)
class Proposal:
    """A check as the YAML has it, under `columns` (of `column`), `rows` or `table`, and why."""

    place: str
    item: Any
    why: str
    column: str = ""


@dataclass(frozen=True)
class Seen:
    """What the days that were shown had: rows and share of missing values per file."""

    rows: Sequence[int]
    missing: Mapping[str, Sequence[float]]


def of_columns(profile: Mapping[str, Any], sample: pa.Table, seen: Seen) -> Iterator[Proposal]:
    """Checks of single columns."""
    rows = profile["rows"]
    if rows < ENOUGH_ROWS:
        return
    for name, column in profile["columns"].items():
        figures, kind = column["metrics"], column["kind"]
        if figures["missing"] == rows:
            continue
        yield from _missing(name, figures, max(seen.missing[name]), rows)
        if kind == "number":
            yield from _number(name, column["type"], figures, sample[name])
        elif kind == "text":
            yield from _text(name, column, figures, sample[name])
        elif kind == "time":
            yield from _time(name, column)


def _missing(name: str, figures: Mapping[str, float], most: float, rows: int) -> Iterator[Proposal]:
    if not figures["missing"] and not figures.get("nan"):
        yield Proposal(
            "columns", {"complete": 1.0, "on_bad": "quarantine"}, f"never missing in {rows:,} rows", name
        )
    elif most < 0.9:
        least = math.floor(100 * (1 - min(0.95, 1.5 * most + 0.02))) / 100
        yield Proposal("columns", {"complete": least}, f"at most {most:.1%} missing in a file", name)


def _number(
    name: str, type_: str, figures: Mapping[str, float], values: pa.ChunkedArray
) -> Iterator[Proposal]:
    if type_ in ("double", "float") and not figures.get("infinite") and not figures.get("nan"):
        yield Proposal("columns", {"finite": {}, "on_bad": "quarantine"}, "no NaN, no infinity", name)
    least, greatest = figures.get("min"), figures.get("max")
    if least is None or greatest is None:
        return
    if _few_wholes(type_, figures):
        known = sorted(values.drop_null().unique().to_pylist())
        yield Proposal("columns", {"one_of": known, "at_most": 0.01}, f"{len(known)} values", name)
        return
    whole = type_ in ("tinyint", "smallint", "int", "bigint")
    if least >= 0:
        low = _outward(least / 10, up=False) if least > 0 else 0
        low = math.floor(low) if whole else low
        yield Proposal(
            "columns", {"in_range": {"low": low}, "on_bad": "quarantine"}, f"least value {least:g}", name
        )
    elif figures["q01"] >= 0:
        yield Proposal(
            "columns", {"in_range": {"low": 0}}, f"hardly ever negative; least value {least:g}", name
        )
    else:
        yield Proposal(
            "columns", {"in_range": {"low": _outward(2 * least, up=False)}}, f"least value {least:g}", name
        )
    if greatest > 0:
        high = min(2 * greatest, 10 * figures["q99"]) if figures["q99"] > 0 else 2 * greatest
        high = _outward(math.ceil(high) if whole else high, up=True)
        high = math.ceil(high) if whole else high
        yield Proposal("columns", {"in_range": {"high": high}}, f"greatest value {greatest:g}", name)
    yield from _outlier(name, values, log=least > 0)


def _few_wholes(type_: str, figures: Mapping[str, float]) -> bool:
    """Whole numbers that are codes, e.g. of a means of payment."""
    return (
        type_ not in ("double", "float")
        and not type_.startswith("decimal")
        and figures.get("distinct", 0) <= 12
    )


def _outlier(name: str, values: pa.ChunkedArray, log: bool) -> Iterator[Proposal]:
    """A bound beyond the farthest value where the tail is light, on the logarithm if that is lighter."""
    numbers = values.drop_null().cast(pa.float64(), safe=False).to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    far = {way: _farthest(numbers, way) for way in ((False, True) if log else (False,))}
    way = min(far, key=lambda key: far[key])
    if 0 < far[way] <= LIGHT_TAIL and len(np.unique(numbers)) > FEW:
        above = math.ceil(1.5 * max(far[way], 3.5))
        item = {"outlier": {"method": "robust_z", "above": above, **({"log": True} if way else {})}}
        yield Proposal("columns", item, f"farthest value at {far[way]:.1f}", name)


def _farthest(values: np.ndarray, log: bool) -> float:
    """Largest robust z of these values, shape (N,)."""
    one = bounds(values, "robust_z", 1.0, log)
    if one is None:
        return 0.0
    low, high = np.log(one) if log else np.array(one)
    shown = np.log(values[values > 0]) if log else values
    return float(np.max(np.abs(shown - (low + high) / 2)) / ((high - low) / 2))


def _text(
    name: str, column: Mapping[str, Any], figures: Mapping[str, float], values: pa.ChunkedArray
) -> Iterator[Proposal]:
    there = values.drop_null().to_pylist()
    if not figures.get("empty"):
        yield Proposal("columns", {"length": {"low": 1}, "on_bad": "quarantine"}, "never empty", name)
    yield Proposal(
        "columns",
        {"length": {"high": int(2 * figures["length_max"])}},
        f"at most {figures['length_max']:g} characters",
        name,
    )
    yield Proposal("columns", {"readable": {}}, "no control characters, no broken encoding", name)
    few = (
        not column.get("others")
        and len(column.get("top", ())) <= FEW
        and len(there) >= 20 * len(column["top"])
    )
    if few:
        known = [value for value, _ in column["top"]]
        yield Proposal("columns", {"one_of": known, "at_most": 0.01}, f"{len(known)} values", name)
    elif figures["length_max"] <= 40 and (pattern_and_share := pattern_of(there)):
        pattern, share = pattern_and_share
        wrong = "quarantine" if share == 1 else "warn"
        yield Proposal(
            "columns", {"matches": pattern, "on_bad": wrong}, f"the form of {share:.1%} of the values", name
        )


def _time(name: str, column: Mapping[str, Any]) -> Iterator[Proposal]:
    first, last = (int(text[:4]) for text in column["range"])
    quoted = "`" + name.replace("`", "``") + "`"
    item = {
        "sql": f"year({quoted}) BETWEEN {first - 5} AND {last + 5}",
        "on_bad": "quarantine",
        "name": f"{name}: not of these years",
    }
    yield Proposal("rows", item, f"{column['range'][0]} to {column['range'][1]}", name)


def of_rows(profile: Mapping[str, Any], doubled: float) -> Iterator[Proposal]:
    """Checks of whole rows; `doubled`: share of rows that repeat an earlier one of their file."""
    rows = profile["rows"]
    if rows < ENOUGH_ROWS:
        return
    for name, column in profile["columns"].items():
        if (
            column["kind"] in ("text", "number")
            and column["type"] != "double"
            and profile["sampled"] == rows == column["metrics"]["distinct"]
        ):
            yield Proposal(
                "rows",
                {"unique": [name], "on_bad": "quarantine"},
                f"{rows:,} different values in {rows:,} rows",
            )
    if doubled <= 0.05:
        yield Proposal(
            "rows",
            {"distinct_row": {}, "on_bad": "quarantine"},
            f"{doubled:.2%} of the rows repeat an earlier one",
        )


def of_table(profile: Mapping[str, Any], seen: Seen) -> Iterator[Proposal]:
    """Checks of the day as a whole."""
    least = min(seen.rows, default=0)
    yield Proposal(
        "table", {"rows": max(1, least // 8), "on_bad": "fail"}, f"fewest rows in a file: {least:,}"
    )
    yield Proposal(
        "table",
        {"rows": {"within": _swing(seen.rows), "of": "trailing_median"}},
        "how far the files lie apart",
    )
    yield Proposal(
        "table", {"kept": 0.5, "on_bad": "fail"}, "a day of which half is broken is no day to learn from"
    )
    yield Proposal("table", "schema", "columns that come, go, or change their type")
    yield Proposal("table", "filled", "columns that go from empty to filled, or back")
    times = [name for name, column in profile["columns"].items() if column["kind"] == "time"]
    if len(times) == 1:
        yield Proposal("table", {"fresh": {"within": "36h", "column": times[0]}}, "the one time column")
    yield Proposal("table", "no_leakage", "rows that an earlier day had already")
    yield Proposal("table", {"anomaly": {"every": True}}, "any figure far from its own history")
    for name, column in profile["columns"].items():
        yield from _drift(name, column)


def _drift(name: str, column: Mapping[str, Any]) -> Iterator[Proposal]:
    figures = column["metrics"]
    if figures.get("distinct", 0) < 2:
        return
    if (column["kind"] in ("text", "boolean") and not column.get("others")) or _few_wholes(
        column["type"], figures
    ):
        yield Proposal(
            "table",
            {"drift": {"column": name, "distance": "js", "below": 0.1, "against": "window"}},
            "few categories",
        )
    elif column["kind"] == "number" and figures.get("min") is not None:
        yield Proposal(
            "table",
            {"drift": {"column": name, "distance": "ks", "below": 0.15, "against": "window"}},
            "a distribution",
        )
        if column["type"] in ("double", "float") and figures["min"] >= 0 and figures.get("median", 0) > 0:
            yield Proposal("table", {"unit_change": {"column": name}}, "cents for euros, grams for kilos")


def _swing(rows: Sequence[int]) -> float:
    if len(rows) < 5:
        return 0.5
    middle = float(np.median(rows))
    return min(0.9, max(0.1, math.ceil(12.5 * max(abs(count / middle - 1) for count in rows)) / 10))


def _outward(value: float, up: bool) -> float:
    """Two significant digits, away from the data."""
    if not value:
        return 0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    rounded = (math.ceil if up else math.floor)(value / step) * step
    return int(rounded) if rounded == int(rounded) else float(f"{rounded:.2g}")
