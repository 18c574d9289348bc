"""`lsml init`: from a folder of raw days to a pipeline that runs on them."""

import json
from pathlib import Path

import pytest
import yaml
from called import lsml
from own_days import DATES, chats, people

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.stages import STAGES
from lsml_spark.flow import draft
from lsml_spark.flow.days import days_of, name_of
from lsml_spark.flow.pipeline import Pipeline

ENDINGS = (".csv", ".csv.gz", ".jsonl")


def files(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a,b\n1,2\n")
    return folder


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["2024-03-01.csv", "2024-03-02.csv"], "{{ date }}.csv"),
        (["2024-03-01.csv", "2024-03-02.csv.gz"], "{{ date }}.csv*"),
        (["date=2024-03-01/part-0.csv", "date=2024-03-02/part-1.csv"], "date={{ date }}/part-*.csv"),
        (["d=2024-03-01/00/e.jsonl", "d=2024-03-01/12/e.jsonl"], "d={{ date }}/*/e.jsonl"),
        (["eu-2024-03-01.csv", "us-2024-03-01.csv"], "*{{ date }}.csv"),
        (["a[1]-2024-03-01.csv", "README.md"], "a[[]1]-{{ date }}.csv"),
    ],
)
def test_the_pattern_finds_the_files_of_a_day_and_no_others(names, pattern, tmp_path):
    found = days_of(files(tmp_path, *names), ENDINGS)
    assert found.pattern == pattern
    for date, paths in found.files.items():
        assert sorted(tmp_path.glob(pattern.replace("{{ date }}", date))) == sorted(paths)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "it is empty"),
        (["2024-03-01.docx"], "no files that end in .csv"),
        (["today.csv"], "a raw file says its day"),
        (["2024-03-01.csv", "x/2024-03-02.csv"], "at different depths"),
    ],
)
def test_what_cannot_be_days_is_refused_before_spark_starts(names, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        days_of(files(tmp_path, *names), ENDINGS)
    assert lsml("init", tmp_path, "--out", tmp_path / "new.yaml").exit_code == 2


def test_the_window_takes_in_the_earlier_days_however_far_apart(tmp_path):
    years = days_of(files(tmp_path, *[f"{year}-12-31.csv" for year in (1990, 1991, 1992)]), ENDINGS)
    assert years.window() == 731
    assert years.window(most=1) == 366
    assert days_of(files(tmp_path / "one", "2024-03-01.csv"), ENDINGS).window() == 1


def test_names_of_pipelines(tmp_path):
    assert [name_of(tmp_path / name) for name in ("My Days!", "ä", "_x", "taxi_2")] == [
        "my-days",
        "mine",
        "x",
        "taxi_2",
    ]


def column(name, type_, *checks, unique=False):
    return draft.Column(name, type_, checks, unique)


def test_the_label_is_the_column_that_can_be_guessed():
    category, code, number = (
        column("colour", "string", {"one_of": ["a", "b"]}),
        column("sku", "string"),
        column("n", "int"),
    )
    named, key = column("Target", "string", {"one_of": ["a", "b"]}), column("id", "string", unique=True)
    assert draft.label_of([named, category, code, number, key]) is named
    assert draft.label_of([category, code, number, key]) is category
    assert draft.label_of([code, number, key]) is code
    assert draft.label_of([number, key]) is number
    with pytest.raises(ConfigError, match="no column could be a label"):
        draft.label_of([key])


@pytest.mark.parametrize(
    ("type_", "high", "step"),
    [
        ("int", 180, "5"),
        ("int", 30, "1"),
        ("double", 1.0, "0.05"),
        ("bigint", 150_000, "5000"),
        ("double", 0, "5e-11"),
    ],
)
def test_numbers_go_by_round_steps(type_, high, step):
    assert column("n", type_, {"in_range": {"high": high}}).step() == step


def test_hostile_names_are_left_out_and_the_yaml_still_reads(tmp_path):
    """Names that would break a line of YAML or SQL, or that are templates of ours."""
    hostile = [
        "a\nb: c",
        "{{ date }}",
        "${HOME}",
        "tab\there",
        "-- x",
        "back`tick",
        "quote'\"",
        "naïve",
        "label",
    ]
    proposed = {"contract": dict.fromkeys(hostile, "string"), "columns": {"label": [{"one_of": ["x", "y"]}]}}
    days = days_of(files(tmp_path, "2024-03-01.csv"), ENDINGS)
    quality = yaml.safe_dump({"quality": proposed}, allow_unicode=True)
    path = tmp_path / "h.yaml"
    path.write_text(draft.text("h", ".", days, quality, proposed, [], "1 row"))
    made = Pipeline(path)
    columns = made.config("features").columns
    assert list(columns) == ["label", "x", "back_tick", "quote", "na_ve"]
    assert "back``tick" in made.config("prepare").sql


def test_a_folder_is_asked_for_and_nothing_is_overwritten(here):
    assert "say where your raw days lie" in lsml("init").output
    files(here / "days", "2024-03-01.csv")
    (here / "mine.yaml").write_text("kept")
    said = lsml("init", "days", "--out", "mine.yaml")
    assert said.exit_code == 2
    assert "exists already" in said.output
    assert (here / "mine.yaml").read_text() == "kept"


def test_the_example_is_written_with_its_data_and_reads_it(here):
    said = lsml("init", "--example")
    assert said.exit_code == 0, said.output
    assert "lsml run pipelines/names.yaml --date 1994-12-31" in said.output
    made = Pipeline(here / "pipelines" / "names.yaml")
    made.check(STAGES)
    assert len(list((here / "pipelines/data/names").glob("*.csv.gz"))) == 11
    assert lsml("init", "--example").exit_code == 2  # it is there already


@pytest.mark.spark
def test_a_table_becomes_a_pipeline_whose_every_section_holds(spark, here):
    people(here / "my people")
    said = lsml("init", "my people")
    assert said.exit_code == 0, said.output
    assert "lsml run pipelines/my-people.yaml --date 2024-03-03" in said.output
    made = Pipeline(here / "pipelines" / "my-people.yaml")
    made.check(STAGES)
    sections = yaml.safe_load(made.path.read_text())
    sql = sections["prepare"]["sql"]
    assert "CAST(`income` AS STRING) AS label" in sql
    assert "`age` AS age" in sql
    columns = sections["features"]["columns"]
    assert columns["age"] == {"use": "buckets", "size": 20}
    assert columns["education"] == "vocabulary"
    assert "`hours-per-week`" in sql
    assert "date" not in made.resolved("quality")["contract"]  # a name that clean rows have already


@pytest.mark.spark
@pytest.mark.dist
@pytest.mark.slow
@pytest.mark.parametrize("days", [people, chats])
def test_what_init_writes_runs_on_the_days_it_was_shown(days, spark, here):
    days(here / "days")
    assert lsml("init", "days").exit_code == 0
    ran = lsml("run", "--date", DATES[-1])
    assert ran.exit_code == 0, ran.output
    metrics = json.loads((here / "runs/days" / DATES[-1] / "evaluate/metrics.json").read_text())["systems"]
    assert metrics["model"]["recall"] > metrics["popularity"]["recall"]
