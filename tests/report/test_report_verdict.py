"""The verdict follows from the manifests: ok, warning, stopped, failed, and which of them wins."""

from dataclasses import replace

import pytest
from report_nights import full, make_stage, quality, rewritten

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.work import Source
from lsml_spark.report.facts import Night
from lsml_spark.report.night.verdict import judge


def verdict(sources):
    return judge(Night("retail", "2011-02-25", 7, sources))


def test_a_clean_night_that_promoted_is_ok(tmp_path):
    found = verdict(full(tmp_path, "2011-02-25"))
    assert found.kind == "ok"
    assert {reason.level for reason in found.reasons} == {"ok", "note"}
    assert "The day’s data are fit to train on: 3 of 5 checks found something, 87 rows quarantined." in [
        r.text for r in found.reasons
    ]


def test_a_model_that_is_not_promoted_is_a_warning_with_its_reason(tmp_path):
    found = verdict(full(tmp_path, "2011-02-25", promoted=False))
    assert found.kind == "warning"
    assert found.sentence == "The standing model stays; 1 thing to look at."
    assert "Recall@20 in band 2–9 fell by 0.021" in found.reasons[0].text


@pytest.mark.parametrize(("system", "level"), [("popularity", "warning"), ("cooccurrence", "note")])
@pytest.mark.parametrize(("metric", "value"), [("recall", 0.9), ("log_loss", 0.1)])
def test_losing_to_a_baseline_is_said_and_to_popularity_is_a_warning(tmp_path, system, level, metric, value):
    sources = full(tmp_path, "2011-02-25")
    metrics = Night("retail", "2011-02-25", 7, sources).facts("evaluate", "metrics.json")
    metrics["systems"][system][metric] = value
    rewritten(sources["evaluate"], "metrics.json", metrics)
    found = verdict(sources)
    assert found.kind == ("warning" if level == "warning" else "ok")
    assert [reason.level for reason in found.reasons if reason.text.startswith("Not better")] == [level]


def test_the_gate_stops_and_its_sentence_is_the_verdict(tmp_path):
    found = verdict(
        {"quality": make_stage(tmp_path, "2011-02-25", "quality", Ledger(), {"failed": "the day is empty"})}
    )
    assert (found.kind, found.sentence) == ("stopped", "Stopped at quality: the day is empty.")


def test_where_most_rows_were_lost_the_sentence_names_the_check_that_took_them(tmp_path):
    found = verdict(
        {"quality": quality(tmp_path, "2011-02-25", failed="135 of 1737 rows kept, at least 50 % wanted")}
    )
    assert found.kind == "stopped"
    assert found.sentence.replace("\u00a0", " ") == (
        "Stopped at quality: ‘line does not parse’ took 1,602 of 1,737 rows (92.2 %); 135 of 1737 rows kept, "
        "at least 50 % wanted."
    )


def test_a_night_that_did_not_end_is_failed_and_names_the_stage(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    for stage in ("train", "evaluate", "promote"):
        del sources[stage]
    assert verdict(sources).sentence == "The night did not end: there is no finished train stage."


def test_a_ledger_that_does_not_balance_beats_everything(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    old = sources["select"]
    sources["select"] = Source(old.folder, replace(old.manifest, ledger=Ledger(rows_in=10, rows_out=7)))
    found = verdict(sources)
    assert found.kind == "failed"
    assert found.sentence == "The ledger of select does not balance: 3 rows unaccounted for."


def test_a_warning_without_findings_is_still_explained(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    sources["quality"] = make_stage(tmp_path, "2011-02-25", "quality", Ledger(), {"verdict": "warn"})
    assert verdict(sources).kind == "warning"


def test_findings_are_read_from_the_file_where_the_metrics_have_none(tmp_path):
    finding = {"check": "fresh", "severity": "warn", "ok": False, "message": "the day is late"}
    files = {"findings.json": {"verdict": "warn", "findings": [finding], "schema_drift": []}}
    sources = full(tmp_path, "2011-02-25")
    sources["quality"] = make_stage(tmp_path, "2011-02-25", "quality", Ledger(), {}, files)
    assert "the day is late" in [reason.text for reason in verdict(sources).reasons]
