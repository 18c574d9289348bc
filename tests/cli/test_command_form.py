"""One form of every command, and hints that run where they are pasted."""

import os
import shlex
import sys
from pathlib import Path

import pytest
from called import lsml
from made_nights import pipeline, stage
from typer.testing import CliRunner

import lsml_spark
from lsml_spark.cli.main import app
from lsml_spark.core.command import command_line
from lsml_spark.core.ledger import Ledger

DATE = "2024-03-04"
VERBS = (
    ["run"],
    ["status"],
    ["report"],
    ["verify"],
    ["pilot"],
    ["label"],
    ["quality", "check"],
    ["quality", "explain"],
)


@pytest.mark.parametrize("verb", [*VERBS, ["quarantine", "show"], ["quarantine", "release"]], ids=" ".join)
def test_every_verb_takes_the_pipeline_and_then_the_date(verb, here):
    """A YAML that is not there is named as such, so the word was taken for the pipeline."""
    said = lsml(*verb, "none.yaml", "--date", DATE, "--root", "r", "--set", "window=2")
    assert said.exit_code == 2
    assert said.output.startswith("error: none.yaml: no such file")


def test_the_only_pipeline_needs_no_name(here):
    pipeline(here / "pipelines")
    stage(here / "runs", DATE, "quality")
    assert DATE in lsml("status").output
    assert "every check holds" in lsml("quality", "explain", "--date", DATE).output


def test_of_several_pipelines_each_is_offered_as_a_command_to_paste(here, monkeypatch):
    for name in ("a.yaml", "b c.yaml"):
        pipeline(here / "pipelines", name)
    typed = ["quality", "check", "--date", DATE, "--root", "r t"]
    monkeypatch.setattr(sys, "argv", ["/venv/bin/lsml", *typed])
    said = lsml(*typed)
    assert said.exit_code == 2
    offered = [shlex.split(words) for words in said.output.split("`")[1::2]]
    assert offered == [
        ["lsml", "quality", "check", f"pipelines/{name}", "--date", DATE, "--root", "r t"]
        for name in ("a.yaml", "b c.yaml")
    ]


def test_where_there_is_no_pipeline_init_is_offered(here):
    said = lsml("status")
    assert said.exit_code == 2
    assert "lsml init" in said.output


def test_the_old_forms_still_work(here):
    path = pipeline(here)
    stage(here / "runs", DATE, "quality")
    now = lsml("quality", "explain", path, "--date", DATE)
    assert now.exit_code == 0, now.output
    assert lsml("quality", "explain", DATE, "--config", path).output == now.output
    assert lsml("quality", "explain", "--date", DATE, "--config", path).output == now.output
    forgot = lsml("quality", "explain", path)
    assert forgot.exit_code == 2
    assert "--date" in forgot.output


def test_a_command_line_is_quoted_for_the_shell(here):
    said = command_line(
        "quarantine show",
        here / "my pipes" / "a'b.yaml",
        "--date",
        DATE,
        overrides=["raw.folder=/a b"],
        root=here / "r$t",
    )
    assert shlex.split(said) == [
        *["lsml", "quarantine", "show", "my pipes/a'b.yaml", "--date", DATE],
        *["--set", "raw.folder=/a b", "--root", "r$t"],
    ]


def test_the_default_root_is_not_said(here):
    assert command_line("run", Path("a.yaml"), root=here / "runs") == "lsml run a.yaml"
    assert (
        command_line("run", Path("/elsewhere/a.yaml"), root=Path("/r"))
        == "lsml run /elsewhere/a.yaml --root /r"
    )


def test_the_hints_of_explain_carry_pipeline_root_and_settings(here):
    path = pipeline(here)
    stage(
        here / "r t", DATE, "quality", Ledger(10, 0, quarantined={'a: "no" int': 10}), failed="no clean row"
    )
    said = lsml("quality", "explain", path, "--date", DATE, "--root", "r t", "--set", "window=3").output
    hints = [shlex.split(line.split("`")[1]) for line in said.splitlines() if "`lsml " in line]
    assert [" ".join(words[:3]) for words in hints] == [
        "lsml run toy.yaml",
        "lsml quarantine show",
        "lsml quarantine release",
    ]
    for words in hints:
        assert words[-4:] == ["--set", "window=3", "--root", "r t"]
        assert words[words.index("--date") + 1] == DATE
    assert hints[1][hints[1].index("--rule") + 1] == 'a: "no" int'


def test_version_help_and_completion(here):
    assert lsml("--version").output == f"lsml_spark {lsml_spark.__version__}\n"
    for words in ([], ["run"], ["quality"], ["quarantine", "show"]):
        assert lsml(*words, "-h").output == lsml(*words, "--help").output
    flat = " ".join(lsml("run", "-h").output.split())
    for name in ("quality", "prepare", "augment", "promote"):
        assert name in flat
    assert "--install-completion" in lsml("-h").output


def test_the_shell_completes_stages(here):
    asked = {"_LSML_COMPLETE": "complete_bash", "COMP_WORDS": "lsml run --from pr", "COMP_CWORD": "3"}
    before = {name: os.environ.get(name) for name in asked}
    try:
        said = CliRunner().invoke(app, [], prog_name="lsml", env=asked)
    finally:
        assert before == {name: os.environ.get(name) for name in asked}
    assert said.output.split() == ["prepare", "promote"]
