"""What metrics.json says was compared: the systems, each with its titles, and the figures of the task, each
with its unit.

Nights of before the tasks name neither; what they compared is told here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

NAMED = {
    "model": ("New model", "model"),
    "champion": ("Champion", "champion"),
    "cooccurrence": ("Co-occurrence", "co-occ."),
    "key_frequency": ("Past of the key", "by key"),
    "popularity": ("Popularity", "popular"),
}
# of baselines: colour, dash and marker
STYLES = ("popularity", "cooccurrence", "key_frequency", "fourth", "fifth")


@dataclass(frozen=True)
class Figure:
    """How a figure is shown. `better`: which way; `write`: share of one, count, or a number in its own
    unit.
    """

    title: str
    better: Literal["lower", "higher"]
    write: Literal["percent", "decimal", "count"] = "decimal"
    name: str = ""


@dataclass(frozen=True)
class Competitor:
    """A system as tables and charts name it; `style`: its colour among STYLES, or its own name."""

    name: str
    title: str
    short: str
    style: str


def choosing(k: int) -> list[Figure]:
    """The figures of a choice among labels."""
    return [
        Figure("accuracy" if k == 1 else f"recall@{k}", "higher", "percent", "recall"),
        Figure("log loss", "lower", "decimal", "log_loss"),
        Figure("breadth", "higher", "count", "breadth"),
    ]


def figures(metrics: Mapping[str, Any]) -> list[Figure]:
    """In the order in which they are shown."""
    described = metrics.get("figures")
    return [Figure(**figure) for figure in described] if described else choosing(metrics.get("k", 20))


def deciding(metrics: Mapping[str, Any]) -> Figure:
    """The figure by which a model stands or falls."""
    shown = figures(metrics)
    return next((figure for figure in shown if figure.name == metrics.get("decides", "log_loss")), shown[0])


def competitors(*nights: Mapping[str, Any]) -> list[Competitor]:
    """Who was scored in any of the nights: the model, the champion, then the baselines by name."""
    titles = {name: tuple(pair) for night in nights for name, pair in (night.get("titles") or {}).items()}
    scored = {name for night in nights for name, measured in (night.get("systems") or {}).items() if measured}
    names = [name for name in ("model", "champion") if name in scored] + sorted(
        scored - {"model", "champion"}
    )
    free = [style for style in STYLES if style not in names]
    made = []
    for name in names:
        title, short = titles.get(name) or NAMED.get(name) or (name.replace("_", " ").capitalize(), name)
        style = name if name in NAMED else free.pop(0) if free else STYLES[-1]
        made.append(Competitor(name, title, short, style))
    return made
