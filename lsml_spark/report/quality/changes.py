"""What changed since the last good night: rows, verdict, findings, schema, and the columns whose figures
moved most. Rows are compared with the last night of the same weekday as well.

A figure has moved by |now − last| over what it usually moves: twice its robust deviation over the good
nights, but at least one point of a share, a tenth of a count, a tenth of a column's own deviation. So a
column that swings every night stays quiet.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lsml_spark.core.work import Source
from lsml_spark.report.facts import Night, quality_of
from lsml_spark.report.series import band, number, outside, usual_range
from lsml_spark.report.text import is_number, visible, weekday

MOVED = {  # in the words of the page
    "missing_share": "missing",
    "distinct": "distinct values",
    "median": "median",
    "mean": "mean",
    "q95": "95 % quantile",
    "length_mean": "mean length",
    "size_mean": "mean size",
}
MOST = 5


def since_last_good(night: Night, columns: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The changes as plain values; None without a last good night or without quality tonight."""
    now, last = night.sources.get("quality"), night.last_good
    if now is None or last is None:
        return None
    ours, theirs = quality_of(now), quality_of(last)
    broken, broken_before = _broken(ours), _broken(theirs)
    alike = same_weekday(night)
    return {
        "since": last.manifest.date,
        "weekday": None
        if alike is None
        else {"since": alike.manifest.date, "rows": alike.manifest.ledger.rows_in},
        "verdict": [ours.get("verdict"), theirs.get("verdict")],
        "rows": [now.manifest.ledger.rows_in, last.manifest.ledger.rows_in],
        "quarantined_share": [quarantined_share(now), quarantined_share(last)],
        "moved": moved(columns),
        "new": [visible(label) for label in broken if label not in broken_before],
        "gone": [visible(label) for label in broken_before if label not in broken],
        "schema": [
            visible(sentence, 300)
            for sentence in [*(ours.get("schema_drift") or []), *_schema(columns, ours)]
        ],
    }


def same_weekday(night: Night) -> Source | None:
    """The latest earlier good night of tonight's weekday, where the last good one is of another: Mondays are
    no Sundays.
    """
    last = night.last_good
    if last is None or weekday(last.manifest.date) == weekday(night.date):
        return None
    alike = [date for date in night.history if weekday(date) == weekday(night.date)]
    return night.history[max(alike)] if alike else None


def moved(columns: Sequence[Mapping[str, Any]], most: int = MOST) -> list[dict[str, Any]]:
    """The figure of each column that moved most, the farthest first; those that moved less than usual are
    left out.
    """
    largest = []
    for place, column in enumerate(columns):
        steps = [step for metric in MOVED if (step := _step(column, metric))]
        if steps and column.get("state") != "vanished":
            largest.append(
                {"column": place, "name": column["name"], **max(steps, key=lambda step: step["score"])}
            )
    largest = [step for step in largest if step["score"] > 1]
    return sorted(largest, key=lambda step: (-step["score"], step["column"]))[:most]


def quarantined_share(source: Source) -> float | None:
    ledger = source.manifest.ledger
    return round(sum(ledger.quarantined.values()) / ledger.rows_in, 6) if ledger.rows_in else None


def _broken(quality: Mapping[str, Any]) -> dict[str, None]:
    return {
        str(finding.get("check")): None for finding in quality.get("findings") or [] if not finding.get("ok")
    }


def _schema(columns: Sequence[Mapping[str, Any]], quality: Mapping[str, Any]) -> list[str]:
    """Columns that came, went or changed their type, unless the quality stage says so itself."""
    drift = visible(" ".join(map(str, quality.get("schema_drift") or [])), 100_000)
    words = {"vanished": "vanished", "new": "is new"}
    sentences = []
    for column in columns:
        state, name = column.get("state"), column["name"]
        if state and name not in drift:
            sentences.append(
                f"{name} was {column['was']}, is {column['type']}"
                if state == "retyped"
                else f"{name} {words[state]}"
            )
    return sentences


def _step(column: Mapping[str, Any], metric: str) -> dict[str, Any] | None:
    value = column["figures"].get(metric)
    if not isinstance(value, list) or not is_number(value[0]) or not is_number(value[1]):
        return None
    now, last = value[:2]
    spread = (band(value) or (0.0, 0.0))[1]
    usual = usual_range(value, metric)
    score = abs(now - last) / max(2 * spread, _least(column, metric, last), 1e-12)
    return {
        "metric": metric,
        "words": MOVED[metric],
        "now": now,
        "last": last,
        "usual": [number(end) for end in usual] if usual else None,
        "outside": outside(value, metric),
        "score": round(min(score, 1e6), 2),
    }


def _least(column: Mapping[str, Any], metric: str, last: float) -> float:
    if metric == "missing_share":
        return 0.01
    own = column["figures"].get("stddev")
    deviation = own[1] if isinstance(own, list) else own
    by_column = 0.1 * deviation if is_number(deviation) and metric in ("median", "mean", "q95") else 0.0
    return max(0.1 * abs(last) if metric == "distinct" else 0.05 * abs(last), by_column)
