"""What each chart draws, as JSON for plotly: curves are computed here, colours are names that the page
resolves.

A colour is "@name", a CSS variable of the style sheet, so that dark mode and print use the same data. Every
label that comes from the data goes through `chart_text`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.core.scoreboard import Figure, competitors
from lsml_spark.report.facts import dig
from lsml_spark.report.text import chart_text, count, decimal, is_number, percent, written

Chart = dict[str, Any]

# Told apart by shape and dash as well as by colour.
MARKERS = {
    "model": "circle",
    "champion": "diamond-open",
    "cooccurrence": "square",
    "key_frequency": "triangle-up",
    "popularity": "x",
    "fourth": "star",
    "fifth": "hexagon",
}
DASHES = {
    "model": "solid",
    "champion": "dash",
    "cooccurrence": "dashdot",
    "key_frequency": "longdash",
    "popularity": "dot",
    "fourth": "longdashdot",
    "fifth": "dash",
}

POINTS = 400  # of a curve, or twice as many


def rank_curve(
    frequencies: Sequence[float], keys: Sequence[float], heights: Sequence[float]
) -> tuple[list, list]:
    """Steps of a rank–frequency plot: keys of one frequency share a plateau from its first to its last rank.

    `heights` is drawn over the ranks that `frequencies` (any order) and `keys` give. At most about 2 × POINTS
    points come back, thinned evenly in log rank.
    """
    order = np.argsort(-np.asarray(frequencies, dtype=float), kind="stable")
    keys_F = np.asarray(keys, dtype=float)[order]
    heights_F = np.asarray(heights, dtype=float)[order]
    last_F = np.cumsum(keys_F)
    first_F = last_F - keys_F + 1
    if len(order) > POINTS:
        ranks = np.geomspace(1, last_F[-1], POINTS)
        kept = np.unique(
            np.append(np.searchsorted(last_F, ranks).clip(max=len(order) - 1), [0, len(order) - 1])
        )
        first_F, last_F, heights_F = first_F[kept], last_F[kept], heights_F[kept]
    xs, ys = [], []
    for first, last, height in zip(first_F, last_F, heights_F, strict=True):
        for x in (first,) if last <= first else (first, last):
            xs.append(round(float(x), 3))
            ys.append(round(float(height), 4))
    return xs, ys


def loss(curve: Mapping[str, Any]) -> Chart | None:
    """Training loss by step, and the mean of each epoch over its steps."""
    steps = [point for point in curve.get("steps") or [] if is_number(point.get("loss"))]
    if not steps:
        return None
    x, y = [point["step"] for point in steps], [point["loss"] for point in steps]
    hover = [
        f"step {count(point['step'])}, epoch {point.get('epoch')}: {decimal(point['loss'])}"
        for point in steps
    ]
    data = [line("step", x, y, {"color": "@model", "width": 1.5}, hover)]
    means = _epoch_means(steps, curve.get("epochs") or [])
    if means:
        x, y, hover = (list(part) for part in zip(*means, strict=True))
        data.append(line("epoch mean", x, y, {"color": "@champion", "width": 3}, hover))
    layout = {"xaxis": {"title": {"text": "step"}}, "yaxis": {"title": {"text": "loss (weighted mean)"}}}
    return {"data": data, "layout": layout}


def _epoch_means(
    steps: Sequence[Mapping], epochs: Sequence[Mapping]
) -> list[tuple[int | None, float | None, str]]:
    """(step, mean, label): each epoch's mean as a level line over its steps, a gap between epochs."""
    points: list[tuple[int | None, float | None, str]] = []
    for epoch in epochs:
        inside = [point["step"] for point in steps if point.get("epoch") == epoch.get("epoch")]
        if inside and is_number(epoch.get("loss")):
            label = f"epoch {epoch['epoch']}: mean {decimal(epoch['loss'])}"
            points += [
                (min(inside), epoch["loss"], label),
                (max(inside), epoch["loss"], label),
                (None, None, ""),
            ]
    return points


def bands(metrics: Mapping[str, Any], figure: Figure) -> Chart | None:
    """One figure by key-frequency band, a marker per system."""
    names = [str(band) for band in metrics.get("bands") or []]
    systems = competitors(metrics)
    values_of = {
        one.name: {
            band: value
            for band in names
            if is_number(value := dig(metrics, "systems", one.name, "bands", band, figure.name))
        }
        for one in systems
    }
    names = [band for band in names if any(band in known for known in values_of.values())]
    data = []
    for one in systems:
        values = [values_of[one.name].get(band) for band in names]
        if not any(map(is_number, values)):
            continue
        hover = [f"{chart_text(one.title)}: {written(figure, value)}" for value in values]
        trace = line(chart_text(one.title), [chart_text(band) for band in names], values, {}, hover)
        data.append({**trace, **_system_style(one.style)})
    xaxis = {"title": {"text": "training rows of the key"}, "type": "category", "showgrid": False}
    return {"data": data, "layout": {"xaxis": xaxis, "yaxis": _axis(figure)}} if data else None


def trend(dates: Sequence[str], metrics: Sequence[Mapping[str, Any]], figure: Figure) -> Chart | None:
    """One overall figure over the nights, a line per system; nights without it are gaps."""
    data = []
    for one in competitors(*metrics):
        values = [dig(night, "systems", one.name, figure.name) for night in metrics]
        if one.name == "champion" or not any(map(is_number, values)):
            continue  # last night's model is the champion: its line would repeat the model's
        title = chart_text(one.title)
        hover = [
            f"{chart_text(date)}: {title} {written(figure, value)}"
            for date, value in zip(dates, values, strict=True)
        ]
        data.append(
            {**line(title, list(map(chart_text, dates)), values, {}, hover), **_system_style(one.style)}
        )
    shown = list(map(chart_text, dates[:: max(1, math.ceil(len(dates) / 6))]))
    xaxis = {
        "type": "category",
        "showgrid": False,
        "tickvals": shown,
        "ticktext": [date[5:] for date in shown],
        "tickangle": 0,
    }
    return {"data": data, "layout": {"xaxis": xaxis, "yaxis": _axis(figure)}} if data else None


def reliability(metrics: Mapping[str, Any]) -> Chart | None:
    """Of the model: the share of rows that came true over the probability that was said, with 95 %
    intervals.
    """
    rows = dig(metrics, "systems", "model", "reliability")
    if not isinstance(rows, list) or not rows:
        return None
    predicted, true, number, low, high = (list(column) for column in zip(*rows, strict=True))
    hover = [
        f"said {percent(x)}: {percent(y)} of {count(n)} rows"
        for x, y, n in zip(predicted, true, number, strict=True)
    ]
    error = {
        "type": "data",
        "symmetric": False,
        "array": [top - y for top, y in zip(high, true, strict=True)],
        "arrayminus": [y - bottom for bottom, y in zip(low, true, strict=True)],
        "color": "@model",
        "thickness": 1.5,
        "width": 4,
    }
    data = [
        line(
            "as said",
            [0, 1],
            [0, 1],
            {"color": "@quiet", "dash": "dot", "width": 1.5},
            ["", ""],
            hoverinfo="skip",
        ),
        {**line("model", predicted, true, {}, hover), **_system_style("model"), "error_y": error},
    ]
    axes = [
        {"title": {"text": title}, "tickformat": ".0%", "range": [0, 1]}
        for title in ("probability that was said", "share that came true")
    ]
    return {"data": data, "layout": {"xaxis": axes[0], "yaxis": axes[1]}}


def _axis(figure: Figure) -> dict[str, Any]:
    percents = {"tickformat": ".0%", "rangemode": "tozero"} if figure.write == "percent" else {}
    return {"title": {"text": chart_text(figure.title)}, **percents}


def line(
    name: str, x: Sequence, y: Sequence, style: Mapping[str, Any], hover: Sequence[str], **more: Any
) -> Chart:
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


def _system_style(style: str) -> dict[str, Any]:
    return {
        "mode": "lines+markers",
        "line": {"color": f"@{style}", "width": 2.5 if style == "model" else 1.5, "dash": DASHES[style]},
        "marker": {"color": f"@{style}", "size": 10, "symbol": MARKERS[style]},
    }
