"""Every column of a night as one compact record: figures with their trends, both nights' distribution, drift,
its checks.

A folder from before there were profiles still gives type, missing and distinct, from its manifest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.work import Source
from lsml_spark.report.facts import dig, facts_of
from lsml_spark.report.quality import compare
from lsml_spark.report.quality.history import History, figures_of
from lsml_spark.report.series import figure
from lsml_spark.report.text import is_number, visible

METRICS = (
    *(
        "missing",
        "missing_share",
        "distinct",
        "nan",
        "infinite",
        "min",
        "q01",
        "q05",
        "q25",
        "median",
        "q75",
        "q95",
        "q99",
        "max",
    ),
    *(
        "mean",
        "stddev",
        "mad",
        "zeros",
        "negative",
        "empty",
        "length_min",
        "length_mean",
        "length_max",
        "true",
    ),
    *("size_min", "size_mean", "size_max"),
)
INSTANTS = ("min", "max")  # of a time column: counted from the night's own midnight, so that nights compare
GRAVITY = ("fail", "warn", "quarantine")
SAME_AS_SHARE = {"missing": "missing_share"}
VALUE = 48  # characters of a value that are shown


def profile_of(source: Source | None) -> dict[str, Any]:
    """`rows` and `columns` of a quality folder, as profile.json has them; figures of its `metrics` table fill
    gaps.
    """
    if source is None:
        return {"columns": {}}
    profile = facts_of(source, "profile.json")
    if profile.get("columns"):
        return profile
    columns: dict[str, dict[str, Any]] = {}
    for name, facts in (source.manifest.metrics.get("columns") or {}).items():
        known = {metric: facts[metric] for metric in ("missing", "distinct") if is_number(facts.get(metric))}
        rows = source.manifest.ledger.rows_in
        share = {"missing_share": known["missing"] / rows} if rows and "missing" in known else {}
        columns[str(name)] = {"type": facts.get("type"), "metrics": known | share}
    for (name, metric), value in figures_of(source).items():
        if name:
            columns.setdefault(name, {"metrics": {}})["metrics"][metric] = value
    return {"rows": source.manifest.ledger.rows_in, "columns": columns}


def describe(
    now: Source | None,
    last: Source | None,
    history: History,
    checks: Sequence[Mapping[str, Any]],
    digits: int,
) -> list[dict[str, Any]]:
    """A record per column in the order of the data, those of the last good night that vanished at the end.

    Of a day without a row that could be read nothing is known, so nothing has vanished from it.
    """
    tonight, before = profile_of(now)["columns"], profile_of(last)["columns"]
    if now is not None and not tonight and not now.manifest.ledger.rows_in:
        before = {}
    by_column: dict[str, list[int]] = {}
    for place, check in enumerate(checks):
        by_column.setdefault(str(check.get("column") or ""), []).append(place)
    stored: dict[str, list[str]] = {}
    for name, metric in history.figures:
        stored.setdefault(name, []).append(metric)
    midnights = Midnights(midnight(now), midnight(last), np.array([_start(date) for date in history.dates]))
    records = []
    for name in [*_in_order(now, tonight), *(name for name in before if name not in tonight)]:
        ours, theirs = tonight.get(name), before.get(name)
        record = _record(name, ours, theirs)
        record |= {"state": "new"} if before and name not in before else {}
        since = midnights if record["kind"] == "time" else None
        values = {metric: history.figure(name, metric) for metric in stored.get(name, [])}
        record["figures"] = _figures(ours, theirs, values, since, digits, len(history.dates))
        record |= _distribution(ours, theirs, since)
        places = by_column.get(name, [])
        broken = {str(checks[place]["severity"]) for place in places if not checks[place]["ok"]}
        worst = next((severity for severity in GRAVITY if severity in broken), "ok")
        records.append({**record, "checks": places, "worst": worst} if places else record)
    return records


def _in_order(source: Source | None, names: Iterable[str]) -> list[str]:
    """Names as the files of the clean rows order them, for JSON was written sorted; as they are where those
    cannot be read.
    """
    files = source.files("clean") if source is not None and "clean" in source.manifest.tables else []
    try:
        order = pq.read_schema(files[0]).names if files else []
    except (OSError, pa.ArrowException):
        order = []  # `lsml verify` is for damaged files
    places = {name: place for place, name in enumerate(order)}
    return sorted(names, key=lambda name: places.get(name, len(places)))


@dataclass(frozen=True)
class Midnights:
    """Epoch seconds of the start of tonight's day, of the last good night's, of those of the history (N,)."""

    now: float
    last: float
    history_N: np.ndarray


def midnight(source: Source | None) -> float:
    """Epoch seconds of the start of a folder's logical date, UTC."""
    return datetime.fromisoformat(source.manifest.date).replace(tzinfo=UTC).timestamp() if source else 0.0


def _record(name: str, now: Mapping[str, Any] | None, last: Mapping[str, Any] | None) -> dict[str, Any]:
    facts = now or last or {}
    record: dict[str, Any] = {
        "name": visible(name),
        "type": visible(facts.get("type") or "–", 120),
        "kind": _kind(facts),
    }
    if now and facts.get("range"):
        record["range"] = [visible(end, VALUE) for end in facts["range"]]
    if now is None:
        record["state"] = "vanished"
    elif last and dig(last, "type") not in (None, dig(now, "type")):
        record |= {"state": "retyped", "was": visible(last["type"], 120)}
    return record


def _kind(facts: Mapping[str, Any]) -> str:
    if facts.get("kind"):
        return str(facts["kind"])
    kind = str(facts.get("type") or "").lower()
    words = (
        ("time", ("timestamp", "date")),
        ("boolean", ("boolean",)),
        ("text", ("string", "varchar", "char")),
    )
    numbers = ("int", "bigint", "long", "double", "float", "decimal", "smallint", "tinyint", "short", "byte")
    return next((name for name, starts in (*words, ("number", numbers)) if kind.startswith(starts)), "text")


def _figures(
    now: Mapping[str, Any] | None,
    last: Mapping[str, Any] | None,
    history: Mapping[str, np.ndarray],
    since: Midnights | None,
    digits: int,
    nights: int,
) -> dict[str, Any]:
    ours, theirs = dig(now, "metrics") or {}, dig(last, "metrics") or {}
    figures = {}
    for metric in sorted({*ours, *theirs, *history}, key=place_of):
        values_N = history.get(metric, np.full(nights, np.nan))
        if metric in SAME_AS_SHARE and SAME_AS_SHARE[metric] in history:
            values_N = values_N[:0]  # one trend tells both
        a, b = (value if is_number(value) else None for value in (ours.get(metric), theirs.get(metric)))
        if since is not None and metric in INSTANTS:
            values_N = values_N - since.history_N
            a, b = None if a is None else a - since.now, None if b is None else b - since.last
        value = figure(a, b, values_N, digits)
        if value is not None:
            figures[metric] = value
    return figures


def _start(date: str) -> float:
    return datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()


def place_of(metric: str) -> tuple[int, str]:
    """The order in which figures are read."""
    return (METRICS.index(metric), "") if metric in METRICS else (len(METRICS), metric)


def _distribution(
    now: Mapping[str, Any] | None, last: Mapping[str, Any] | None, since: Midnights | None
) -> dict[str, Any]:
    a = compare.weighted(dig(now, "points"), since.now if since else 0.0)
    b = compare.weighted(dig(last, "points"), since.last if since else 0.0)
    rows, rest, apart = compare.categories(now, last)
    distribution: dict[str, Any] = {}
    if a is not None or b is not None:
        distribution["bins"], apart = compare.bins(a, b), compare.distances(a, b)
    if rows:
        once = max((count for _, count in dig(now or last, "top") or []), default=0) == 1
        distribution["top"] = [
            [visible(value, VALUE), *shares] for value, *shares in (rows[:3] if once else rows)
        ]
        distribution["rest"] = rest
    return distribution | ({"drift": apart} if apart else {})
