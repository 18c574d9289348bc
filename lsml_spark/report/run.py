"""The report stage: manifests and metrics of a night to one static page, `night.html`.

What is read, beyond the manifest fields of docs/architecture.md (each may be missing and is then left out):

- `manifest.metrics` of any stage: `failed` (a sentence: the night stopped here).
- `manifest.metrics` of quality (else its findings.json): `verdict` ok | warn | failed, `findings` [{check, column,
  severity: warn | quarantine | fail, rows, share, message, ok}], `schema_drift` [sentence].
- `manifest.run` of any stage: `versions` {library: version}. Times and hosts are left out: equal nights, equal pages.
- `manifest.ledger` of every stage; `manifest.tables["test"].rows` of prepare, features and shard (the held-out day).
- the `quarantine` table of quality, and profile.json, selection.json, curve.json, metrics.json, decision.json.

The stage's own metrics are `verdict`, `sentence` and `reasons` [[level, text]].
"""

from pydantic import Field

from lsml_spark.core.config import Strict
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import describe
from lsml_spark.core.work import Outcome, Work
from lsml_spark.report import charts, examples, page, rowflow, sections
from lsml_spark.report.night import Night, from_work
from lsml_spark.report.verdict import Verdict, judge


class Config(Strict):
    """`title` heads the page (default: the pipeline's name); `examples` is how many quarantined rows are shown."""

    title: str = ""
    examples: int = Field(default=20, ge=0, le=1000)


def run(work: Work, config: Config) -> Outcome:
    """Write `night.html`; it moves no rows."""
    night = from_work(work)
    verdict = judge(night)
    path = work.folder / "night.html"
    path.write_bytes(night_page(night, verdict, config))
    metrics = {
        "verdict": verdict.kind,
        "sentence": verdict.sentence,
        "reasons": [[reason.level, reason.text] for reason in verdict.reasons],
    }
    return Outcome(ledger=Ledger(), files=[describe(work.folder, path)], metrics=metrics)


def night_page(night: Night, verdict: Verdict, config: Config) -> bytes:
    """The page of a night; a pure function of what the stages wrote."""
    metrics = night.facts("evaluate", "metrics.json")
    profile, selection = night.facts("zipf", "profile.json"), night.facts("select", "selection.json")
    curve = night.facts("train", "curve.json")
    k = metrics.get("k", 20)
    return page.render(
        "night.html",
        title=config.title or night.pipeline,
        night=night,
        verdict=verdict,
        headline=sections.headline(night),
        trunks=rowflow.trunks(night),
        ledgers=rowflow.table(night),
        quality=sections.quality(night),
        examples=examples.quarantined(night.sources.get("quality"), config.examples),
        keys=sections.keys(night),
        curve=curve,
        recall_table=sections.metric_table(night, "recall", lower_is_better=False),
        loss_table=sections.metric_table(night, "log_loss", lower_is_better=True),
        provenance=sections.provenance(night),
        charts={
            "zipf": charts.zipf(profile, selection),
            "loss": charts.loss(curve),
            "recall": charts.bands(metrics, "recall", f"recall@{k}"),
            "logloss": charts.bands(metrics, "log_loss", "log loss"),
        },
    )
