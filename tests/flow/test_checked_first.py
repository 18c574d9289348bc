"""Mistakes of the YAML are told before anything runs: before a day is checked, before the lock, before the
catch-up.
"""

import datetime
from pathlib import Path

import pytest
from filelock import FileLock
from nights import RETAIL
from typer.testing import CliRunner

from lsml_spark.cli.main import app
from lsml_spark.flow import checked
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.flow.produce import Night

YAML = """
name: toy
raw: {folder: days, files: "{{ date }}.csv"}
quality:
  contract: {id: string, item: string, n: int, x: double, at: timestamp}
prepare:
  sql: |
    SELECT id AS sample_id, item AS key, item AS label, date, n % 3 AS third, split(item, '') AS letters, x
    FROM clean
select: {policy: uniform, budget: 0.9, weights: false}
features: {columns: {label: vocabulary, third: vocabulary}}
train: {model: logistic}
evaluate: {context: null}
"""


@pytest.fixture
def toy(tmp_path) -> Path:
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "2024-03-01.csv").write_text("id,item,n,x,at\n1,a,1,1.5,2024-03-01\n")
    path = tmp_path / "night.yaml"
    path.write_text(YAML)
    return path


def refusal(words: list[str]) -> str:
    """The one error line of a command that ends with exit code 2."""
    result = CliRunner().invoke(app, words)
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert (result.exit_code, len(errors)) == (2, 1), result.output
    return errors[0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "quality.table=[new_labels]",
            "quality.table.0.new_labels: say which column: `column: …` (known: at, id, item, n, x)",
        ),
        ("quality.table=[schema, {drift: {below: 0.2}}]", "quality.table.1.drift: say which column"),
        ("quality.table=[{balance: {}}]", "quality.table.0.balance: say which column"),
        ("quality.table=[unit_change]", "quality.table.0.unit_change: say which column"),
        (
            "quality.table=[{label_shift: itm}]",
            "quality.table.0.label_shift.column: 'itm' is not in quality.contract (did you mean 'item'?)",
        ),
        (
            "quality.table=[{no_leakage: {id: [id, itm]}}]",
            "quality.table.0.no_leakage.id: 'itm' is not in quality.contract",
        ),
        ("quality.rows=[complete]", "quality.rows.0.complete: say which column"),
        (
            "quality.rows=[{unique: [id, nn]}]",
            "quality.rows.0.unique.columns: 'nn' is not in quality.contract",
        ),
        (
            "quality.columns.item=[{conflict: {features: [n, y]}}]",
            "quality.columns.item.0.conflict.features: 'y' is not in quality.contract",
        ),
        (
            "quality.columns.itm=[complete]",
            "quality.columns.itm: not in quality.contract (did you mean 'item'?)",
        ),
        (
            "quality.missing={n: {impute: median, by: [itm]}}",
            "quality.missing.n.by: 'itm' is not in quality.contract",
        ),
        (
            "features.columns={third: vocabulary}",
            "features.columns: the label 'label' needs a transform too, `vocabulary`",
        ),
        ("features.columns={label: vocabulary}", "features.columns: only the label 'label' has a transform"),
        ("train.lanes=3", "train: lanes: 3 is not a power of two"),
        ("promote.tolerance=much", "promote.tolerance"),
    ],
)
def test_a_mistake_that_needs_no_spark_is_told_where_that_stage_is_not_run_and_another_run_holds_the_lock(
    toy, tmp_path, monkeypatch, override, said
):
    monkeypatch.setattr(checked, "analyse", lambda *_: pytest.fail("Spark was asked"))
    folder = tmp_path / "runs" / "toy"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        line = refusal(
            [
                "run",
                str(toy),
                "--date",
                "2024-03-01",
                "--until",
                "quality",
                "--root",
                str(tmp_path / "runs"),
                "--set",
                override,
            ]
        )
    assert said in line
    assert line.startswith(f"error: {toy}: ")


SQL = "SELECT id AS sample_id, item AS key, item AS label, date, n AS third"


@pytest.mark.spark
def test_what_spark_would_not_take_is_told_before_a_day_is_read(toy, tmp_path, spark, monkeypatch):
    monkeypatch.setattr("lsml_spark.flow.night.run", lambda *_: pytest.fail("the night began"))
    monkeypatch.setattr("lsml_spark.quality.run.run", lambda *_: pytest.fail("a day was read"))
    jobs = spark.sparkContext.statusTracker()
    cases = [
        (f"prepare.sql={SQL}, nn FROM clean", "prepare.sql: [UNRESOLVED_COLUMN", "line 1 pos"),
        (f"prepare.sql=|\n  {SQL}\n  FRM clean x", "prepare.sql: [PARSE_SYNTAX_ERROR", "line 2"),
        (f"prepare.sql={SQL}, sqrt(at) AS y FROM clean", "prepare.sql: [DATATYPE_MISMATCH", "line 1 pos"),
        (f"prepare.sql={SQL} FROM raw", "prepare.sql: [TABLE_OR_VIEW_NOT_FOUND", "raw"),
        (f"prepare.sql={SQL}, n AS weight FROM clean", "prepare.sql: gives a column 'weight'"),
        (f"prepare.sql={SQL}, n AS third FROM clean", "prepare.sql: gives two columns 'third'"),
        ("prepare.sql=DROP TABLE clean", "prepare.sql: is a command (DropTable) and no query"),
        (
            "prepare.sql=INSERT INTO clean SELECT 1",
            "prepare.sql: is a command (InsertIntoStatement) and no query",
        ),
        ("prepare.sql=SELECT 1; SELECT 2", "prepare.sql: [PARSE_SYNTAX_ERROR]"),
        ("prepare.sql=''", "prepare.sql: [PARSE_EMPTY_STATEMENT]"),
        ("prepare.sql=SELECT id AS sample_id FROM clean", "prepare.sql: gives no column 'key'"),
        (f"prepare.sql={SQL}, n_missing FROM clean", "UNRESOLVED_COLUMN"),
        (
            "features.columns={label: vocabulary, thrid: vocabulary}",
            "features.columns.thrid: prepare.sql gives no such column (did you mean 'third'?)",
        ),
        (
            "features.columns={label: vocabulary, x: vocabulary}",
            "features.columns.x: double values make no categories",
        ),
        ("features.carry=[y]", "features.carry: 'y': prepare.sql gives no such column"),
        (
            "augment.steps=[{use: basket_dropout, column: lettrs}]",
            "augment.steps.0.column: there is no column 'lettrs'",
        ),
        (
            "augment.steps=[{use: basket_dropout, column: third}]",
            "augment.steps.0.column: 'third' holds no lists",
        ),
        (
            "evaluate.context=leters",
            "evaluate.context: prepare.sql gives no column 'leters' (did you mean 'letters'?)",
        ),
        ("quality.contract.n=integr", "quality.contract.n: 'integr' is no type of Spark SQL"),
        ("quality.rows=[{sql: 'n > nn'}]", "quality: breaks n > nn: [UNRESOLVED_COLUMN"),
        ("quality.rows=[{sql: 'n >'}]", "[PARSE_SYNTAX_ERROR]"),
        ("quality.rows=[{sql: 'n > 0', where: 'y = 1'}]", "[UNRESOLVED_COLUMN"),
        (
            "quality.columns.item=[{matches: '(a'}]",
            "item: does not match (a: not a regular expression of Java: Unclosed group",
        ),
        ("quality.columns.item=[{references: {table: /no/such.csv, key: k}}]", "/no/such.csv cannot be read"),
        (
            "quality.table=[{fresh: {within: 9h, column: n}}]",
            "fresh: column 'n' is int; this check is for columns of time (at)",
        ),
        (
            "quality.table=[{unit_change: item}]",
            "unit_change: column 'item' is string; this check is for columns of number",
        ),
        (
            "quality.missing={at: {impute: median, by: [item]}, item: {impute: median}}",
            "quality.missing.item: 'item' is string; a median is of",
        ),
        (
            "quality.missing={n: {impute: constant, value: many}}",
            "quality.missing.n: 'n' is int, and the value 'many' is not",
        ),
        ("select.policy=collapse", "select: the weight of a row is how many it stands for"),
    ]
    for override, *words in cases:
        line = refusal(
            ["run", str(toy), "--date", "2024-03-01", "--root", str(tmp_path / "runs"), "--set", override]
        )
        for word in words:
            assert word in line, (override, line)
        assert line.startswith(f"error: {toy}: ") or line.startswith("error: --set"), line
        other = refusal(["check", str(toy), "--set", override])
        assert other == line
    assert not jobs.getActiveJobsIds()


@pytest.mark.spark
def test_lsml_check_says_what_it_looked_at_and_that_the_shipped_pipelines_are_right(toy, tmp_path, spark):
    for path in (toy, RETAIL, RETAIL.with_name("names.yaml")):
        result = CliRunner().invoke(app, ["check", str(path)])
        assert result.exit_code == 0, result.output
        assert "prepare.sql: gives sample_id, key, label, date" in result.output
    with_missing = ["check", str(toy), "--set", "quality.missing={n: {impute: median, by: [item]}}"]
    sql = f"prepare.sql={SQL}, n_missing FROM clean"
    assert CliRunner().invoke(app, [*with_missing, "--set", sql]).exit_code == 0
    assert not (tmp_path / "runs").exists()


def test_a_pipeline_that_ends_before_training_needs_no_section_for_it(toy, monkeypatch):
    text = toy.read_text()
    toy.write_text(text[: text.index("select:")])
    assert checked.sections(Pipeline(toy), ["quality", "prepare"]) == ["quality", "prepare"]


def test_a_night_that_is_done_or_has_no_raw_day_does_not_start_spark(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "analyse", lambda *_: pytest.fail("Spark was asked"))
    pipeline = Pipeline(toy)
    checked.first([Night(pipeline, Runs(tmp_path / "runs", "toy"), datetime.date(2024, 3, 2))])
    checked.first(
        [Night(pipeline, Runs(tmp_path / "runs", "toy"), datetime.date(2024, 3, 1))], ["train", "evaluate"]
    )
