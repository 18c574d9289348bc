"""Everything that a night's quality page shows, as one JSON document: `quality.json`, which the page also
carries inline.

One document for people and machines, so that they cannot disagree; quality.schema.json describes it. Text is
as it is shown (control characters as pictures, long values cut), numbers have six digits, trends are coded as
series.py says.
"""

import json
import math
from typing import Any

import numpy as np

from lsml_spark.report import unusual
from lsml_spark.report.facts import Night
from lsml_spark.report.quality import changes, columns, history
from lsml_spark.report.quality import findings as checks
from lsml_spark.report.quality import keys as keylabels
from lsml_spark.report.series import LEAST, READABLE, WIDTH, figure
from lsml_spark.report.text import visible
from lsml_spark.report.unusual import Unusual

FORMAT = 1
LIMIT = 900_000  # characters; the page around it takes 70,000


def build(night: Night) -> tuple[dict[str, Any], Unusual]:
    """The document of a night but for its verdict, whatever of it exists, and what is unusual in it.

    Equal nights give equal documents. Trends lose their oldest nights where the document would be larger than
    LIMIT.
    """
    past = history.read(night.history)
    figures = [values for (_, metric), values in past.figures.items() if metric not in columns.SAME_AS_SHARE]
    series = sum(_moves(values) for values in (*figures, *past.checks.values()))
    nights = len(past.dates) + 1
    digits = 2 if 2 * series * nights <= READABLE else 1
    while True:
        document, strange = _document(night, past.latest(nights - 1), digits)
        document["nights_known"] = len(past.dates) + 1
        excess = len(json.dumps(document, separators=(",", ":"))) - LIMIT
        if excess <= 0 or nights == 1 or not series:
            return document, strange
        nights = max(1, nights - math.ceil(excess / series))


def judged(document: dict[str, Any], verdict: str, sentence: str) -> dict[str, Any]:
    """The whole document: `verdict` and `sentence` are those of the night's page."""
    return document | {"verdict": verdict, "sentence": visible(sentence, 300)}


def _document(night: Night, past: history.History, digits: int) -> tuple[dict[str, Any], Unusual]:
    now, last = night.sources.get("quality"), night.last_good
    findings = checks.describe(night, past, digits)
    described = columns.describe(now, last, past, findings, digits) if now else []
    places = {column["name"]: place for place, column in enumerate(described)}
    for check in findings:
        check["column"] = places.get(visible(check["column"])) if check["column"] else None
    table = _table(night, past, digits)
    document = {
        "format": FORMAT,
        "pipeline": visible(night.pipeline),
        "date": night.date,
        "gate": visible(night.quality().get("verdict") or "") or None,
        "last_good": last.manifest.date if last else None,
        "nights": [*past.dates, night.date],
        "digits": digits,
        "usual": {"width": WIDTH, "nights": LEAST},
        "table": table,
        "changes": changes.since_last_good(night, described),
        "worst": checks.worst(night),
        "checks": findings,
        "columns": described,
        "keys": keylabels.keys(night, described),
        "labels": keylabels.labels(night, described, findings),
    }
    return document | _by_kind(described), unusual.find(table, described)


def _by_kind(described: list[dict[str, Any]]) -> dict[str, Any]:
    """`metrics`: their names for each kind of column, so that 500 columns do not repeat them; `figures`
    become lists.
    """
    names: dict[str, list[str]] = {}
    for column in described:
        known = names.setdefault(column["kind"], [])
        known += [metric for metric in column["figures"] if metric not in known]
    for known in names.values():
        known.sort(key=columns.place_of)
    listed = [
        {**column, "figures": [column["figures"].get(metric) for metric in names[column["kind"]]]}
        for column in described
    ]
    return {"metrics": names, "columns": listed}


def _table(night: Night, past: history.History, digits: int) -> dict[str, Any]:
    """Figures of the day as a whole: rows, clean, quarantined, kept_share and whatever else is stored for the
    table.
    """
    now, last = (history.figures_of(source) for source in (night.sources.get("quality"), night.last_good))
    names = dict.fromkeys(metric for column, metric in (*now, *past.figures) if not column)
    figures = {
        name: figure(now.get(("", name)), last.get(("", name)), past.figure("", name), digits)
        for name in names
    }
    return {name: value for name, value in figures.items() if value is not None}


def _moves(values_N: np.ndarray) -> bool:
    """Whether a series needs more than one number."""
    return not (values_N == values_N[0]).all()
