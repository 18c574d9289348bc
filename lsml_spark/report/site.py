"""The site of a pipeline, `runs/<pipeline>/site/`: an index, the pages of each night, one script file,
checksums.

Every file is replaced whole, `checksums.json` last; equal manifests give equal bytes, so publishing twice
changes nothing. Only files that the last `checksums.json` names are ever removed.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from lsml_spark.core.config import canonical
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import Manifest, read, sha256_of
from lsml_spark.core.scoreboard import Figure, competitors, figures
from lsml_spark.report import charts, page
from lsml_spark.report.facts import Night, dig, from_folder
from lsml_spark.report.night import sections
from lsml_spark.report.night.verdict import Reason, Verdict, judge
from lsml_spark.report.text import is_number
from lsml_spark.report.unusual import of_json

CHECKSUMS = "checksums.json"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PARTIAL = re.compile(r"\.[\w.-]+\.\d+")
# What the report stage writes, and what the site calls it.
PAGES = {
    "night.html": "{}.html",
    "selection.html": "{}.selection.html",
    "training.html": "{}.training.html",
    "quality.html": "{}.quality.html",
    "quality.json": "{}.quality.json",
}
_SCRIPT = re.compile(rb'src="(plotly-[\w.]+\.min\.js)"')


def publish(runs: Path, pipeline: str) -> Path:
    """(Re)build the site from the nights in `runs/<pipeline>/`; returns the path of its index.html."""
    folder = runs / pipeline
    site = folder / "site"
    site.mkdir(parents=True, exist_ok=True)
    before = _names_before(site)
    for leftover in (path for path in site.iterdir() if _PARTIAL.fullmatch(path.name)):
        leftover.unlink()  # of a publication that was killed
    dates = sorted(path.name for path in folder.iterdir() if _DATE.fullmatch(path.name))
    nights = [_night(folder / date, pipeline) for date in reversed(dates)]
    sums: dict[str, str] = {}
    scripts = {page.script_name()}
    for _, pages in nights:
        for name, content in pages.items():
            scripts |= (
                {script.decode() for script in _SCRIPT.findall(content)} if name.endswith(".html") else set()
            )
            sums[name] = _put(site / name, content)
    sums |= _scripts(site, scripts)
    sums["index.html"] = _put(site / "index.html", _index(pipeline, [row for row, _ in nights]))
    _put(site / CHECKSUMS, canonical(sums) + b"\n")
    for name in before - set(sums):
        (site / name).unlink(missing_ok=True)
    return site / "index.html"


def _night(folder: Path, pipeline: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The index row of a night and its pages by name. A damaged folder is a failed night that says so."""
    try:
        night = from_folder(folder, pipeline)
        metrics, written = night.facts("evaluate", "metrics.json"), read(folder / "report")
        verdict = judge(night, of_json(written.metrics.get("unusual") if written else None))
        pages = _pages_of(folder, written)
        # A day that only went through quality is history in the window of a later night, not a night of its
        # own.
        history = not pages and set(night.sources) <= {"quality"}
    except IntegrityError as error:
        night, metrics, pages, history, written = Night(pipeline, folder.name, 0, {}), {}, {}, False, None
        # the site says the same wherever the runs are
        where = str(error).replace(f"{folder.parent}{os.sep}", "")
        verdict = Verdict("failed", "A file of this night is damaged.", [Reason("failed", where)])
    row = {
        "date": night.date,
        "history": history,
        "verdict": verdict,
        "page": _named("night.html", pages, night.date),
        "quality": _named("quality.html", pages, night.date),
        "selection": _named("selection.html", pages, night.date),
        "training": _named("training.html", pages, night.date),
        **sections.flow_numbers(night),
        "metrics": metrics,
        "systems": [
            (one, dig(metrics, "systems", one.name)) for one in competitors(metrics) if one.name != "champion"
        ],
        "best": {figure.name: _best(metrics, figure) for figure in figures(metrics)},
        "written": written is not None,
        "serves": written.metrics.get("serves") if written else None,
        "promoted": night.facts("promote", "decision.json").get("promoted"),
    }
    return row, pages


def _best(metrics: dict[str, Any], figure: Figure) -> str | None:
    """The system with the best figure; None where there are not two that differ. The champion is the model of
    a night before.
    """
    names = [one.name for one in competitors(metrics) if one.name != "champion"]
    known = {name: value for name in names if is_number(value := dig(metrics, "systems", name, figure.name))}
    choose = min if figure.better == "lower" else max
    return choose(known, key=known.__getitem__) if len(set(known.values())) > 1 else None


def _pages_of(night: Path, manifest: Manifest | None) -> dict[str, bytes]:
    """The report's files under their names on the site, as its manifest describes them; IntegrityError where
    they differ.
    """
    folder = night / "report"
    if manifest is None:
        return {}
    described = {file.path: file.checksum for file in manifest.all_files()}
    pages = {}
    for name, on_site in PAGES.items():
        if name not in described and name != "night.html":
            continue  # a report from before there was such a page
        path = folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from error
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != described.get(name):
            raise IntegrityError(f"{path}: its checksum is not the one in the manifest")
        pages[on_site.format(night.name)] = content
    return pages


def _named(page: str, pages: dict[str, bytes], date: str) -> str | None:
    name = PAGES[page].format(date)
    return name if name in pages else None


def _index(pipeline: str, rows: list[dict[str, Any]]) -> bytes:
    """The index from rows, the newest first. The newest day counts as a night however far it got."""
    nights = [row for index, row in enumerate(rows) if index == 0 or not row["history"]]
    history = [row for row in rows[1:] if row["history"] and row["raw"] is not None]
    in_order = nights[::-1]
    dates, metrics = [night["date"] for night in in_order], [night["metrics"] for night in in_order]
    shown = figures(next((night["metrics"] for night in nights if night["metrics"]), {}))[:2]
    counts = {
        kind: sum(night["verdict"].kind == kind for night in nights)
        for kind in ("ok", "warning", "stopped", "failed")
    }
    return page.render(
        "index.html",
        title=pipeline,
        figures=shown,
        nights=nights,
        history=history,
        counts=counts,
        charts={figure.name: charts.trend(dates, metrics, figure) for figure in shown},
    )


def _scripts(site: Path, names: set[str]) -> dict[str, str]:
    """The script files that pages load: today's plotly, and those of older pages as long as the site still
    has them.
    """
    current = page.script_name()
    sums = {}
    for name in sorted(names):
        if name == current:
            from plotly.offline import get_plotlyjs  # five megabytes: only where a site is built

            sums[name] = _put(site / name, get_plotlyjs().encode())
        elif (site / name).is_file():
            sums[name] = sha256_of(site / name)
    return sums


def _names_before(site: Path) -> set[str]:
    """Plain file names that the last publication wrote; a list that cannot be read removes nothing."""
    try:
        names = json.loads((site / CHECKSUMS).read_bytes())
    except (OSError, ValueError):
        return set()
    ours = re.compile(r"[\w.-]+\.(html|js)|\d{4}-\d{2}-\d{2}\.quality\.json")
    return {name for name in names if ours.fullmatch(name)} if isinstance(names, dict) else set()


def _put(path: Path, content: bytes) -> str:
    """Replace a file whole unless it already holds these bytes; returns their sha256."""
    digest = hashlib.sha256(content).hexdigest()
    if path.is_file() and sha256_of(path) == digest:
        return digest
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return digest
