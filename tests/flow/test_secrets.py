"""What came out of the environment stands nowhere afterwards: not in a file of the runs, not in a line that
was printed.
"""

import gzip
import json
import logging
import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from lsml_spark.cli.main import app
from lsml_spark.core import variables
from lsml_spark.core.config import digest
from lsml_spark.flow.pipeline import Pipeline

WORD, NUMBER, PATH, PROPERTY, FILTER, FILL = (
    "hunter-2_Ünder'cover",
    "48151623",
    "vault-of-Days",
    "prop-9f8e7d",
    "north<&>pole",
    "fill-in-4711",
)
ENVIRONMENT = {
    "LSML_T_WORD": WORD,
    "LSML_T_NUMBER": NUMBER,
    "LSML_T_PATH": PATH,
    "LSML_T_PROPERTY": PROPERTY,
    "LSML_T_FILTER": FILTER,
    "LSML_T_FILL": FILL,
}
YAML = """
name: toy
window: 3
raw: {folder: "${LSML_T_PATH}", files: "{{ date }}.csv"}
spark: {spark.lsml.test.token: "${LSML_T_PROPERTY}"}
quality:
  contract: {id: string, item: string, n: int}
  columns:
    item: [{one_of: [a, b, "${LSML_T_WORD}"]}]
    n: [{in_range: {low: 0, high: "${LSML_T_NUMBER}"}, on_bad: quarantine}]
  rows:
    - {sql: "item != '${LSML_T_FILTER}'", where: "id != '${LSML_T_FILTER}'"}
  missing: {item: {impute: constant, value: "${LSML_T_FILL}"}}
  on_gate: ${LSML_T_GATE:-stop}
prepare:
  sql: |
    SELECT id AS sample_id, item AS key, item AS label, date, n % 3 AS third, n > 3 AS more,
    CASE WHEN id = '${LSML_T_FILTER}' THEN 'left out' END AS drop_reason FROM clean
select: {policy: uniform, budget: 0.9, weights: false}
features: {columns: {label: vocabulary, third: vocabulary}}
train: {model: logistic, workers: 1}
"""


def planted(folder: Path) -> Path:
    """A pipeline that has the environment's values everywhere, with three days of 30 rows."""
    (folder / PATH).mkdir()
    for day in (1, 2, 3):
        rows = [
            f"{day}-{i},{'abc'[i % 3] if i != 1 else ''},{i if i % 10 else 99_000_000}" for i in range(30)
        ]
        (folder / PATH / f"2024-03-0{day}.csv").write_text("id,item,n\n" + "\n".join(rows) + "\n")
    (folder / "night.yaml").write_text(YAML)
    return folder / "night.yaml"


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Path:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return planted(tmp_path)


def texts(path: Path) -> list[str]:
    """What a file says, also where it is compressed."""
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        return [
            str(file.metadata.metadata),
            str(file.schema),
            json.dumps(file.read().to_pylist(), default=str, ensure_ascii=False),
        ]
    raw = path.read_bytes()
    return [(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode(errors="replace")]


def leaks(text: str, data: bool = False) -> list[str]:
    """Which of the values stand in a text; what is made of rows may hold the word that stands in for a
    missing one.
    """
    forms = {
        form.lower()
        for value in ENVIRONMENT.values()
        for form in variables._forms(value)
        if not (data and value == FILL)
    }
    return [form for form in forms if len(form) >= 4 and form in text.lower()]


def lsml(*words: str):
    return CliRunner().invoke(app, [*words])


@pytest.mark.spark
@pytest.mark.slow
def test_no_byte_of_the_runs_and_no_line_that_is_printed_holds_the_value_of_a_variable(
    toy, tmp_path, monkeypatch, capfd, spark
):
    root = tmp_path / "runs"
    common = (str(toy), "--date", "2024-03-03", "--root", str(root))
    done = lsml("run", *common, "--until", "select")
    assert done.exit_code == 0, done.output
    shown = [
        done.output,
        lsml("report", *common).output,
        lsml("status", str(toy), "--root", str(root)).output,
    ]
    shown.append(lsml("quality", "explain", "2024-03-03", "--config", str(toy), "--root", str(root)).output)
    checked = lsml("verify", str(toy), "--root", str(root))
    assert checked.exit_code == 0, checked.output

    mistakes = {
        "prepare.sql=SELECT ${LSML_T_WORD} FROM clean": "prepare.sql",
        "prepare.sql=SELECT '${LSML_T_NUMBER}' AS x, nothing FROM clean": "prepare.sql",
        "select.budget=${LSML_T_WORD}": "select.budget",
        "quality.contract.n=${LSML_T_WORD}": "quality",
        "quality.columns.item=[{matches: '(${LSML_T_WORD}'}]": "item",
        "raw.folder=${LSML_T_PATH}/no": "raw.folder",
        "spark=${LSML_T_PROPERTY}": "spark",
    }
    for override, key in mistakes.items():
        refused = lsml("run", *common, "--until", "select", "--set", override)
        assert refused.exit_code == 2, refused.output
        assert key in refused.output
        shown.append(refused.output)
    captured = capfd.readouterr()
    for text in [*shown, captured.out, captured.err]:
        assert not leaks(text)
    files = [path for path in root.rglob("*") if path.is_file()]
    assert {"manifest.json", "lsml.log", "quality.json"} <= {path.name for path in files}
    of_rows = (".parquet", ".json", ".html")  # they show keys, the imputed one among them
    found = [
        (path, leaks(text, path.suffix in of_rows))
        for path in files
        if path.name != variables.KEY
        for text in texts(path)
    ]
    assert not [(path, forms) for path, forms in found if forms]

    manifest = json.loads((root / "toy" / "2024-03-03" / "quality" / "manifest.json").read_text())
    assert manifest["config"]["columns"]["item"][0]["values"] == ["a", "b", "${LSML_T_WORD}"]
    assert manifest["config"]["columns"]["n"][0]["high"] == "${LSML_T_NUMBER}"
    assert "n: not in range 0 to ${LSML_T_NUMBER}" in manifest["ledger"]["quarantined"]
    assert "/${LSML_T_PATH}/" in manifest["inputs"]["2024-03-03.csv"]["path"]
    prepared = pq.read_table(root / "toy" / "2024-03-03" / "prepare" / "train").to_pylist()
    assert FILL in {row["key"] for row in prepared}, "the rows themselves get the value"

    key = root / "toy" / variables.KEY
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = lsml("run", *common, "--until", "select")
    assert "nothing to do" in again.output
    monkeypatch.setenv("LSML_T_NUMBER", "48151624")
    other = lsml("run", *common, "--until", "quality")
    assert "quality done" in other.output, "another value is another config"


def test_a_night_of_a_pipeline_without_variables_keeps_its_config_and_one_with_them_names_a_digest(
    toy, tmp_path, monkeypatch
):
    from lsml_spark.flow.dates import parse_date
    from lsml_spark.flow.layout import Runs
    from lsml_spark.flow.produce import Night, config_of

    def config(*overrides: str, root: str = "runs") -> dict:
        pipeline = Pipeline(toy, overrides)
        return config_of(Night(pipeline, Runs(tmp_path / root, "toy"), parse_date("2024-03-03")), "quality")

    plain = "quality={contract: {id: string}, on_gate: '${LSML_T_NOT_SET:-stop}'}"
    assert "variables" not in config(plain)
    assert config(plain) == json.loads(
        json.dumps(Pipeline(toy, [plain]).config("quality").model_dump(mode="json"))
    )
    first = config()
    assert sorted(first["variables"]) == ["LSML_T_FILL", "LSML_T_FILTER", "LSML_T_NUMBER", "LSML_T_WORD"]
    assert config() == first
    assert config(root="elsewhere")["variables"] != first["variables"], "a key of its own for every root"
    monkeypatch.setenv("LSML_T_WORD", "another word")
    assert digest(config()) != digest(first)
    assert {name for name, value in config()["variables"].items() if value != first["variables"][name]} == {
        "LSML_T_WORD"
    }


def test_a_default_and_what_is_no_secret_are_shown(toy, monkeypatch):
    monkeypatch.setenv("LSML_T_SHORT", "abc")
    monkeypatch.setenv("LSML_T_FEW", "12345")
    monkeypatch.setenv("LSML_T_TRUE", "true")
    monkeypatch.setenv("LSML_T_POLICY", "uniform")
    sets = [
        "zipf.top=${LSML_T_FEW}",
        "select.policy={use: '${LSML_T_POLICY}'}",
        "select.weights=${LSML_T_TRUE}",
    ]
    pipeline = Pipeline(
        toy,
        [*sets, "quality.columns.item=[{one_of: ['${LSML_T_SHORT}', '${LSML_T_UNSET:-a default of ours}']}]"],
    )
    assert pipeline.resolved("zipf")["top"] == 12345
    assert pipeline.resolved("select")["policy"]["use"] == "uniform"
    assert pipeline.resolved("select")["weights"] is True
    assert pipeline.resolved("quality")["columns"]["item"][0]["values"] == ["abc", "a default of ours"]
    monkeypatch.setenv("LSML_T_GATE", "train_on_last_good")
    assert Pipeline(toy).config("quality").on_gate == "train_on_last_good"


def test_every_form_of_a_value_is_masked_in_log_lines_and_tracebacks(toy, caplog):
    from lsml_spark.flow.log import _Plain

    Pipeline(toy)
    for text in (
        WORD,
        repr(WORD),
        json.dumps(WORD),
        WORD.upper(),
        f"key={WORD};",
        NUMBER,
        f"{48151623:,}",
        "4.81516e+07",
        "48151623.0",
    ):
        assert "${LSML_T_" in variables.mask(text)
        assert not leaks(variables.mask(text))
    try:
        raise ValueError(f"about {WORD}")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.INFO, "f", 1, "said %s", (WORD,), (ValueError, error, error.__traceback__)
        )
    assert not leaks(_Plain("%(message)s").format(record))


def test_the_values_of_one_pipeline_are_forgotten_with_the_next(toy, tmp_path):
    Pipeline(toy)
    assert variables.mask(WORD) == "${LSML_T_WORD}"
    other = tmp_path / "other.yaml"
    other.write_text("name: other\nraw: {folder: x, files: '{{ date }}'}")
    Pipeline(other)
    assert variables.mask(WORD) == WORD


def test_a_damaged_key_is_named(toy, tmp_path):
    Pipeline(toy)
    (tmp_path / variables.KEY).write_text("x")
    with pytest.raises(variables.ConfigError, match="is not the key that was written"):
        variables.digests(["LSML_T_WORD"], tmp_path)
