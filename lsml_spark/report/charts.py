"""What each chart draws, as JSON for plotly: curves are computed here, colours are names that the page resolves.

A colour is "@name", a CSS variable of the style sheet, so that dark mode and print use the same data. Every label that
comes from the data goes through `chart_text`.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.report.facts import SYSTEMS, dig
from lsml_spark.report.selection.law import power_law_holds
from lsml_spark.report.text import chart_text, count, decimal, is_number, percent

Chart = dict[str, Any]

# Told apart by shape and dash as well as by colour.
MARKERS = {"model": "circle", "champion": "diamond-open", "cooccurrence": "square", "key_frequency": "triangle-up", "popularity": "x"}
DASHES = {"model": "solid", "champion": "dash", "cooccurrence": "dashdot", "key_frequency": "longdash", "popularity": "dot"}
POINTS = 400


def rank_curve(frequencies: Sequence[float], keys: Sequence[float], heights: Sequence[float]) -> tuple[list, list]:
    """Steps of a rank–frequency plot: keys of one frequency share a plateau from its first to its last rank.

    `heights` is drawn over the ranks that `frequencies` (any order) and `keys` give. At most about 2 × POINTS points
    come back, thinned evenly in log rank.
    """
    order = np.argsort(-np.asarray(frequencies, dtype=float), kind="stable")
    keys_F = np.asarray(keys, dtype=float)[order]
    heights_F = np.asarray(heights, dtype=float)[order]
    last_F = np.cumsum(keys_F)
    first_F = last_F - keys_F + 1
    if len(order) > POINTS:
        wanted = np.geomspace(1, last_F[-1], POINTS)
        kept = np.unique(np.append(np.searchsorted(last_F, wanted).clip(max=len(order) - 1), [0, len(order) - 1]))
        first_F, last_F, heights_F = first_F[kept], last_F[kept], heights_F[kept]
    xs, ys = [], []
    for first, last, height in zip(first_F, last_F, heights_F, strict=True):
        for x in (first,) if last <= first else (first, last):
            xs.append(round(float(x), 3))
            ys.append(round(float(height), 4))
    return xs, ys


def fitted_line(fit: Mapping[str, Any]) -> tuple[list, list]:
    """The fitted power law over its tail: p(f) ∝ f^-α for f ≥ xmin means f(r) = xmin (r / tail_keys)^(-1/(α-1))."""
    alpha, xmin, tail = fit.get("alpha"), fit.get("xmin"), fit.get("tail_keys")
    if not (is_number(alpha) and is_number(xmin) and is_number(tail)) or alpha <= 1 or xmin <= 0 or tail < 2:
        return [], []
    ranks = np.geomspace(1, tail, 30)
    return [round(float(x), 3) for x in ranks], [round(float(y), 4) for y in xmin * (ranks / tail) ** (-1 / (alpha - 1))]


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
    hover = [f"rank {count(rank)}: {decimal(height, 1)} rows kept per key" for rank, height in zip(x, y, strict=True)]
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
    """The fitted line with its name, as far as the plot reaches; nothing where the counts do not speak for it."""
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
        "yaxis": {"type": "log", "title": {"text": "rows"}, "dtick": 1, "range": [-0.35, math.log10(max(top, 2)) + 0.25]},
    }


def loss(curve: Mapping[str, Any]) -> Chart | None:
    """Training loss by step, and the mean of each epoch over its steps."""
    steps = [point for point in curve.get("steps") or [] if is_number(point.get("loss"))]
    if not steps:
        return None
    x, y = [point["step"] for point in steps], [point["loss"] for point in steps]
    hover = [f"step {count(point['step'])}, epoch {point.get('epoch')}: {decimal(point['loss'])}" for point in steps]
    data = [line("step", x, y, {"color": "@model", "width": 1.5}, hover)]
    means = _epoch_means(steps, curve.get("epochs") or [])
    if means:
        x, y, hover = (list(part) for part in zip(*means, strict=True))
        data.append(line("epoch mean", x, y, {"color": "@champion", "width": 3}, hover))
    layout = {"xaxis": {"title": {"text": "step"}}, "yaxis": {"title": {"text": "loss (weighted mean)"}}}
    return {"data": data, "layout": layout}


def _epoch_means(steps: Sequence[Mapping], epochs: Sequence[Mapping]) -> list[tuple[int | None, float | None, str]]:
    """(step, mean, label): each epoch's mean as a level line over its steps, a gap between epochs."""
    points: list[tuple[int | None, float | None, str]] = []
    for epoch in epochs:
        inside = [point["step"] for point in steps if point.get("epoch") == epoch.get("epoch")]
        if inside and is_number(epoch.get("loss")):
            label = f"epoch {epoch['epoch']}: mean {decimal(epoch['loss'])}"
            points += [(min(inside), epoch["loss"], label), (max(inside), epoch["loss"], label), (None, None, "")]
    return points


def bands(metrics: Mapping[str, Any], metric: str, title: str) -> Chart | None:
    """One metric by key-frequency band, a marker per system."""
    names = [str(band) for band in metrics.get("bands") or []]
    figures = {
        system: {band: value for band in names if is_number(value := dig(metrics, "systems", system, "bands", band, metric))}
        for system in SYSTEMS
    }
    names = [band for band in names if any(band in known for known in figures.values())]
    data = []
    for system, label in SYSTEMS.items():
        values = [figures[system].get(band) for band in names]
        if not any(map(is_number, values)):
            continue
        write = percent if metric == "recall" else decimal
        trace = line(label, [chart_text(band) for band in names], values, {}, [f"{label}: {write(value)}" for value in values])
        data.append({**trace, **_system_style(system)})
    axis = {"title": {"text": title}, **({"tickformat": ".0%", "rangemode": "tozero"} if metric == "recall" else {})}
    xaxis = {"title": {"text": "training rows of the key"}, "type": "category", "showgrid": False}
    return {"data": data, "layout": {"xaxis": xaxis, "yaxis": axis}} if data else None


def trend(dates: Sequence[str], metrics: Sequence[Mapping[str, Any]], metric: str, title: str) -> Chart | None:
    """One overall metric over the nights, a line per system; nights without it are gaps."""
    data = []
    for system, label in SYSTEMS.items():
        values = [dig(night, "systems", system, metric) for night in metrics]
        if system == "champion" or not any(map(is_number, values)):
            continue  # last night's model is the champion: its line would repeat the model's
        write = percent if metric == "recall" else decimal
        hover = [f"{chart_text(date)}: {label} {write(value)}" for date, value in zip(dates, values, strict=True)]
        data.append({**line(label, list(map(chart_text, dates)), values, {}, hover), **_system_style(system)})
    axis = {"title": {"text": title}, **({"tickformat": ".0%", "rangemode": "tozero"} if metric == "recall" else {})}
    shown = list(map(chart_text, dates[:: max(1, math.ceil(len(dates) / 6))]))
    xaxis = {
        "type": "category",
        "showgrid": False,
        "tickvals": shown,
        "ticktext": [date[5:] for date in shown],
        "tickangle": 0,
    }
    return {"data": data, "layout": {"xaxis": xaxis, "yaxis": axis}} if data else None


def line(name: str, x: Sequence, y: Sequence, style: Mapping[str, Any], hover: Sequence[str], **more: Any) -> Chart:
    """One trace that shows `hover`, a text per point."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": list(y),
        "line": dict(style),
        "text": list(hover),
        "hoverinfo": "text",
        **more,
    }


def _system_style(system: str) -> dict[str, Any]:
    return {
        "mode": "lines+markers",
        "line": {"color": f"@{system}", "width": 2.5 if system == "model" else 1.5, "dash": DASHES[system]},
        "marker": {"color": f"@{system}", "size": 10, "symbol": MARKERS[system]},
    }


def _rank_label(rank: float, height: float, names: Sequence[str]) -> str:
    label = f"rank {count(rank)}: {count(height)} rows"
    return f"{chart_text(names[int(rank) - 1])}<br>{label}" if rank <= len(names) else label
