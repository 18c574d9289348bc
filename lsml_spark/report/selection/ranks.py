"""Rank–frequency plots: the rows of each key over its rank, the fitted law, and what was kept of it."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.report.charts import Chart, line, rank_curve
from lsml_spark.report.selection.law import power_law_holds
from lsml_spark.report.text import chart_text, count, decimal, is_number


def fitted_line(fit: Mapping[str, Any]) -> tuple[list, list]:
    """The fitted power law over its tail: p(f) ∝ f^-α for f ≥ xmin means f(r) = xmin (r /
    tail_keys)^(-1/(α-1)).
    """
    alpha, xmin, tail = fit.get("alpha"), fit.get("xmin"), fit.get("tail_keys")
    if not (is_number(alpha) and is_number(xmin) and is_number(tail)) or alpha <= 1 or xmin <= 0 or tail < 2:
        return [], []
    ranks = np.geomspace(1, tail, 30)
    return [round(float(x), 3) for x in ranks], [
        round(float(y), 4) for y in xmin * (ranks / tail) ** (-1 / (alpha - 1))
    ]


def zipf(profile: Mapping[str, Any], selection: Mapping[str, Any]) -> Chart | None:
    """Rank–frequency of the keys, the fitted law, and the rows of each key that were selected."""
    spectrum = profile.get("spectrum") or []
    if not spectrum:
        return None
    data = [*kept_per_key(selection), rows_per_key(spectrum, profile), *power_law(profile)]
    return {"data": data, "layout": rank_axes(max(frequency for frequency, _ in spectrum))}


def kept_per_key(selection: Mapping[str, Any]) -> list[Chart]:
    """The rows that were kept of a key, by the rank that it had before."""
    kept = [row for row in selection.get("by_frequency") or [] if row[0] and row[1]]
    if not kept:
        return []
    x, y = rank_curve(
        [row[0] for row in kept],
        [row[1] / row[0] for row in kept],
        [row[2] * row[0] / row[1] for row in kept],
    )
    hover = [
        f"rank {count(rank)}: {decimal(height, 1)} rows kept per key"
        for rank, height in zip(x, y, strict=True)
    ]
    y = [height or None for height in y]  # no logarithm of nothing
    style = {"color": "@selected", "width": 2.5, "dash": "dot"}
    return [line("selected for training", x, y, style, hover, fill="tozeroy", fillcolor="@selected-soft")]


def rows_per_key(spectrum: Sequence[Sequence[float]], profile: Mapping[str, Any]) -> Chart:
    """The spectrum as a curve over the ranks; the most frequent keys are named."""
    frequencies, keys = zip(*spectrum, strict=True)
    x, y = rank_curve(frequencies, keys, frequencies)
    names = [key for key, _ in profile.get("top") or []]
    hover = [_rank_label(rank, height, names) for rank, height in zip(x, y, strict=True)]
    return line("rows per key", x, y, {"color": "@model", "width": 2.5}, hover)


def power_law(profile: Mapping[str, Any]) -> list[Chart]:
    """The fitted line with its name, as far as the plot reaches; nothing where the counts do not speak for
    it.
    """
    x, y = fitted_line(profile.get("fit") or {}) if power_law_holds(profile) else ([], [])
    x, y = inside(x, y, max((frequency for frequency, _ in profile.get("spectrum") or []), default=1))
    if not x:
        return []
    name = f"power law, α = {decimal(profile['fit']['alpha'], 2)}"
    return [line(name, x, y, {"color": "@ink", "width": 1.5, "dash": "dash"}, [name] * len(x))]


def inside(x: Sequence[float], y: Sequence[float], top: float) -> tuple[list[float], list[float]]:
    """The part of a falling curve that `rank_axes(top)` shows, its end on the edge of the plot."""
    low, high = (10**edge for edge in rank_axes(top)["yaxis"]["range"])
    points = [(math.log10(a), math.log10(b)) for a, b in zip(x, y, strict=True) if a > 0 and b > 0]
    cut: list[tuple[float, float]] = []
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        for edge in (math.log10(high), math.log10(low)):
            if min(y0, y1) < edge < max(y0, y1):
                cut.append((x0 + (x1 - x0) * (edge - y0) / (y1 - y0), edge))
    kept = sorted([*(point for point in points if low <= 10 ** point[1] <= high), *cut])
    return [float(f"{10**a:.4g}") for a, _ in kept], [float(f"{10**b:.4g}") for _, b in kept]


def rank_axes(top: float) -> Chart:
    """Both logarithmic, so that a power law is a straight line; `top`: the highest count."""
    return {
        "xaxis": {"type": "log", "title": {"text": "rank of the key"}, "dtick": 1},
        "yaxis": {
            "type": "log",
            "title": {"text": "rows"},
            "dtick": 1,
            "range": [-0.35, math.log10(max(top, 2)) + 0.25],
        },
    }


def _rank_label(rank: float, height: float, names: Sequence[str]) -> str:
    label = f"rank {count(rank)}: {count(height)} rows"
    return f"{chart_text(names[int(rank) - 1])}<br>{label}" if rank <= len(names) else label
