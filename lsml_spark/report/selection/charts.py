"""The charts of the selection page: the law of the keys, and what became of their rows. Same form as
charts.py.

Curves are made of what the profile says, none is fitted here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.report.charts import POINTS, Chart, line
from lsml_spark.report.facts import dig
from lsml_spark.report.selection.law import spread_out
from lsml_spark.report.selection.ranks import inside, kept_per_key, power_law, rank_axes, rows_per_key
from lsml_spark.report.selection.selected import ARMS
from lsml_spark.report.text import chart_text, count, counted, is_number, percent, rows, signed

BINS = 4  # per decade of frequency
# Told apart by shape and dash as well as by colour.
ARM_STYLES = {"selected": ("@selected", "circle", "solid"), "full": ("@model", "diamond-open", "dash")}


def law(profile: Mapping[str, Any]) -> Chart | None:
    """Rows per key by rank with both fits."""
    spectrum = profile.get("spectrum") or []
    if not spectrum:
        return None
    data = [rows_per_key(spectrum, profile), *power_law(profile)]
    ranks, (s, q, c) = profile.get("mandelbrot") or {}, (dig(profile, "mandelbrot", name) for name in "sqc")
    if is_number(s) and is_number(q) and is_number(c) and ranks and spread_out(profile):
        r = np.geomspace(1, max(2, sum(keys for _, keys in spectrum)), 60)
        x, y = inside(_rounded(r), _rounded(c * (r + q) ** -s), max(frequency for frequency, _ in spectrum))
        style = {"color": "@champion", "width": 2, "dash": "dot"}
        data.append(line("Zipf–Mandelbrot", x, y, style, ["Zipf–Mandelbrot, fitted on the ranks"] * len(x)))
    return {"data": data, "layout": rank_axes(max(frequency for frequency, _ in spectrum))}


def coverage(profile: Mapping[str, Any]) -> Chart | None:
    """Which share of the rows the most frequent keys make."""
    points = profile.get("coverage") or []
    if len(points) < 2:
        return None
    x, y = (list(part) for part in zip(*points, strict=True))
    hover = [f"the first {counted(rank, 'key')}: {percent(share)} of the rows" for rank, share in points]
    layout = {
        "xaxis": {"type": "log", "dtick": 1, "title": {"text": "most frequent keys"}},
        "yaxis": {"tickformat": ".0%", "range": [0, 1.03], "title": {"text": "share of the rows"}},
    }
    return {"data": [line("coverage", x, y, {"color": "@model", "width": 2.5}, hover)], "layout": layout}


def growth(profile: Mapping[str, Any]) -> Chart | None:
    """How the keys grew with the rows, and where the forecast sees them; error bars are one standard
    deviation.
    """
    curve = dig(profile, "heaps", "curve") or []
    if len(curve) < 2:
        return None
    x, y = (list(part) for part in zip(*curve, strict=True))
    hover = [f"{rows(n)}: {counted(keys, 'key')}" for n, keys in curve]
    data = [line("keys among so many rows", x, y, {"color": "@model", "width": 2.5}, hover)]
    last, known = curve[-1]
    points = [row for row in profile.get("forecast") or [] if all(map(is_number, row))]
    if points:
        t, new, sd = (list(part) for part in zip(*points, strict=True))
        hover = [
            f"{rows(times * last)} more: {counted(keys, 'new key')} ± {count(off)}"
            for times, keys, off in zip(t, new, sd, strict=True)
        ]
        forecast = line(
            "forecast",
            [last * (1 + times) for times in t],
            [round(known + keys, 1) for keys in new],
            {},
            hover,
        )
        marker = {"color": "@cooccurrence", "size": 9, "symbol": "diamond"}
        error = {"type": "data", "array": sd, "color": "@cooccurrence", "thickness": 1.5, "width": 5}
        data.append({**forecast, "mode": "markers", "marker": marker, "error_y": error})
    layout = {
        "xaxis": {"title": {"text": "rows"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "keys"}, "rangemode": "tozero"},
    }
    return {"data": data, "layout": layout}


def before_and_after(profile: Mapping[str, Any], selection: Mapping[str, Any]) -> Chart | None:
    """Rows per key by rank, all and kept; the ranks are those before."""
    table = selection.get("by_frequency") or []
    spectrum = profile.get("spectrum") or [[row[0], row[1] / row[0]] for row in table if row[0] and row[1]]
    kept = kept_per_key(selection)
    if not spectrum or not kept:
        return None
    return {
        "data": [*kept, rows_per_key(spectrum, profile)],
        "layout": rank_axes(max(frequency for frequency, _ in spectrum)),
    }


def keep_rates(selection: Mapping[str, Any]) -> Chart | None:
    """The rate by which the rows of a key were kept, and the share that the draw kept in classes of
    frequency.
    """
    table = [row for row in selection.get("by_frequency") or [] if row[0] and row[1]]
    if not table:
        return None
    planned = _thinned([(row[0], row[3]) for row in table if len(row) > 3 and is_number(row[3])])
    data = []
    if planned:
        x, y = (list(part) for part in zip(*planned, strict=True))
        hover = [f"keys of {rows(frequency)}: keep rate {percent(rate)}" for frequency, rate in planned]
        data.append(line("keep rate", x, y, {"color": "@selected", "width": 2.5}, hover))
    drawn = _classes(table)
    hover = [
        f"keys of {_span(low, high)}: {percent(kept / total)} of {rows(total)} kept"
        for _, low, high, total, kept in drawn
    ]
    points = line(
        "share kept",
        [middle for middle, *_ in drawn],
        [round(kept / total, 6) for *_, total, kept in drawn],
        {},
        hover,
    )
    data.append(
        {**points, "mode": "markers", "marker": {"color": "@ink", "size": 8, "symbol": "circle-open"}}
    )
    layout = {
        "xaxis": {"type": "log", "dtick": 1, "title": {"text": "rows of the key"}},
        "yaxis": {"tickformat": ".0%", "range": [0, 1.05], "title": {"text": "kept"}},
    }
    return {"data": data, "layout": layout}


def weights(selection: Mapping[str, Any]) -> Chart | None:
    """A histogram over classes that double in four steps; None where one class holds every row."""
    table = [row for row in selection.get("weights") or [] if is_number(row[0]) and row[0] > 0]
    if len(table) < 2:
        return None
    x: list[float] = []
    y: list[float] = []
    hover: list[str] = []
    end = table[0][0]
    for low, high, kept in table:
        if low > end * 1.0001:  # classes that no row fell into are not listed
            x, y, hover = [*x, end], [*y, 0], [*hover, f"weight {end:.3g} to {low:.3g}: no row"]
        x, y, hover = [*x, low], [*y, kept], [*hover, f"weight {low:.3g} to {high:.3g}: {rows(kept)}"]
        end = high
    x, y, hover = [*x, end], [*y, y[-1]], [*hover, hover[-1]]
    octaves = np.arange(np.floor(np.log2(x[0])), np.ceil(np.log2(end)) + 1)
    if len(octaves) < 4:
        octaves = np.arange(octaves[0], octaves[-1] + 0.25, 0.5)
    ticks = [float(f"{tick:.3g}") for tick in 2.0 ** octaves[:: max(1, len(octaves) // 8)]]
    style = {"color": "@selected", "width": 1.5, "shape": "hv"}
    layout = {
        "xaxis": {
            "type": "log",
            "title": {"text": "weight of a row"},
            "tickvals": ticks,
            "ticktext": [f"{tick:,.3g}" for tick in ticks],
            "showgrid": False,
        },
        "yaxis": {"title": {"text": "kept rows"}, "rangemode": "tozero"},
    }
    return {
        "data": [line("kept rows", x, y, style, hover, fill="tozeroy", fillcolor="@selected-soft")],
        "layout": layout,
    }


def pilot(selection: Mapping[str, Any], bands: Sequence[str]) -> Chart | None:
    """By band, how much lower the log loss is than that of a random draw; above the line is better."""
    arms = dig(selection, "pilot", "arms") or {}
    base = dig(arms, "random", "bands") or {}
    data = []
    for arm, (colour, symbol, dash) in ARM_STYLES.items():
        losses = dig(arms, arm, "bands") or {}
        gains = [
            base[band] - losses[band] if is_number(base.get(band)) and is_number(losses.get(band)) else None
            for band in bands
        ]
        if not any(map(is_number, gains)):
            continue
        hover = [
            f"{ARMS[arm]}, keys of {chart_text(band)} rows: {signed(gain, 4)}"
            for band, gain in zip(bands, gains, strict=True)
        ]
        style = {"color": colour, "width": 2 if arm == "selected" else 1.5, "dash": dash}
        trace = line(ARMS[arm], list(map(chart_text, bands)), [_six(gain) for gain in gains], style, hover)
        data.append(
            {**trace, "mode": "lines+markers", "marker": {"color": colour, "size": 10, "symbol": symbol}}
        )
    layout = {
        "xaxis": {"type": "category", "showgrid": False, "title": {"text": "training rows of the key"}},
        "yaxis": {
            "title": {"text": "gain over random"},
            "zeroline": True,
            "zerolinecolor": "@quiet",
            "zerolinewidth": 2,
        },
    }
    return {"data": data, "layout": layout} if data else None


def _classes(table: Sequence[Sequence[float]]) -> list[tuple[float, float, float, float, float]]:
    """(mean frequency, lowest, highest, rows, kept) of `BINS` classes of frequency per decade."""
    classes: dict[int, list[Sequence[float]]] = {}
    for row in table:
        classes.setdefault(int(np.floor(np.log10(row[0]) * BINS + 1e-9)), []).append(row)
    summaries = []
    for _, members in sorted(classes.items()):
        total, kept = sum(row[1] for row in members), sum(row[2] for row in members)
        middle = sum(row[0] * row[1] for row in members) / total
        summaries.append(
            (round(middle, 3), min(row[0] for row in members), max(row[0] for row in members), total, kept)
        )
    return summaries


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most about `POINTS` of them, evenly in the log of x, both ends among them."""
    if len(points) <= POINTS:
        return list(points)
    x = np.array([point[0] for point in points])
    kept = np.unique(
        np.append(np.searchsorted(x, np.geomspace(x[0], x[-1], POINTS)).clip(max=len(x) - 1), [0, len(x) - 1])
    )
    return [points[place] for place in kept]


def _span(low: float, high: float) -> str:
    return rows(low) if low == high else f"{count(low)} to {rows(high)}"


def _six(value: float | None) -> float | None:
    return round(value, 6) if value is not None else None


def _rounded(values: np.ndarray) -> list[float]:
    """`values` (N,) to four significant digits: small enough for a page, and a curve that falls far below 1
    does not become 0.
    """
    return [float(f"{value:.4g}") for value in values]
