"""What the README and the docs print runs as printed: every command is parsed, those of the README,
docs/operations.md and docs/start.md are run."""

import glob
import json
import re
import shutil
from pathlib import Path

import pytest
import typer.main
from documented import PAGES, REPO, blocks, commands, file_keys
from own_days import DATES, people
from typer.testing import CliRunner

from lsml_spark.cli.main import app
from lsml_spark.core.stages import STAGES
from lsml_spark.flow.dates import parse_date
from lsml_spark.flow.pipeline import Pipeline

SMALL = ("window=6", "train.epochs=3", "train.batch=128", "train.model.dim=16", "train.model.hidden=[32]")
RUN = (REPO / "README.md", REPO / "docs" / "operations.md")
ALL = [(page.name, words) for page in PAGES for words in commands(page, "lsml")]
JOBS = [
    (page.name, words)
    for page in PAGES
    for program in ("spark-submit", "torchrun")
    for words in commands(page, program)
]


def parse(words: list[str]) -> dict:
    """The parameters of a command by name; an exception of typer's where it does not parse."""
    command, names = typer.main.get_command(app), ["lsml"]
    while hasattr(command, "commands"):
        names.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    return command.make_context(" ".join(names), list(words)).params


def test_there_are_commands():
    assert {words[0] for _, words in ALL} >= {
        "run",
        "backfill",
        "status",
        "report",
        "verify",
        "pilot",
        "label",
        "quality",
        "quarantine",
        "init",
        "show",
    }
    assert len(JOBS) >= 4


@pytest.mark.parametrize(
    ("page", "words"), ALL, ids=lambda value: value if isinstance(value, str) else " ".join(value[:2])
)
def test_a_documented_command_parses(page, words):
    told = parse(words)
    if told.get("date"):
        assert "$" in told["date"] or parse_date(told["date"])  # of cron the shell fills it in
    if (named := told.get("config")) and named.name != "mine.yaml":
        Pipeline(REPO / named).check(STAGES)


@pytest.mark.parametrize(
    ("page", "words"), JOBS, ids=lambda value: value if isinstance(value, str) else " ".join(value[-5:])
)
def test_a_documented_job_names_a_script_and_a_pipeline_that_are_there(page, words):
    at = next(i for i, word in enumerate(words) if word.startswith("jobs/"))
    assert (REPO / words[at]).is_file()
    options = dict(zip(words[at + 1 :: 2], words[at + 2 :: 2], strict=True))
    assert set(options) == {"--config", "--date"}
    if options["--config"] != "…":
        assert (REPO / options["--config"]).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_exit_codes_of_the_docs_are_those_of_the_errors():
    from lsml_spark.core import errors

    table = re.search(
        r"## Exit codes\n(.*?)\n##", (REPO / "docs/operations.md").read_text(), re.DOTALL
    ).group(1)
    said = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(",")
    }
    known = {
        found.exit_code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.LsmlError)
    }
    assert known | {0, 129, 130} <= said


def lsml(words: list[str], *more: str):
    return CliRunner().invoke(app, [*words, *more])


@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_commands_of_readme_and_operations_run_as_printed_and_in_their_order(
    spark, tmp_path, monkeypatch
):
    """On small settings, four weeks of days and another root."""
    (tmp_path / "pipelines").mkdir()
    shutil.copy(REPO / "pipelines/retail.yaml", tmp_path / "pipelines")
    shutil.copy(REPO / "pipelines/names.yaml", tmp_path / "pipelines")
    days = tmp_path / "pipelines" / "data" / "retail"
    days.mkdir(parents=True)
    for prefix in ("2011-01-1", "2011-01-2", "2011-01-3", "2011-02-0"):
        for path in (REPO / "pipelines/data/retail").glob(f"{prefix}*"):
            (days / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    small = [word for setting in SMALL for word in ("--set", setting)]
    for words in [words for page in RUN for words in commands(page, "lsml")]:
        here = [
            whole for word in words for whole in (glob.glob(f"{tmp_path}/{word}") if "*" in word else [word])
        ]
        more = small if "overrides" in parse(words) and "pipelines/retail.yaml" in words else []
        done = lsml(here, *more)
        assert done.exit_code == 0, f"lsml {' '.join(words)}\n{done.output}"
    Pipeline(tmp_path / "pipelines" / "mine.yaml").check(STAGES)
    assert (tmp_path / "held.csv").read_text().count("\n") > 2
    assert unsaid_keys(tmp_path / "runs/retail/2011-02-01") == []


def unsaid_keys(night: Path) -> list[str]:
    """Keys of a night's JSON files that docs/reference.md does not tell."""
    described = file_keys(REPO / "docs/reference.md")
    assert len(described) > 9
    files = [
        (path, words)
        for (name, stages), words in described.items()
        for stage in (STAGES if stages == "every stage" else stages.split(", "))
        for path in [night / stage / name]
    ]
    return [
        f"{path}: {key}" for path, words in files for key in json.loads(path.read_text()) if key not in words
    ]


@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.slow
def test_the_smallest_pipeline_runs_and_its_model_scores(spark, tmp_path, monkeypatch):
    """docs/start.md: the YAML and the Python as printed."""
    monkeypatch.chdir(tmp_path)
    people(tmp_path / "days")
    _keep(tmp_path / "days", ("age", "education", "income"))
    (tmp_path / "pipelines").mkdir()
    page = REPO / "docs" / "start.md"
    (smallest,) = [block for block in blocks(page, "yaml") if "name: mine" in block]
    (tmp_path / "pipelines" / "mine.yaml").write_text(smallest)
    (run,) = [words for words in commands(page, "lsml") if words[0] == "run" and words[-1] == DATES[-1]]
    ran = lsml(run)
    assert ran.exit_code == 0, ran.output
    assert json.loads((tmp_path / "runs/mine/promoted.json").read_text())["night"] == DATES[-1]
    (scoring,) = [block for block in blocks(page, "python") if "Neural" in block]
    found: dict = {}
    exec(scoring, found)
    assert found["guesses"] == [">50K", "<=50K"]


def _keep(folder: Path, names: tuple[str, ...]) -> None:
    """Leave only these columns in CSV files."""
    for path in folder.glob("*.csv"):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        places = [rows[0].index(name) for name in names]
        path.write_text("".join(",".join(row[place] for place in places) + "\n" for row in rows))
