"""Rubbish in: one line that says which file, what was found and what to do, the documented exit code, nothing
half-written.
"""

import gzip
import json
from pathlib import Path

import pytest
from filelock import FileLock
from nights import DAYS, RETAIL, copy_days, lsml, manifests

pytestmark = pytest.mark.spark
NIGHT = "2011-01-14"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def lines_of(date: str) -> list[str]:
    return gzip.decompress((DAYS / f"{date}.csv.gz").read_bytes()).decode().splitlines()


@pytest.fixture
def raw(tmp_path):
    return copy_days(tmp_path / "raw", "2011-01-13")


def run(raw, tmp_path, *rest, until="quality"):
    return lsml(
        "run", "--date", NIGHT, "--until", until, *rest, "--set", f"raw.folder={raw}", root=tmp_path / "runs"
    )


def one_line_error(result, code, *words):
    """The result failed with this exit code and one error line that holds these words."""
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert result.exit_code == code, result.output
    assert len(errors) == 1, result.output
    assert "Traceback" not in result.output
    for word in words:
        assert word in errors[0]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("select.budgte=0.3", ["select", "budgte", "did you mean 'budget'"]),
        ("selct.budget=0.3", ["selct", "did you mean 'select'"]),
        ("select.policy.use=zipff", ["zipff", "did you mean 'zipf'"]),
        ("select.policy.bta=1", ["bta", "did you mean 'beta'"]),
        ("select.budget=plenty", ["select.budget", "plenty"]),
        ("select.budget=-1", ["select.budget"]),
        ("window=0", ["window"]),
        ("quality.columns.Quantity=[{in_rnge: {low: 1}}]", ["in_rnge", "did you mean 'in_range'"]),
        ("quality.columns.Qantity=[complete]", ["Qantity"]),
        ("quality.contract.Quantity=integr", ["quality.contract", "INTEGR"]),
        ("raw.folder=/no/such/folder", ["/no/such/folder", "raw.folder"]),
        ("augment.steps=[{use: basket_dropout, column: contxt}]", ["contxt", "context"]),
        ("features.columns.hours=vocabulary", ["hours", "did you mean 'hour'"]),
        ("prepare.sql=SELECT 1 AS sample_id FROM clean", ["prepare.sql", "key"]),
        ("prepare.sql=SELEC", ["prepare.sql", "SELEC"]),
    ],
)
def test_a_mistake_in_the_config_is_named_with_the_near_word(tmp_path, setting, words):
    result = lsml(
        "run",
        "--date",
        "2010-12-02",
        "--until",
        "features",
        "--set",
        "window=1",
        "--set",
        setting,
        root=tmp_path,
        settings=(),
    )
    one_line_error(result, 2, *words)


def test_a_missing_pipeline_or_bad_yaml_or_bad_date_is_a_usage_error(tmp_path):
    from typer.testing import CliRunner

    from lsml_spark.cli.main import app

    bad = tmp_path / "bad.yaml"
    bad.write_text("name: [")
    for words, said in (
        (["run", str(tmp_path / "no.yaml"), "--date", NIGHT], "no such file"),
        (["run", str(bad), "--date", NIGHT], "not YAML"),
    ):
        one_line_error(CliRunner().invoke(app, words), 2, said)
    one_line_error(
        CliRunner().invoke(app, ["run", str(RETAIL), "--date", "yesterday", "--root", str(tmp_path)]),
        2,
        "yesterday",
    )
    assert CliRunner().invoke(app, ["run", str(RETAIL)]).exit_code == 2


def test_a_missing_day(raw, tmp_path):
    one_line_error(run(raw, tmp_path), 8, NIGHT, "no raw file")
    assert not (tmp_path / "runs" / "retail" / NIGHT).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        ((HEADER + "\n").encode(), "no rows"),
        (
            gzip.compress(
                "\n".join(
                    [HEADER, *["536365,85123A,LANTERN,6,2011-01-14 08:26:00,2.55,17850.0,France"] * 5000]
                ).encode()
            )[:-200],
            "cannot be read",
        ),
        (bytes(range(256)) * 40, "vanished"),
        (bytes(range(128, 256)) * 40, "cannot be read"),
    ],
    ids=["empty", "header only", "truncated gzip", "binary", "no text"],
)
def test_a_day_that_cannot_be_read_stops_the_night_and_says_why(raw, tmp_path, content, said):
    name = f"{NIGHT}.csv" + (".gz" if content[:2] == b"\x1f\x8b" else "")
    (raw / name).write_bytes(content)
    one_line_error(run(raw, tmp_path, until="report"), 3, name, said)
    made = manifests(tmp_path / "runs", NIGHT)
    assert set(made) == {"quality", "report"}, (
        "the night must stop before anything is trained, and still be reported"
    )
    assert (tmp_path / "runs" / "retail" / "site" / "index.html").exists()
    one_line_error(run(raw, tmp_path), 3, said)  # the same word the second time
    assert lsml("verify", root=tmp_path / "runs").exit_code == 0


def test_a_day_of_which_nine_tenths_are_rejected_stops_the_night_but_loses_nothing(raw, tmp_path):
    header, *rows = lines_of(NIGHT)
    spoiled = edit_columns(
        rows[len(rows) // 10 :], lambda row: [*row[:2], "<script>alert(1)</script>", *row[3:-1], ""]
    )
    (raw / f"{NIGHT}.csv").write_text("\n".join([header, *rows[: len(rows) // 10], spoiled]))
    one_line_error(run(raw, tmp_path, until="report"), 3, "rows kept", "at least 50%")
    made = manifests(tmp_path / "runs", NIGHT)["quality"]
    assert made.ledger.rows_in == len(rows)
    assert made.tables["quarantine"].rows == sum(made.ledger.quarantined.values()) > 0.8 * len(rows)
    page = (tmp_path / "runs" / "retail" / "site" / f"{NIGHT}.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_a_failed_day_is_left_out_of_the_window_of_later_nights(raw, tmp_path):
    (raw / f"{NIGHT}.csv").write_text(HEADER + "\n")
    copy_days(raw, "2011-01-16")
    args = ("--date", "2011-01-16", "--until", "prepare", "--set", f"raw.folder={raw}")
    result = lsml("run", *args, root=tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert manifests(tmp_path / "runs", "2011-01-16")["prepare"].metrics["days"]["train"] == ["2011-01-13"]


def edit_columns(lines: list[str], change) -> str:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(change(row) for row in csv.reader(lines))
    return out.getvalue()


def test_an_extra_or_reordered_or_optional_missing_column_is_drift_and_changes_no_value(raw, tmp_path):
    lines = lines_of(NIGHT)
    copy_days(tmp_path / "plain", NIGHT)
    assert run(tmp_path / "plain", tmp_path / "plain").exit_code == 0
    plain = manifests(tmp_path / "plain" / "runs", NIGHT)["quality"].ledger
    changes = {
        "appeared": lambda row: [*row[:3], "Colour" if row[0] == "InvoiceNo" else "red", *row[3:]],
        "reordered": lambda row: row[::-1],
        "vanished": lambda row: [*row[:2], *row[3:]],
    }
    for word, change in changes.items():
        (raw / f"{NIGHT}.csv").write_text(edit_columns(lines, change))
        result = run(raw, tmp_path / word)
        assert result.exit_code == 0, result.output
        made = manifests(tmp_path / word / "runs", NIGHT)["quality"]
        assert word in made.metrics["schema_drift"][0]
        assert made.metrics["verdict"] == "warn"
        assert made.ledger == plain


def test_a_vanished_required_column_stops_the_night(raw, tmp_path):
    (raw / f"{NIGHT}.csv").write_text(edit_columns(lines_of(NIGHT), lambda row: row[:3] + row[4:]))
    one_line_error(run(raw, tmp_path), 3, "'Quantity'", "vanished", f"{NIGHT}.csv")


def test_broken_rows_are_quarantined_as_they_were_found(raw, tmp_path):
    header, *rows = lines_of(NIGHT)
    broken = [
        "too,few",
        rows[0] + ",too,many",
        edit_columns(rows[1:2], lambda row: [*row[:3], "six", *row[4:]]).strip(),
        "",
    ]
    (raw / f"{NIGHT}.csv").write_text("\n".join([header, *broken, *rows]) + "\n")
    assert run(raw, tmp_path).exit_code == 0
    made = manifests(tmp_path / "runs", NIGHT)["quality"]
    assert made.ledger.rows_in == len(rows) + 3, "the blank line is no row"
    assert made.ledger.quarantined["malformed line: wrong number of fields"] == 2
    assert made.ledger.quarantined["Quantity: not int"] == 1


def test_another_run_that_holds_the_lock_is_named(raw, tmp_path):
    folder = tmp_path / "runs" / "retail"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        one_line_error(run(copy_days(raw, NIGHT), tmp_path), 5, "another run", ".lock")


def test_nothing_to_train_on_is_said(raw, tmp_path):
    copy_days(raw, NIGHT)
    (raw / "2011-01-13.csv.gz").unlink()
    one_line_error(run(raw, tmp_path, until="prepare"), 3, "no clean day in the window")


@pytest.mark.dist
@pytest.mark.slow
def test_a_training_that_diverges_ends_with_its_own_code_and_is_reported(nights):
    result = lsml(
        "run", "--date", NIGHT, "--set", "train.optimizer.lr=1e30", "--set", "train.clip=null", root=nights
    )
    one_line_error(result, 4, "not finite", "lower train.optimizer.lr")
    made = manifests(nights, NIGHT)
    assert "train" not in made
    assert made["report"].metrics["verdict"] == "failed"
    assert "report" in made
    assert lsml("run", "--date", NIGHT, root=nights).exit_code == 0


def test_what_no_one_foresaw_is_called_a_bug_and_keeps_its_traceback(raw, tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("seven times nothing")

    monkeypatch.setattr("lsml_spark.quality.run.run", broken)
    result = run(copy_days(raw, NIGHT), tmp_path)
    one_line_error(result, 1, "this is a bug", "ZeroDivisionError: seven times nothing")
    path = Path(result.output.split("(traceback: ")[1].split(")")[0])
    assert "in broken" in path.read_text()


def test_what_was_found_is_in_the_manifest_and_what_was_measured_beside_it(raw, tmp_path):
    copy_days(raw, NIGHT)
    run(raw, tmp_path)
    folder = tmp_path / "runs" / "retail" / NIGHT / "quality"
    assert {"verdict", "findings", "schema_drift"} <= set(
        json.loads((folder / "manifest.json").read_text())["metrics"]
    )
    assert set(json.loads((folder / "profile.json").read_text())["columns"]) >= {"StockCode", "UnitPrice"}
