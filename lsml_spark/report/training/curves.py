"""The steps of a training as curves: its metrics.jsonl in at most POINTS stretches, so that a million steps
make a small page.

A stretch shows the weighted mean of the loss and the norm, the last learning rate and loss scale, rows and
seconds as sums.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.work import Source
from lsml_spark.report.charts import POINTS, Chart, line, loss
from lsml_spark.report.text import count, decimal, is_number, percent

METRICS = "metrics.jsonl"
# name on the page and colour of each phase of a step, from the bottom of the chart
PHASES = {
    "compute": ("compute", "@model"),
    "data": ("waiting for data", "@quarantined"),
    "all_reduce": ("all-reduce", "@champion"),
    "checkpoint": ("checkpoint", "@left"),
    "other": ("other", "@dropped"),
}
Record = Mapping[str, Any]


def read(train: Source) -> list[dict[str, Any]]:
    """The records of a train folder, none where it is from before there were any."""
    if METRICS not in {file.path for file in train.manifest.run_files()}:
        return []
    path = train.folder / METRICS
    try:
        return [json.loads(row) for row in path.read_bytes().splitlines()]
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path}: cannot be read as lines of JSON: {error}") from error


def charts(records: Sequence[Record], curve: Mapping[str, Any]) -> dict[str, Chart | None]:
    """By name; the loss is from curve.json where there are no records."""
    stretches = [records[first:last] for first, last in _edges(len(records))]
    if not stretches:
        return {"loss": loss(curve), "rate": None, "speed": None, "phases": None, "norm": None, "scale": None}
    last = [stretch[-1] for stretch in stretches]
    seconds = [
        {phase: sum(record["seconds"].get(phase, 0.0) for record in stretch) for phase in PHASES}
        for stretch in stretches
    ]
    speed = [
        sum(record["rows"] for record in stretch) / max(sum(taken.values()), 1e-9)
        for stretch, taken in zip(stretches, seconds, strict=True)
    ]
    return {
        "loss": _curve(
            stretches,
            [_mean(stretch, "loss") for stretch in stretches],
            "loss",
            "@model",
            "loss (weighted mean)",
        ),
        "rate": _curve(
            stretches,
            [record["lr"] for record in last],
            "learning rate",
            "@selected",
            "learning rate",
            digits=6,
        ),
        "speed": _curve(stretches, speed, "rows/s", "@key_frequency", "rows per second", digits=0),
        "phases": _phases(stretches, seconds),
        "norm": _curve(
            stretches,
            [_mean(stretch, "grad_norm") for stretch in stretches],
            "norm",
            "@champion",
            "gradient norm",
        ),
        "scale": _curve(
            stretches,
            [record.get("loss_scale") for record in last],
            "scale",
            "@popularity",
            "loss scale",
            digits=0,
        ),
    }


def _edges(steps: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, steps, min(steps, POINTS) + 1).astype(int).tolist()
    return list(itertools.pairwise(edges))


def _mean(stretch: Sequence[Record], name: str) -> float | None:
    known = [(record[name], record["weight"] or 0.0) for record in stretch if is_number(record.get(name))]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _curve(
    stretches: Sequence[Sequence[Record]],
    values: Sequence[float | None],
    name: str,
    colour: str,
    title: str,
    digits: int = 4,
) -> Chart | None:
    if not any(map(is_number, values)):
        return None
    written = [decimal(value, digits) if digits else count(value) for value in values]
    hover = [f"{_where(stretch)}: {name} {value}" for stretch, value in zip(stretches, written, strict=True)]
    x = [stretch[-1]["step"] for stretch in stretches]
    data = [
        line(
            name,
            x,
            [float(f"{value:.6g}") if is_number(value) else None for value in values],
            {"color": colour, "width": 1.5},
            hover,
        )
    ]
    return {
        "data": data,
        "layout": {
            "xaxis": {"title": {"text": "step"}},
            "yaxis": {"title": {"text": title}, **({} if name == "loss" else {"rangemode": "tozero"})},
        },
    }


def _phases(stretches: Sequence[Sequence[Record]], seconds: Sequence[Mapping[str, float]]) -> Chart:
    x, data = [stretch[-1]["step"] for stretch in stretches], []
    for phase, (name, colour) in PHASES.items():
        shares = [taken[phase] / max(sum(taken.values()), 1e-9) for taken in seconds]
        if any(shares):
            hover = [
                f"{_where(stretch)}: {name} {percent(share)}"
                for stretch, share in zip(stretches, shares, strict=True)
            ]
            style = {"color": colour, "width": 0.5}
            data.append(
                line(
                    name,
                    x,
                    [round(share, 4) for share in shares],
                    style,
                    hover,
                    stackgroup="time",
                    fillcolor=colour,
                )
            )
    axis = {"tickformat": ".0%", "range": [0, 1], "title": {"text": "share of the step"}}
    return {"data": data, "layout": {"xaxis": {"title": {"text": "step"}}, "yaxis": axis}}


def _where(stretch: Sequence[Record]) -> str:
    first, last = stretch[0], stretch[-1]
    steps = (
        f"step {count(last['step'])}"
        if len(stretch) == 1
        else f"steps {count(first['step'])} to {count(last['step'])}"
    )
    return f"{steps}, epoch {last['epoch']}"
