"""The page of a night says what happened, for every kind of night, and equal nights give equal pages."""

import json
import re

import pytest
from report_nights import EVIL, before, full, make_stage, quality, report, rewritten

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.report.facts import STAGES
from lsml_spark.report.run import Config


def words(page: bytes) -> str:
    """The text of a page without styles, scripts and tags, blanks joined."""
    body = re.sub(r"<(style|script).*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_a_full_night_shows_its_numbers_to_the_row(tmp_path):
    last = full(tmp_path, "2011-02-24")
    sources = full(tmp_path, "2011-02-25")
    shown = words(report(tmp_path, "2011-02-25", {**sources, **before(last)}).read_bytes())
    for stage, source in sources.items():
        if stage != "promote":
            assert f"{source.manifest.ledger.rows_in:,}" in shown
            assert f"{source.manifest.ledger.rows_out:,}" in shown
    assert "The new model is promoted; there are no warnings." in shown
    assert "45 price out of range" in shown  # the ledger
    assert "25.6 %" in shown  # recall@20 of the model
    assert "11.6 %" in shown  # and of popularity
    assert "basket of context my.shop.Hashed lists of ids 4,096 3.10 %" in shown
    assert "photo image tensor of uint8 32 × 32 × 3" in shown
    assert "change since 2011-02-24" in shown
    assert "lsml run pipelines/retail.yaml --date 2011-02-25" in shown
    for source in sources.values():
        assert source.manifest.identity in shown
        assert source.manifest.config_hash in shown


def test_a_night_that_the_gate_stopped_says_so_first(tmp_path):
    stopped = {"quality": quality(tmp_path, "2011-02-25", failed="92.2 % of the rows were rejected")}
    shown = words(report(tmp_path, "2011-02-25", stopped).read_bytes())
    assert (
        "stopped Stopped at quality: ‘line does not parse’ took 1,602 of 1,737 rows (92.2 %); 92.2 % of the "
        "rows were rejected." in shown
    )
    assert "− 1,602 quarantined line does not parse" in shown
    assert "Keys and selection" not in shown
    assert "Metrics on the held-out day" not in shown


@pytest.mark.parametrize("missing", STAGES)
def test_a_night_without_one_stage_renders(tmp_path, missing):
    sources = full(tmp_path, "2011-02-25")
    del sources[missing]
    shown = words(report(tmp_path, "2011-02-25", sources).read_bytes())
    failed = f"The night did not end: there is no finished {missing} stage."
    assert (failed in shown) == (missing in ("quality", "prepare", "select", "train", "evaluate", "promote"))


@pytest.mark.parametrize("count", range(len(STAGES)))
def test_a_night_that_ended_early_renders(tmp_path, count):
    sources = dict(list(full(tmp_path, "2011-02-25").items())[:count])
    assert b"did not end" in report(tmp_path, "2011-02-25", sources).read_bytes()


def test_a_night_without_figures_renders_with_dashes(tmp_path):
    sources = full(tmp_path, "2011-02-25", empty=True)
    shown = words(report(tmp_path, "2011-02-25", {**sources, **before(sources)}).read_bytes())
    assert "None" not in shown
    assert not re.search(r"\b(nan|inf)\b", shown)
    assert "0 test rows" in shown


def test_a_night_before_the_first_champion_renders(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    metrics = json.loads((sources["evaluate"].folder / "metrics.json").read_text())
    metrics["systems"]["champion"] = None
    rewritten(sources["evaluate"], "metrics.json", metrics)
    assert "Champion" not in words(report(tmp_path, "2011-02-25", sources).read_bytes())


def test_equal_nights_give_equal_pages_wherever_and_whenever_they_ran(tmp_path):
    pages = []
    for folder in ("here", "there"):
        sources = full(tmp_path / folder, "2011-02-25")
        pages.append(report(tmp_path / folder, "2011-02-25", sources).read_bytes())
    assert pages[0] == pages[1]
    assert b"never the same" not in pages[0]


def test_the_report_moves_no_rows_and_keeps_its_verdict_in_its_metrics(tmp_path):
    from lsml_spark.core.manifest import read

    found = read(report(tmp_path, "2011-02-25", full(tmp_path, "2011-02-25", warn=True)).parent)
    assert found is not None
    assert found.ledger.rows_in == found.ledger.rows_out == 0
    assert found.metrics["verdict"] == "warning"
    assert ["warning", "Schema drift: column Loyalty appeared (string)"] in found.metrics["reasons"]


def test_a_stage_file_that_is_not_json_is_an_integrity_error_that_names_it(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    (sources["zipf"].folder / "profile.json").write_text("{")
    with pytest.raises(IntegrityError, match=r"zipf/profile\.json"):
        report(tmp_path, "2011-02-25", sources)


def test_a_night_stays_far_below_a_megabyte(tmp_path):
    assert report(tmp_path, "2011-02-25", full(tmp_path, "2011-02-25", hostile=True)).stat().st_size < 300_000


def test_the_title_is_the_users_and_escaped(tmp_path):
    page = report(
        tmp_path, "2011-02-25", full(tmp_path, "2011-02-25"), Config(title=f"Shop {EVIL}")
    ).read_text()
    assert EVIL not in page
    assert "<title>Shop &lt;/script&gt;" in page


def test_an_unknown_key_of_the_config_is_refused_with_the_near_name():
    with pytest.raises(ConfigError, match="did you mean 'examples'"):
        validate(Config, {"exmples": 3}, "retail.yaml: report")


def test_a_message_that_begins_with_the_name_of_its_check_says_it_once(tmp_path):
    finding = {"check": "Price in range", "severity": "quarantine", "ok": False, "rows": 3, "share": 0.1}
    metrics = {"verdict": "ok", "findings": [finding | {"message": "Price in range: 3 of 30 rows"}]}
    sources = {"quality": make_stage(tmp_path, "2011-02-25", "quality", Ledger(), metrics)}
    assert "quarantine Price in range 3 of 30 rows 3 rows 10.0 %" in words(
        report(tmp_path, "2011-02-25", sources).read_bytes()
    )
