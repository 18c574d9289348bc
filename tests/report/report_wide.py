"""A wide night and the nights before it, written as the quality stage writes them: for the limits on size and
time.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report_nights import make_stage
from report_profiles import figures, metrics_table, profile, wide_rows, wobbled

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.work import Source

TONIGHT = datetime.date(2011, 6, 1)


def wide_nights(runs: Path, columns: int, nights: int, checks: int, kind: str = "mixed") -> dict[str, Source]:
    """The inputs of a report on TONIGHT: `quality` and `history/<date>` of the nights before; `kind` numbers:
    the worst case.
    """
    described = profile(wide_rows(columns, numbers=kind == "numbers"))
    rows = figures(described)
    found: dict[str, Source] = {}
    for night in range(nights - 1, -1, -1):
        date = (TONIGHT - datetime.timedelta(days=night)).isoformat()
        folder = runs / "retail" / date / "quality"
        tables = {"metrics": metrics_table(folder, wobbled(rows, night))}
        metrics = {
            "verdict": "warn",
            "findings": findings(list(described["columns"]), checks, night),
            "schema_drift": [],
        }
        files = {"profile.json": described} if night < 2 else {}
        ledger = Ledger(rows_in=400, rows_out=398, quarantined={"check 0 on a column": 2})
        name = f"history/{date}" if night else "quality"
        found[name] = make_stage(runs, date, "quality", ledger, metrics, files, tables)
    return found


def findings(columns: Sequence[str], checks: int, night: int) -> list[dict[str, Any]]:
    """One in ten does not hold."""
    found = []
    for place in range(checks):
        broken = place % 10 == 0
        share = (place * 7 + night * 13) % 50 / 1000
        column = columns[place % len(columns)]
        label = f"{column}: not in range 0.01 to {1000 + place}"
        example = [{column: "-17.25", columns[0]: "12.5", columns[1]: "category 7"}] if broken else []
        found.append(
            {
                "check": label,
                "rule": "in_range",
                "column": column,
                "severity": ("quarantine", "warn", "fail")[place // 10 % 3],
                "rows": round(400 * share),
                "looked_at": 400,
                "share": share,
                "at_most": 0.05,
                "ok": not broken,
                "value": None,
                "message": f"{label}: {round(400 * share)} of 400 rows ({share:.2%}), at most 5.0% allowed",
                "examples": example,
            }
        )
    return found
