"""Findings of a night with their trend, the gravest first, and an example row of the three worst.

A check's figure is what it measured (`value`), else the share of rows that break it.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from lsml_spark.report.facts import Night, quality_of
from lsml_spark.report.quality import examples
from lsml_spark.report.quality.columns import GRAVITY
from lsml_spark.report.quality.history import History, measured
from lsml_spark.report.series import figure, number
from lsml_spark.report.text import is_number, unbroken, visible

PLACE = ("_file", "_line")
FIELDS = 6  # of an example row that are shown
WITH_EXAMPLES = 30  # checks that keep theirs


def ordered(night: Night) -> list[dict[str, Any]]:
    """The findings as they are, broken ones first, then by gravity and share."""
    findings = [dict(finding) for finding in night.quality().get("findings") or []]
    grave = {severity: rank for rank, severity in enumerate(GRAVITY)}
    return sorted(
        findings,
        key=lambda finding: (
            bool(finding.get("ok")),
            grave.get(str(finding.get("severity")), len(GRAVITY)),
            -(number(finding.get("share") or 0.0) or 0.0),
            -(finding.get("rows") or 0),
            str(finding.get("check")),
        ),
    )


def describe(night: Night, history: History, digits: int) -> list[dict[str, Any]]:
    """A record per check, in the order of `ordered`; text is made visible, `column` stays as it is for the
    caller to place.
    """
    last = {
        str(finding.get("check")): measured(finding)
        for finding in quality_of(night.last_good).get("findings") or []
    }
    records = []
    for place, finding in enumerate(ordered(night)):
        label = str(finding.get("check"))
        record = {
            "check": visible(label),
            "column": finding.get("column") or None,
            "severity": severity_of(finding),
            "ok": bool(finding.get("ok")),
            "message": visible(message_of(finding), 300),
            **{
                name: number(finding[name])
                for name in ("rows", "looked_at", "share", "at_most", "value")
                if is_number(finding.get(name))
            },
        }
        if finding.get("rule"):
            record["rule"] = visible(finding["rule"])
        if place < WITH_EXAMPLES and finding.get("examples"):
            record["examples"] = [_fields(example, finding) for example in finding["examples"]]
        values_N = history.check(label)
        trend = figure(_known(measured(finding)), _known(last.get(label, np.nan)), values_N, digits)
        records.append(record | ({"measured": trend} if trend is not None else {}))
    return records


def worst(night: Night, most: int = 3) -> list[dict[str, Any]]:
    """The gravest findings that do not hold, each with one row: of its own examples, else of the
    quarantine.
    """
    broken = [finding for finding in ordered(night) if not finding.get("ok")][:most]
    labels = [str(finding.get("check")) for finding in broken if not finding.get("examples")]
    rows = examples.first_of(night.sources.get("quality"), labels)
    entries = []
    for finding in broken:
        label, column = str(finding.get("check")), finding.get("column")
        row = rows.get(label)
        example = finding["examples"][0] if finding.get("examples") else row or {}
        entries.append(
            {
                "check": visible(label),
                "column": visible(column) if column else None,
                "severity": severity_of(finding),
                "rows": number(finding["rows"]) if is_number(finding.get("rows")) else None,
                "share": number(finding["share"]) if is_number(finding.get("share")) else None,
                "message": visible(message_of(finding), 300),
                "example": _fields(example, finding),
                "place": _place(example),
            }
        )
    return entries


def message_of(finding: Mapping[str, Any]) -> str:
    """The message without the check's name in front, which stands beside it anyway.

    The name of a check of the whole day says what must not be ("fewer than 100 rows"); that it is not so is
    said in words.
    """
    message = str(finding.get("message") or "").removeprefix(f"{finding.get('check')}: ")
    return "not the case" if message == "no" else unbroken(message)


def severity_of(finding: Mapping[str, Any]) -> str:
    """One of GRAVITY: it is a name of the style sheet."""
    severity = str(finding.get("severity"))
    return severity if severity in GRAVITY else "warn"


def _fields(example: Mapping[str, Any], finding: Mapping[str, Any]) -> list[list[Any]]:
    """[name, text] of a row: the check's column, then those that the check names, then the first that say
    something.
    """
    label, column = str(finding.get("check")), finding.get("column")
    filled = [
        name for name in example if name not in PLACE and (name == column or example[name] not in (None, ""))
    ]
    names = sorted(filled, key=lambda name: (name != column, name not in label))[:FIELDS]
    return [
        [visible(name, 60), None if example[name] is None else visible(example[name], 80)] for name in names
    ]


def _place(example: Mapping[str, Any]) -> str | None:
    """file:line of a row, the file without its folder; None where the row does not say."""
    file, line = example.get("_file"), example.get("_line")
    name = visible(PurePath(str(file).replace("\\", "/")).name) if file else None
    return name if line is None or name is None else f"{name}:{line}"


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
