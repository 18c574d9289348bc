"""What the tables and `--json` say of nights, from manifests alone."""

import io
import json

import pytest
from made_nights import pipeline, scored, stage
from rich.console import Console
from typer.testing import CliRunner

from lsml_spark.cli.main import app
from lsml_spark.core.ledger import Ledger
from lsml_spark.flow import screens
from lsml_spark.flow.layout import Runs

GOOD, BETTER, STOPPED = "2024-03-04", "2024-03-05", "2024-03-06"


@pytest.fixture
def toy(tmp_path):
    """Two nights that were scored, of which one was promoted, and one that its gate stopped."""
    root = tmp_path / "r"
    for date in (GOOD, BETTER):
        stage(root, date, "quality")
    scored(root, GOOD, model=2.0, popularity=1.0, promoted=False)
    scored(root, BETTER, model=0.5, popularity=1.0, promoted=True)
    stage(root, STOPPED, "quality", Ledger(10, 0, quarantined={"a: not int": 10}), failed="no clean row")
    return pipeline(tmp_path), root


def as_json(*words):
    said = CliRunner().invoke(app, [str(word) for word in words])
    return said.exit_code, json.loads(said.stdout)


def test_a_stopped_night_is_called_so_and_the_best_figure_of_a_row_is_bold(toy):
    _, root = toy
    runs = Runs(root.resolve(), "toy")
    console = Console(width=200, record=True, force_terminal=True, file=io.StringIO())
    screens.results(console, runs, runs.dates())
    styled = console.export_text(styles=True)
    rows = {line.split()[0].split("m")[-1]: line for line in styled.splitlines() if "2024-" in line}
    assert "stopped" in rows[STOPPED]
    bold = {
        date: [part.split("\x1b")[0].strip() for part in row.split("\x1b[1m")[1:]]
        for date, row in rows.items()
    }
    assert bold[GOOD] == ["50.0%", "1.000"]  # popularity's
    assert bold[BETTER] == ["66.7%", "0.500"]  # the model's
    assert "breadth: how many" in styled


def test_status_as_json(toy):
    path, root = toy
    code, said = as_json("status", path, "--root", root, "--json")
    assert code == 0
    assert said["pipeline"] == "toy"
    assert [night["date"] for night in said["nights"]] == [GOOD, BETTER, STOPPED]
    assert said["nights"][0]["stages"]["promote"] == "done"
    assert said["nights"][2]["stages"]["quality"] == "stopped"
    assert said["nights"][2]["stages"]["train"] == "not run"


def test_explain_as_json(toy):
    path, root = toy
    code, said = as_json("quality", "explain", path, "--date", STOPPED, "--root", root, "--json")
    assert code == 0
    assert (said["verdict"], said["stopped"]) == ("stopped", "no clean row")
    assert (said["rows_in"], said["rows_out"], said["quarantined"]) == (10, 0, {"a: not int": 10})
    assert said["findings"] == []


def test_verify_as_json_is_written_where_a_file_is_off_too(toy):
    path, root = toy
    (root / "toy" / GOOD / "evaluate" / "metrics.json").write_text("{}")
    code, said = as_json("verify", path, "--date", GOOD, "--root", root, "--json")
    assert code == 6
    assert said["right"] is False
    assert "metrics.json" in said["error"]
