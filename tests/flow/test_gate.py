"""The quality gate on the command line: `check` exits 3, `explain` says why, a pipeline may train on the last
good day instead.
"""

import gzip

import pytest
from nights import SMALL, copy_days, lsml, manifests
from typer.testing import CliRunner

from lsml_spark.cli.main import app

pytestmark = [pytest.mark.spark]
BAD, GOOD = "2011-01-16", "2011-01-14"


@pytest.fixture
def raw(tmp_path):
    """The raw days with one more, of which two thirds have no price."""
    folder = copy_days(tmp_path / "raw", "2011-01-10", "2011-01-11", "2011-01-12", "2011-01-13", "2011-01-14")
    lines = gzip.decompress((folder / f"{GOOD}.csv.gz").read_bytes()).decode().splitlines()
    spoilt = [
        line if i % 3 == 0 else ",".join([*line.split(",")[:-3], "", *line.split(",")[-2:]])
        for i, line in enumerate(lines)
    ]
    (folder / f"{BAD}.csv").write_text("\n".join(spoilt).replace(GOOD, BAD) + "\n")
    return folder


def settings(raw, *more: str) -> tuple[str, ...]:
    return (*SMALL, f"raw.folder={raw}", *more)


def test_check_exits_3_and_explain_says_why_with_rows_to_look_at(raw, tmp_path):
    words = ["--config", "pipelines/retail.yaml", "--root", str(tmp_path / "runs")]
    checked = CliRunner().invoke(
        app, ["quality", "check", "--date", BAD, *words, "--set", f"raw.folder={raw}"]
    )
    assert checked.exit_code == 3
    for said in (checked.output, CliRunner().invoke(app, ["quality", "explain", BAD, *words]).output):
        assert "stopped at the quality gate" in said
        assert "at least 50% wanted" in said
        assert "UnitPrice: missing" in said
        assert f"{BAD}.csv" in said
    good = CliRunner().invoke(app, ["quality", "check", "--date", GOOD, *words, "--set", f"raw.folder={raw}"])
    assert (good.exit_code, "fit to train on" in good.output) == (0, True)


@pytest.mark.dist
@pytest.mark.slow
def test_the_night_of_a_bad_day_trains_on_the_last_good_one_where_the_pipeline_says_so(raw, tmp_path):
    night = ("run", "--date", BAD)
    stopped = lsml(*night, root=tmp_path / "stopped", settings=settings(raw))
    assert stopped.exit_code == 3
    assert "promote" not in manifests(tmp_path / "stopped", BAD)

    result = lsml(
        *night, root=tmp_path / "runs", settings=settings(raw, "quality.on_gate=train_on_last_good")
    )
    assert result.exit_code == 0, result.output
    made = manifests(tmp_path / "runs", BAD)
    assert made["quality"].metrics["failed"]
    days = made["prepare"].metrics["days"]
    assert days == {"train": ["2011-01-10", "2011-01-11", "2011-01-12", "2011-01-13"], "test": [GOOD]}
    assert "promote" in made
    verified = lsml("verify", root=tmp_path / "runs")
    assert verified.exit_code == 0, verified.output
    page = (tmp_path / "runs" / "retail" / "site" / f"{BAD}.html").read_text()
    assert "last good day" in page


def test_a_day_is_judged_against_the_good_days_before_it_and_a_late_day_makes_nothing_stale(raw, tmp_path):
    drift = "quality.table=[{drift: {column: Country, below: 0.9}}, {kept: 0.5, on_bad: fail}]"
    root, late = tmp_path / "runs", raw / "2011-01-12.csv.gz"
    day = late.read_bytes()
    late.unlink()
    for date in ("2011-01-10", "2011-01-11", BAD, "2011-01-13"):
        lsml("run", "--date", date, "--until", "quality", root=root, settings=settings(raw, drift))
    found = manifests(root, "2011-01-13")["quality"]
    value = {finding["rule"]: finding["value"] for finding in found.metrics["findings"]}["drift"]
    assert 0 <= value < 0.9
    assert manifests(root, "2011-01-10")["quality"].metrics["findings"][0].get("value") != value

    late.write_bytes(day)
    lsml("run", "--date", "2011-01-12", "--until", "quality", root=root, settings=settings(raw, drift))
    again = lsml(
        "run", "--date", "2011-01-13", "--until", "quality", root=root, settings=settings(raw, drift)
    )
    assert "nothing to do" in again.output
