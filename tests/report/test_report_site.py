"""The site: complete, checksummed, and unchanged when nothing changed."""

import hashlib
import json
import shutil
from dataclasses import replace

import pytest
from report_nights import full, make_stage, quality, report

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import read
from lsml_spark.report.page import script_name
from lsml_spark.report.site import publish


@pytest.fixture
def runs(tmp_path):
    report(tmp_path, "2011-02-24", full(tmp_path, "2011-02-24"))
    report(tmp_path, "2011-02-25", {"quality": quality(tmp_path, "2011-02-25", failed="the day is empty")})
    quality(tmp_path, "2011-02-23")  # history in the window of the others
    quality(tmp_path, "2011-02-27")  # this night was killed before its report
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_site_holds_the_index_the_pages_of_each_night_and_one_script(runs):
    index = publish(runs, "retail")
    assert index == runs / "retail" / "site" / "index.html"
    assert set(contents(index.parent)) == {
        "index.html",
        *(
            f"{date}.{kind}"
            for date in ("2011-02-24", "2011-02-25")
            for kind in ("html", "quality.html", "quality.json")
        ),
        "2011-02-24.selection.html",  # the other night was stopped before its keys were counted
        "2011-02-24.training.html",
        script_name(),
        "checksums.json",
    }


def test_the_checksums_are_those_of_the_files(runs):
    site = publish(runs, "retail").parent
    sums = json.loads((site / "checksums.json").read_text())
    assert sums == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in contents(site).items()
        if name != "checksums.json"
    }


def test_publishing_twice_writes_nothing_anew(runs):
    site = publish(runs, "retail").parent
    before = {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in site.iterdir()
    }
    publish(runs, "retail")
    assert before == {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in site.iterdir()
    }


def test_a_site_built_anew_is_the_same_to_the_byte(runs):
    site = publish(runs, "retail").parent
    before = contents(site)
    shutil.rmtree(site)
    publish(runs, "retail")
    assert contents(site) == before


def test_a_damaged_file_of_the_site_is_put_right(runs):
    site = publish(runs, "retail").parent
    before = contents(site)
    for path in site.iterdir():
        path.write_bytes(b"x" + path.read_bytes()[1:])
    publish(runs, "retail")
    assert contents(site) == before


def test_the_index_shows_each_verdict_the_newest_night_first(runs):
    text = publish(runs, "retail").read_text()
    table = text[text.index("<tbody>") :]
    places = [
        table.index(word)
        for word in (
            "2011-02-27",
            "no finished prepare stage",
            "2011-02-25",
            "the day is empty",
            "2011-02-24",
        )
    ]
    assert places == sorted(places)
    assert '<a href="2011-02-24.html">' in table
    assert "2011-02-27.html" not in text  # it has no page


def test_days_of_history_are_not_nights_that_failed(runs):
    text = publish(runs, "retail").read_text()
    nights, history = text[text.index('<table class="nights">') :].split("<details>")[:2]
    assert "2011-02-23" not in nights
    assert "1 earlier day that went through quality alone" in history
    assert "2011-02-23" in history


def test_what_a_killed_publication_left_is_cleared_away(runs):
    site = publish(runs, "retail").parent
    (site / ".index.html.4711").write_text("half")
    publish(runs, "retail")
    assert not (site / ".index.html.4711").exists()


def test_a_damaged_manifest_is_a_failed_night_that_names_the_file(runs):
    path = runs / "retail" / "2011-02-24" / "select" / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 7', '"seed": 8'))
    site = publish(runs, "retail").parent
    text = (site / "index.html").read_text()
    assert "2011-02-24/select/manifest.json: damaged manifest" in text
    assert str(runs) not in text
    assert not (site / "2011-02-24.html").exists()


@pytest.mark.parametrize("name", ["night.html", "selection.html", "quality.html", "quality.json"])
def test_a_damaged_page_is_not_published(runs, name):
    page = runs / "retail" / "2011-02-24" / "report" / name
    page.write_bytes(page.read_bytes() + b"<script>")
    site = publish(runs, "retail").parent
    assert "its checksum is not the one in the manifest" in (site / "index.html").read_text()
    assert not list(site.glob("2011-02-24*"))


def test_a_report_from_before_there_was_a_quality_page_is_published_as_it_was(runs):
    folder = runs / "retail" / "2011-02-24" / "report"
    found = read(folder)
    replace(found, files=[file for file in found.files if file.path == "night.html"], run={}).write(folder)
    site = publish(runs, "retail").parent
    assert [path.name for path in site.glob("2011-02-24*")] == ["2011-02-24.html"]
    assert "2011-02-24.quality" not in (site / "index.html").read_text()


def test_the_index_leads_to_the_quality_page(runs):
    assert '<a class="more" href="2011-02-24.quality.html">' in publish(runs, "retail").read_text()


def test_the_index_leads_to_the_selection_page_where_there_is_one(runs):
    text = publish(runs, "retail").read_text()
    assert '<a class="more" href="2011-02-24.selection.html">' in text
    assert "2011-02-25.selection.html" not in text


def test_the_page_of_a_night_that_is_gone_goes_and_foreign_files_stay(runs):
    site = publish(runs, "retail").parent
    (site / "notes.txt").write_text("mine")
    shutil.rmtree(runs / "retail" / "2011-02-24")
    publish(runs, "retail")
    assert not list(site.glob("2011-02-24*"))
    assert (site / "notes.txt").read_text() == "mine"


def test_the_script_of_an_older_page_stays_as_long_as_the_page(runs, monkeypatch):
    site = publish(runs, "retail").parent
    old = script_name()
    monkeypatch.setattr("lsml_spark.report.page.script_name", lambda: "plotly-99.0.0.min.js")
    publish(runs, "retail")
    assert {old, "plotly-99.0.0.min.js"} <= set(contents(site))
    for date in ("2011-02-24", "2011-02-25"):
        shutil.rmtree(runs / "retail" / date)
    publish(runs, "retail")
    assert old not in contents(site)


def test_no_nights_is_a_page_that_says_what_to_run(tmp_path):
    assert "lsml run pipelines/retail.yaml --date" in publish(tmp_path, "retail").read_text()


def test_one_night_without_any_metric_is_enough(tmp_path):
    make_stage(tmp_path, "2011-02-25", "quality", Ledger())
    assert "did not end" in publish(tmp_path, "retail").read_text()
