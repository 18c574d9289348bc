"""What `--json` writes: the facts of the screens as plain values, with keys that stay (docs/start.md, "For
programs").
"""

import datetime
from collections.abc import Sequence
from typing import Any

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.stages import STAGES
from lsml_spark.core.work import Source
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.verify import Checked


def standing(runs: Runs, date: datetime.date, stage: str) -> str:
    """How a stage of a night stands: "done", "stopped" (not fit to go on), "damaged" or "not run"."""
    try:
        source = runs.source(date, stage)
    except IntegrityError:
        return "damaged"
    if source is None:
        return "not run"
    return "stopped" if source.manifest.metrics.get("failed") else "done"


def status(runs: Runs, dates: Sequence[datetime.date]) -> dict[str, Any]:
    """Per night, how each stage stands; nights in order of their dates."""
    nights = [
        {"date": date.isoformat(), "stages": {stage: standing(runs, date, stage) for stage in STAGES}}
        for date in dates
    ]
    return {"pipeline": runs.pipeline, "folder": str(runs.folder), "nights": nights}


def explained(quality: Source) -> dict[str, Any]:
    """What the quality stage found. `verdict` is "ok", "warn" or "stopped"; `stopped` says why, else null."""
    made, metrics = quality.manifest, quality.manifest.metrics
    stopped = metrics.get("failed")
    return {
        "pipeline": made.pipeline,
        "date": made.date,
        "verdict": "stopped" if stopped else metrics.get("verdict", "ok"),
        "stopped": stopped,
        "rows_in": made.ledger.rows_in,
        "rows_out": made.ledger.rows_out,
        "quarantined": dict(made.ledger.quarantined),
        "dropped": dict(made.ledger.dropped),
        "schema_drift": list(metrics.get("schema_drift") or []),
        "findings": [dict(finding) for finding in metrics.get("findings") or []],
    }


def verified(
    runs: Runs, dates: Sequence[datetime.date], checked: Checked | None = None, error: str | None = None
) -> dict[str, Any]:
    """What verify recounted; `right` is false and `error` says which file is off where one is."""
    return {
        "pipeline": runs.pipeline,
        "folder": str(runs.folder),
        "nights": [date.isoformat() for date in dates],
        "right": error is None,
        "error": error,
        "stages": checked.stages if checked else None,
        "files": checked.files if checked else None,
        "bytes": checked.bytes if checked else None,
    }
