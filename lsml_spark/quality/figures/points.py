"""How the values of a column are distributed, from the sample: points with weights, quantiles, the most
frequent values.
"""

import hashlib
import math
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.quality.figures.measure import epoch, seconds

MOST = 512  # points of a distribution
TOP = 100  # frequent values
LONGEST = 200  # characters of a value in `top`
QUANTILES = {"q01": 0.01, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "q99": 0.99}


def described(kind: str, type_: str, values: pa.ChunkedArray) -> tuple[dict[str, float], dict[str, Any]]:
    """(quantiles and mad, the other parts of a column's profile) of the sample's values."""
    if kind == "number":
        return _number(type_, values.drop_null().combine_chunks())
    if kind == "time":
        x = epoch(values.drop_null().combine_chunks())
        return {}, {"points": points(np.array([seconds(type_, count) for count in x.tolist()]))} if len(
            x
        ) else {}
    if kind in ("text", "boolean"):
        return {}, _top(values.drop_null().value_counts())
    return {}, {}


def _number(type_: str, values: pa.Array) -> tuple[dict[str, float], dict[str, Any]]:
    if not len(values):
        return {}, {}
    x = np.asarray(values.cast(pa.float64(), safe=False))
    finite = np.sort(x[np.isfinite(x)])
    parts: dict[str, Any] = {"points": points(finite)} if len(finite) else {}
    counted = values.value_counts()
    if len(counted) <= TOP:
        parts |= _top(counted)
    return quantiles(finite), parts


def quantiles(ascending: np.ndarray) -> dict[str, float]:
    """Quantiles by linear interpolation and the median absolute deviation of N values, (N,); none of none."""
    if not len(ascending):
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        values = dict(zip(QUANTILES, np.quantile(ascending, list(QUANTILES.values())).tolist(), strict=True))
        values["mad"] = float(np.median(np.abs(ascending - values["median"])))
    return {name: value for name, value in values.items() if math.isfinite(value)}


def points(values: np.ndarray) -> dict[str, list[float]]:
    """At most 512 points whose weights sum to 1: the values, shape (N,), themselves where they are few, else
    equal-weight quantile midpoints.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= MOST:
        return {"values": (distinct + 0.0).tolist(), "weights": (counts / len(values)).tolist()}
    middles = np.quantile(values, (np.arange(MOST) + 0.5) / MOST)
    return {"values": middles.tolist(), "weights": [1 / MOST] * MOST}


def _top(counted: pa.Array) -> dict[str, Any]:
    """The most frequent of these pairs of value and count; nothing where there is none."""
    words: dict[str, int] = {}  # values that look alike as text are one
    for pair in counted.to_pylist():
        word = _word(pair["values"])
        words[word] = words.get(word, 0) + pair["counts"]
    ranked = sorted(words.items(), key=lambda pair: (-pair[1], pair[0]))
    return (
        {"top": [list(pair) for pair in ranked[:TOP]], "others": sum(count for _, count in ranked[TOP:])}
        if ranked
        else {}
    )


def _word(value: Any) -> str:
    """A value as text; long ones are cut and told apart by a digest."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else repr(value + 0.0)
    word = str(value)
    if len(word) <= LONGEST:
        return word
    return f"{word[:LONGEST]}… ({hashlib.sha256(word.encode(errors='replace')).hexdigest()[:8]})"
