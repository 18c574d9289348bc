"""What the rules found, as the report shows it: one finding per rule, the worst first."""

from collections.abc import Mapping, Sequence
from typing import Any

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.rules import BROKEN, EXAMPLES, PASSED_BY, RAISED, RAISES, WIDEST, Counts, Rule
from lsml_spark.spark.mistakes import sql_mistake

LONGEST = 200  # characters of a value in an example


def of_rules(rules: Sequence[Rule], counts: Counts, rows: int) -> list[dict[str, Any]]:
    """A finding per check, and one per parse rule or raised error that has rows."""
    findings = []
    for i, rule in enumerate(rules):
        broken, raised, passed_by = (int(counts.states[i, state]) for state in (BROKEN, RAISED, PASSED_BY))
        looked_at = rows - passed_by
        if rule.check is not None or broken:
            finding = _of_rule(rule, broken, looked_at, rows)
            findings.append(finding | {"examples": _examples(counts, i, BROKEN, rule.column)})
        if raised:
            error = _row_finding(f"{rule.label}{RAISES}", rule, "quarantine", raised, looked_at, 0.0)
            findings.append(error | {"examples": _examples(counts, i, RAISED, rule.column)})
    return findings


def _of_rule(rule: Rule, broken: int, looked_at: int, rows: int) -> dict[str, Any]:
    if rule.check is None:
        return _row_finding(rule.label, rule, "quarantine", broken, looked_at, 0.0)
    finding = _row_finding(rule.label, rule, rule.check.on_bad, broken, looked_at, rule.check.at_most)
    if rows and not looked_at:
        message = f"{rule.label}: nothing was checked, for no row of {rows} is one where {rule.check.where}"
        return finding | {"severity": "warn", "ok": False, "message": message}
    return finding


def _row_finding(
    label: str, rule: Rule, severity: str, broken: int, looked_at: int, at_most: float
) -> dict[str, Any]:
    share = broken / looked_at if looked_at else 0.0
    allowed = f", at most {at_most:.1%} allowed" if at_most else ""
    return {
        "check": label,
        "rule": rule.check.check if rule.check else "parse",
        "column": rule.column,
        "severity": severity,
        "rows": broken,
        "looked_at": looked_at,
        "share": round(share, 6),
        "at_most": at_most,
        "ok": bool(looked_at) and share <= at_most,
        "message": f"{label}: {broken} of {looked_at} rows ({share:.2%}){allowed}",
        "value": None,
        "examples": [],
    }


def of_table(check: TableCheck, day: Day) -> dict[str, Any]:
    """The finding of a check of the whole day; a mistake in its SQL or its columns is the user's to mend."""
    try:
        judged = check.judge(day)
    except Exception as error:
        if mistake := sql_mistake(error):
            raise ConfigError(f"quality.table: {check.label}: {mistake}") from error
        raise
    share = None if judged.rows is None else round(judged.rows / day.rows, 6) if day.rows else 0.0
    return {
        "check": check.label,
        "rule": check.check,
        "column": check.column,
        "severity": check.on_bad,
        "rows": judged.rows,
        "looked_at": day.rows,
        "share": share,
        "at_most": check.at_most,
        "ok": judged.problem is None,
        "message": judged.problem or f"{check.label}: no",
        "value": judged.value,
        "examples": [shown(row, check.column) for row in judged.examples[:EXAMPLES]],
    }


def unreadable(reason: str) -> dict[str, Any]:
    """The one finding of a day of which nothing could be counted."""
    nothing = dict.fromkeys(("rows", "looked_at", "share", "at_most", "value"))
    labels = {"check": "readable", "rule": "readable", "column": "", "severity": "fail", "ok": False}
    return {**labels, **nothing, "message": reason, "examples": []}


def worst_first(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Broken rules first, by the share of rows."""
    return sorted(findings, key=lambda finding: (finding["ok"], -(finding["share"] or 0.0), finding["check"]))


def _examples(counts: Counts, rule: int, state: int, column: str) -> list[dict[str, str]]:
    return [shown(row, column) for _, row in counts.examples.get((rule, state), [])]


def shown(row: Mapping[str, Any], column: str = "") -> dict[str, str]:
    """A row as text, the column in question first; long values are cut, very wide rows too."""
    names = sorted(
        (name for name, value in row.items() if value is not None),
        key=lambda name: (name != column, not name.startswith("_")),
    )
    words = {name: str(row[name]) for name in names[:WIDEST]}
    return {name: word if len(word) <= LONGEST else f"{word[:LONGEST]}…" for name, word in words.items()}
