"""What is unusual is a warning on every page or on none; a stopped night says why and what serves; a night is
repeated as it was run.
"""

import json
import re
import shlex
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from report_nights import before, full, history, make_stage, quality, report, rewritten
from report_profiles import metrics_table
from typer.testing import CliRunner

from lsml_spark.cli.main import app
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import read
from lsml_spark.core.work import Source
from lsml_spark.report.facts import Night
from lsml_spark.report.series import figure, outside, usual_range
from lsml_spark.report.site import publish
from lsml_spark.report.unusual import Unusual, find, of_json

DAY, PAST = "2011-02-25", [f"2011-02-{day:02}" for day in range(10, 25)]


def words(page: bytes) -> str:
    body = re.sub(r"<(style|script).*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def a_day(runs, date: str, kept: int, checks: list[dict[str, Any]], rows: int = 1000) -> Source:
    """A quality folder of a day of which so many rows were kept."""
    folder = runs / "retail" / date / "quality"
    told = {"rows": rows, "clean": kept, "quarantined": rows - kept, "kept_share": kept / rows}
    tables = {"metrics": metrics_table(folder, [("", name, float(value)) for name, value in told.items()])}
    ledger = Ledger(rows, kept, quarantined={"price": rows - kept} if kept < rows else {})
    return make_stage(runs, date, "quality", ledger, {"verdict": "ok", "findings": checks}, tables=tables)


def pages(runs, kept: int, checks: list[dict[str, Any]]) -> dict[str, str]:
    """Pages of a finished night after fifteen on which 985 to 995 of 1,000 rows were kept, and the index."""
    past = {f"history/{date}": a_day(runs, date, 985 + place % 11, []) for place, date in enumerate(PAST)}
    sources = full(runs, DAY) | {"quality": a_day(runs, DAY, kept, checks)}
    found = report(runs, DAY, {**sources, **past})
    index = publish(runs, "retail")
    return {
        "night": found.read_text(),
        "quality": found.with_name("quality.html").read_text(),
        "index": index.read_text(),
    }


@pytest.mark.parametrize(
    ("kept", "checks", "night", "quality_page"),
    [
        (957, [{"check": "price", "severity": "quarantine", "ok": False, "rows": 43}], "warning", "warning"),
        (990, [{"check": "price", "severity": "quarantine", "ok": False, "rows": 10}], "ok", "note"),
        (1000, [{"check": "price", "severity": "quarantine", "ok": True, "rows": 0}], "ok", "ok"),
        (1000, [], "ok", "note"),
    ],
)
def test_night_quality_page_and_index_agree_and_a_tick_means_that_nothing_was_found(
    tmp_path, kept, checks, night, quality_page
):
    found = pages(tmp_path, kept, checks)
    assert f'<section class="verdict {night}"' in found["night"]
    assert f'<section class="verdict slim {quality_page}"' in found["quality"]
    assert f'<section class="verdict {night}"' in found["index"]
    said = "Outside the usual range of earlier nights: "
    assert [said in page for page in found.values()] == [night == "warning"] * 3


def test_the_usual_range_of_a_share_ends_at_100_percent_and_none_is_below_zero(tmp_path):
    shares_N = np.array([0.99, 1.0, 0.98, 0.97, 0.99, 1.0, 0.96, 0.99, 1.0])
    assert usual_range(figure(0.9, 0.99, shares_N, 2), "kept_share")[1] == 1.0
    assert usual_range(figure(0.2, 0.01, 1 - shares_N, 2), "missing_share")[0] == 0.0
    counts_N = np.array([5.0, 9, 0, 20, 3, 8, 30, 2])
    assert usual_range(figure(75, 5, counts_N, 2), "quarantined")[0] == 0.0
    assert "usual 97.8 % to 100.0 %)" in pages(tmp_path, 957, [])["night"].replace("\u00a0", " ")


def test_a_few_rows_beside_what_never_varied_are_not_unusual():
    zeros_N, ones_N = np.zeros(30), np.ones(30)
    assert outside(figure(2, 0, zeros_N, 1), "quarantined") == 0
    assert outside(figure(40, 0, zeros_N, 1), "quarantined") == 1
    assert outside(figure(0.995, 1.0, ones_N, 1), "kept_share") == 0
    assert outside(figure(0.95, 1.0, ones_N, 1), "kept_share") == -1


def test_figures_of_a_column_are_a_note_on_both_pages_and_no_warning(tmp_path):
    past = history(tmp_path, PAST)
    sources = full(tmp_path, DAY) | {"quality": quality(tmp_path, DAY, missing=0.6)}
    night = report(tmp_path, DAY, {**sources, **past})
    for page in (night, night.with_name("quality.html")):
        assert "Figures of CustomerID (" in words(page.read_bytes())
    assert read(night.parent).metrics["verdict"] == "ok"


def test_what_is_unusual_survives_the_manifest_and_old_manifests_have_none():
    moved = figure(9, 50, np.arange(40.0, 60.0), 2)
    strange = find({"rows": moved}, [{"name": "a", "figures": {"mean": moved}}])
    assert strange.day[0].startswith("rows 9 (usual ")
    assert of_json(json.loads(json.dumps(strange.as_json()))) == replace(
        strange, day=list(strange.day), columns=list(strange.columns)
    )
    assert of_json(None) == Unusual()


def test_a_stopped_night_names_the_check_with_its_rows_and_the_model_that_serves(tmp_path):
    standing = full(tmp_path, "2011-02-20")["train"]
    stopped = {"quality": quality(tmp_path, DAY, failed="135 of 1737 rows kept, at least 50 % wanted")}
    shown = words(report(tmp_path, DAY, {**stopped, "champion": standing}).read_bytes())
    assert "‘line does not parse’ took 1,602 of 1,737 rows (92.2 %)" in shown
    assert "The model of 2011-02-20 goes on serving." in shown
    assert "The model of 2011-02-20 goes on serving." in words(publish(tmp_path, "retail").read_bytes())
    assert "No model serves yet." in words(report(tmp_path, "2011-02-27", stopped).read_bytes())


def test_an_empty_day_has_lost_no_columns(tmp_path):
    empty = make_stage(
        tmp_path,
        DAY,
        "quality",
        Ledger(),
        {"verdict": "failed", "failed": "the day has no rows, only a header"},
    )
    shown = words(report(tmp_path, DAY, {"quality": empty, **history(tmp_path, PAST[:1])}).read_bytes())
    assert "vanished" not in shown


def test_lsml_report_gives_a_day_that_its_gate_stopped_a_page(tmp_path):
    quality(tmp_path, DAY, failed="92.2 % of the rows were rejected")
    quality(tmp_path, "2011-02-24")  # history of a window, which has none
    done = CliRunner().invoke(app, ["report", "pipelines/retail.yaml", "--root", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert [path.name for path in (tmp_path / "retail" / "site").glob("2011-*.html")] == [
        f"{DAY}.quality.html",
        f"{DAY}.html",
    ] or (tmp_path / "retail" / "site" / f"{DAY}.html").is_file()
    assert not (tmp_path / "retail" / "site" / "2011-02-24.html").exists()


def test_the_command_is_the_one_that_was_used_and_can_be_pasted(tmp_path):
    typed = ["lsml", "run", "adult/a 2.yaml", "--date", DAY, "--set", "x.token=***", "--root", "r 2"]
    sources = full(tmp_path, DAY)
    sources["promote"] = make_stage(tmp_path, DAY, "promote", Ledger(), run={"command": typed})
    page = report(tmp_path, DAY, sources).read_text()
    shown = re.search(r"<code>(lsml run .*?)</code>", page)[1].replace("&#39;", "'")
    assert shlex.split(shown) == typed
    assert "*** stands for a secret" in page


def test_rows_are_also_compared_with_the_same_weekday(tmp_path):
    past = {
        f"history/{date}": a_day(tmp_path, date, 990, [], rows)
        for date, rows in (("2011-02-18", 1500), ("2011-02-24", 700))
    }
    shown = words(
        report(tmp_path, DAY, {"quality": a_day(tmp_path, DAY, 990, [], 1530), **past}).read_bytes()
    )
    assert "2011-02-24, Thursday" in shown
    assert "Rows, Friday 2011-02-18 1,530 1,500 +2.0 %" in shown


def test_with_one_guess_a_row_recall_is_called_accuracy_and_bands_without_rows_are_left_out(tmp_path):
    sources = full(tmp_path, DAY)
    path = sources["evaluate"].folder / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["k"] = 1
    for system in metrics["systems"].values():
        for band in ("0", "1", "2–9"):
            system["bands"][band] = {"rows": 0, "recall": None, "log_loss": None}
    rewritten(sources["evaluate"], "metrics.json", metrics)
    page = report(tmp_path, DAY, {**sources, **before(full(tmp_path, "2011-02-24"))}).read_bytes()
    shown = words(page)
    assert "Accuracy by key frequency" in shown
    assert "recall@1" not in shown.lower()
    assert (
        re.findall(r'<tr><th scope="row">([^<]*)</th><td class="n" data-label="Rows">', page.decode())
        == ["10–99", "100+"] * 2
    )
    assert "Accuracy" in words(publish(tmp_path, "retail").read_bytes())


def test_of_a_warm_start_that_climbs_the_page_says_why(tmp_path):
    sources = full(tmp_path, DAY)
    path = sources["train"].folder / "curve.json"
    curve = json.loads(path.read_text())
    for step in curve["steps"]:
        step["loss"] = 5.3 + 0.8 * min(step["step"], 60) / 60 if step["epoch"] == 0 else 5.2
    rewritten(sources["train"], "curve.json", curve)
    night = report(tmp_path, DAY, sources)
    for page in (night, night.with_name("training.html")):
        assert "the learning rate begins anew, up to 0.01, so the loss climbs from 5." in words(
            page.read_bytes()
        )


def test_the_model_that_serves_is_the_champion_before_the_night_or_what_was_decided(tmp_path):
    sources = full(tmp_path, DAY)
    assert Night("retail", DAY, 7, sources).serves() == DAY
    assert (
        Night("retail", DAY, 7, {}, champion=full(tmp_path, "2011-02-20")["train"]).serves() == "2011-02-20"
    )
    assert Night("retail", DAY, 7, {}).serves() is None
