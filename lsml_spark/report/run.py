"""The report stage: manifests and metrics of a night to static pages: `night.html`, `selection.html`,
`quality.html`, `quality.json`, and `training.html`, which alone shows times and so is named in `run.files`,
outside the identity.

What is read, beyond the manifest fields of docs/reference.md (each may be missing and is then left out):

- `manifest.metrics` of any stage: `failed` (a sentence: the night stopped here).
- `manifest.metrics` of quality (of a former version, its findings.json): `verdict` ok | warn | failed,
  `findings` [{check, column, severity: warn | quarantine | fail, rows, share, message, ok}], `schema_drift`
  [sentence].
- `manifest.run` of any stage: `versions` {library: version}. Times and hosts are left out of all pages but
  training.html: equal nights by equal commands, equal pages.
- `manifest.run` of train, see report/training/words.py, and its metrics.jsonl.
- `manifest.ledger` of every stage; `manifest.tables["test"].rows` of prepare, features and shard (the
  held-out day).
- `manifest.metrics` of zipf: `shift` against the keys of the last night; of features: `columns`, what each
  became.
- the `quarantine` and `metrics` tables of quality, its profile.json, and profile.json (zipf), selection.json,
  curve.json, metrics.json, decision.json; the labels of prepare's `test` table.
- `pilot`: the last pilot's pilot.json; `champion`: the date of the model that stood before this night.
- `manifest.run` of any stage: `command` [word]: what was typed to run it.
- `previous/<stage>` of the latest earlier night, `history/<date>`: the quality folders of earlier good
  nights.

The stage's own metrics are `verdict`, `sentence`, `reasons` [[level, text]], `unusual` (see
report/unusual.py) and `serves` (the night whose model is in use).
"""

from dataclasses import asdict
from typing import Any

from pydantic import Field

from lsml_spark.core.config import Strict
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import describe, write_json
from lsml_spark.core.scoreboard import figures
from lsml_spark.core.work import Outcome, Work
from lsml_spark.report import charts, page
from lsml_spark.report.facts import Night, facts_of, from_work
from lsml_spark.report.night import rowflow, sections
from lsml_spark.report.night.verdict import Verdict, judge
from lsml_spark.report.quality import document, examples
from lsml_spark.report.selection import charts as keycharts
from lsml_spark.report.selection import law, ranks, selected
from lsml_spark.report.training import curves as steps
from lsml_spark.report.training import words as training
from lsml_spark.report.unusual import Unusual

# In the order in which they build on one another; the last one draws the page.
QUALITY = (
    "home.js",
    *(f"quality{part}.js" for part in ("_numbers", "_draw", "_panel", "_columns", "_checks", "_keys", "")),
)


class Config(Strict):
    """`title` heads the page (default: the pipeline's name); `examples` is how many quarantined rows are
    shown.
    """

    title: str = ""  # heads the pages; default: the pipeline's name
    examples: int = Field(default=20, ge=0, le=1000)  # quarantined rows that are shown


def run(work: Work, config: Config) -> Outcome:
    """Write the pages; it moves no rows."""
    night = from_work(work)
    draft, strange = document.build(night)
    verdict = judge(night, strange)
    quality = document.judged(draft, verdict.kind, verdict.sentence)
    pages = {
        "night.html": night_page(night, verdict, quality, config),
        "quality.html": quality_page(night, quality, strange, config),
    }
    if night.sources.keys() & {"zipf", "select"}:
        pages["selection.html"] = selection_page(night, config)
    for name, content in pages.items():
        (work.folder / name).write_bytes(content)
    files = [
        *(describe(work.folder, work.folder / name) for name in pages),
        write_json(work.folder, "quality.json", quality),
    ]
    metrics = {
        "verdict": verdict.kind,
        "sentence": verdict.sentence,
        "reasons": [[reason.level, reason.text] for reason in verdict.reasons],
        "unusual": strange.as_json(),
        "serves": night.serves(),
    }
    timed = []
    if "train" in night.sources:
        (work.folder / "training.html").write_bytes(training_page(night, config))
        timed = [asdict(describe(work.folder, work.folder / "training.html"))]
    return Outcome(ledger=Ledger(), files=files, metrics=metrics, run={"files": timed} if timed else {})


def quality_page(night: Night, quality: dict[str, Any], strange: Unusual, config: Config) -> bytes:
    """The page on the day's data: its script draws the document that it carries."""
    return page.render(
        "quality_page.html",
        scripts=QUALITY,
        styles=("style.css", "quality.css"),
        title=config.title or night.pipeline,
        quality=quality,
        strange=strange,
    )


def selection_page(night: Night, config: Config) -> bytes:
    """The page on the keys: their law, and which of their rows were selected."""
    profile, selection = night.facts("zipf", "profile.json"), night.facts("select", "selection.json")
    zipf = night.sources.get("zipf")
    if selection and night.pilot is not None:
        selection = selection | {"pilot": facts_of(night.pilot, "pilot.json")}
    described = selected.describe(selection)
    bands = [row["band"] for row in (described.get("pilot") or {}).get("bands", [])]
    return page.render(
        "selection_page.html",
        styles=("style.css", "selection.css"),
        title=config.title or night.pipeline,
        night=night,
        law=law.describe(profile, zipf.manifest.metrics.get("shift") if zipf else None),
        selected=described,
        charts={
            "law": keycharts.law(profile),
            "coverage": keycharts.coverage(profile),
            "growth": keycharts.growth(profile),
            "kept": keycharts.before_and_after(profile, selection),
            "rates": keycharts.keep_rates(selection),
            "weights": keycharts.weights(selection),
            "pilot": keycharts.pilot(selection, bands),
        },
    )


def training_page(night: Night, config: Config) -> bytes:
    """The page on the training: its curve, where its time went, and what bounds it."""
    records, curve = steps.read(night.sources["train"]), night.facts("train", "curve.json")
    return page.render(
        "training_page.html",
        styles=("style.css", "selection.css"),
        title=config.title or night.pipeline,
        night=night,
        training=training.describe(night.sources["train"], records),
        restart=training.begins_anew(curve),
        start=curve.get("start"),
        charts=steps.charts(records, curve),
    )


def night_page(night: Night, verdict: Verdict, quality: dict[str, Any], config: Config) -> bytes:
    """The page of a night; a pure function of what the stages wrote."""
    metrics = night.facts("evaluate", "metrics.json")
    profile, selection = night.facts("zipf", "profile.json"), night.facts("select", "selection.json")
    curve = night.facts("train", "curve.json")
    return page.render(
        "night.html",
        title=config.title or night.pipeline,
        night=night,
        verdict=verdict,
        since=quality["changes"],
        worst=quality["worst"],
        strip=rowflow.strip(night),
        headline=sections.headline(night),
        features=sections.features(night),
        trunks=rowflow.trunks(night),
        ledgers=rowflow.table(night),
        quality=sections.quality(night),
        examples=examples.quarantined(night.sources.get("quality"), config.examples),
        keys=sections.keys(night),
        curve=curve,
        restart=training.begins_anew(curve),
        tables=sections.metric_tables(night),
        other_figures=sections.other_figures(night),
        provenance=sections.provenance(night),
        charts={
            "zipf": ranks.zipf(profile, selection),
            "loss": charts.loss(curve),
        }
        | {"reliability": charts.reliability(metrics)}
        | {figure.name: charts.bands(metrics, figure) for figure in figures(metrics)[:2]},
    )
