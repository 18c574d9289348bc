"""Which figures of a night lie outside their usual range: those of the day as a whole are a warning, those of
a column a note.

The night's page, its quality page and the index say the same, for they all read what is found here. A day has
a handful of figures, so one that is far off is worth a look. Columns have hundreds, of which some are off on
any night: a pipeline that wants to be warned of them says so by the check `anomaly`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lsml_spark.report.series import Figure, outside, usual_range
from lsml_spark.report.text import count, figure, joined, visible

WORDS = {"rows": "rows", "clean": "rows kept", "quarantined": "rows quarantined", "kept_share": "share kept"}
MOST = 5  # columns that are named


@dataclass(frozen=True)
class Unusual:
    """`day`: a phrase per figure of the day; `columns`: (name as shown, how many of its figures), the most
    first.
    """

    day: Sequence[str] = ()
    columns: Sequence[tuple[str, int]] = field(default_factory=tuple)

    @property
    def warning(self) -> str:
        """One sentence on the day; empty where all is usual."""
        return f"Outside the usual range of earlier nights: {'; '.join(self.day)}." if self.day else ""

    @property
    def note(self) -> str:
        """One sentence on the columns; empty where all is usual."""
        if not self.columns:
            return ""
        of = joined([f"{name} ({number})" for name, number in self.columns[:MOST]])
        more = f" and of {len(self.columns) - MOST} other columns" if len(self.columns) > MOST else ""
        return (
            f"Figures of {of}{more} are outside their usual range; the check `anomaly` would make that a "
            "warning."
        )

    def as_json(self) -> dict[str, Any]:
        """For the manifest of the report; `of_json` reads it."""
        return {"day": list(self.day), "columns": [list(column) for column in self.columns]}


def of_json(stored: Any) -> Unusual:
    """What `as_json` wrote; nothing where it is missing, as in a report of a former version."""
    if not isinstance(stored, Mapping):
        return Unusual()
    return Unusual(
        [str(phrase) for phrase in stored.get("day") or []],
        [(str(name), int(number)) for name, number in stored.get("columns") or []],
    )


def find(table: Mapping[str, Figure], columns: Sequence[Mapping[str, Any]]) -> Unusual:
    """Of the figures of the day, and of each column's `figures` by name."""
    day = [_phrase(metric, value) for metric, value in table.items() if outside(value, metric)]
    counted = [
        (str(column["name"]), sum(1 for name, value in column["figures"].items() if outside(value, name)))
        for column in columns
    ]
    return Unusual(day, sorted([item for item in counted if item[1]], key=lambda item: -item[1]))


def _phrase(metric: str, value: Figure) -> str:
    low, high = usual_range(value, metric) or (0.0, 0.0)
    write = figure if metric.endswith("share") else _whole if max(abs(low), abs(high)) > 20 else figure
    now = value[0] if isinstance(value, list) else value
    name = visible(WORDS.get(metric, metric.replace("_", " ")))
    return f"{name} {figure(now, metric)} (usual {write(low, metric)} to {write(high, metric)})"


def _whole(value: Any, _metric: str) -> str:
    return count(value)
