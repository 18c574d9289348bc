"""Rows kept aside can be looked at, repaired, forgiven and put back, and every one of them stays accounted
for.
"""

import csv

import duckdb
import pytest
from nights import copy_days, identities, lsml, manifests
from typer.testing import CliRunner

from lsml_spark.cli.main import app

pytestmark = pytest.mark.spark
DAY = "2011-01-10"
PRICE = "UnitPrice: not in range 0.01 to 1000"
TWICE = "duplicate of an earlier line by InvoiceNo, StockCode, Quantity, InvoiceDate, UnitPrice"


def command(*words: str, root, **options):
    settings = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return CliRunner().invoke(
        app, [*words, "--config", "pipelines/retail.yaml", "--root", str(root), *settings]
    )


def rows(root, folder: str, table: str):
    return duckdb.read_parquet(str(root / "retail" / DAY / folder / table / "*.parquet")).df()


def test_rows_that_are_forgiven_or_repaired_come_back_and_every_one_is_accounted_for(nights, tmp_path):
    held = rows(nights, "quality", "quarantine")
    assert command("quarantine", "release", root=nights, date=DAY, rule=TWICE).exit_code == 0
    first = manifests_of(nights)
    assert first.ledger.rows_out == sum(TWICE in reasons for reasons in held.reasons) > 0

    export = tmp_path / "held.csv"
    shown = command("quarantine", "show", root=nights, date=DAY, rule=PRICE, csv=export)
    assert shown.exit_code == 0, shown.output
    with export.open(newline="") as file:
        exported = list(csv.DictReader(file))
    assert len(exported) == sum(PRICE in reasons for reasons in held.reasons)
    mended = [
        row | {"UnitPrice": "2.5", "Quantity": "7", "Description": 'says "mended", by hand'}
        for row in exported[:3]
    ]
    mended.append(exported[3] | {"UnitPrice": "cheap"})  # still wrong, and in another way
    with export.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(exported[0]))
        writer.writeheader()
        writer.writerows(mended)
    result = command("quarantine", "release", root=nights, date=DAY, repaired=export)
    assert result.exit_code == 0, result.output
    again = manifests_of(nights)  # the forgiven ones of the first release are still among them
    assert again.ledger.rows_in == first.ledger.rows_in + 4
    assert again.ledger.rows_out == first.ledger.rows_out + 3
    assert again.ledger.quarantined == {"UnitPrice: not double": 1}
    back = rows(nights, "released", "clean").set_index("_line")
    for row in mended[:3]:
        found = back.loc[int(row["_line"])]
        assert (found.UnitPrice, found.Quantity, found.Description) == (2.5, 7, 'says "mended", by hand')
        assert (found._file, found.InvoiceNo) == (row["_file"], row["InvoiceNo"])

    before = manifests(nights, "2011-01-14")["prepare"]
    assert lsml("run", "--date", "2011-01-14", "--until", "prepare", root=nights).exit_code == 0
    after = manifests(nights, "2011-01-14")["prepare"]
    assert after.ledger.rows_in == before.ledger.rows_in + again.ledger.rows_out
    verified = lsml("verify", "--date", DAY, root=nights)
    assert verified.exit_code == 0, verified.output


def manifests_of(root):
    import datetime

    from lsml_spark.flow.layout import Runs

    source = Runs(root.resolve(), "retail").source(datetime.date.fromisoformat(DAY), "released")
    assert source is not None
    source.manifest.ledger.check("released")
    return source.manifest


def test_a_day_that_is_checked_again_gets_its_released_rows_again(nights, tmp_path):
    assert command("quarantine", "release", root=nights, date=DAY, rule=TWICE).exit_code == 0
    before = manifests_of(nights)
    raw = copy_days(tmp_path / "raw", "2011-01-10")
    # the same bytes elsewhere: the same day
    changed = command("quality", "check", root=nights, date=DAY, set=f"raw.folder={raw}")
    assert changed.exit_code == 0, changed.output
    stricter = f'quality.rows=[{{unique: [InvoiceNo, StockCode], on_bad: quarantine, name: "{TWICE}"}}]'
    assert command("quality", "check", root=nights, date=DAY, set=stricter).exit_code == 0
    after = manifests_of(nights)
    assert after.ledger.rows_out > before.ledger.rows_out
    verified = lsml("verify", "--date", DAY, root=nights)
    assert verified.exit_code == 0, verified.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--rule", "UnitPrice: not in rang 0.01 to 1000"),
            "did you mean 'UnitPrice: not in range 0.01 to 1000'",
        ),
        ((), "say which rows"),
        (("--repaired", "nowhere.csv"), "nowhere.csv: cannot be read"),
    ],
)
def test_a_request_that_cannot_be_met_changes_nothing(finished, words, said):
    before = identities(finished, DAY)
    result = CliRunner().invoke(
        app,
        [
            "quarantine",
            "release",
            "--date",
            DAY,
            "--config",
            "pipelines/retail.yaml",
            "--root",
            str(finished),
            *words,
        ],
    )
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert identities(finished, DAY) == before
    assert not (finished / "retail" / DAY / "released").exists()


def test_a_repaired_file_that_lost_a_column_or_names_another_line_is_refused(finished, tmp_path):
    export = tmp_path / "held.csv"
    command("quarantine", "show", root=finished, date=DAY, rule=PRICE, csv=export)
    text = export.read_text()
    export.write_text(text.replace("UnitPrice", "Price", 1).replace('"UnitPrice', '"Price'))
    assert (
        "no column 'UnitPrice'"
        in command("quarantine", "release", root=finished, date=DAY, repaired=export).output
    )
    export.write_text(text.replace(".csv.gz,", ".csv.gz,9", 1))
    assert (
        "is not in the quarantine of"
        in command("quarantine", "release", root=finished, date=DAY, repaired=export).output
    )


def test_show_prints_the_rows_as_they_were_found_and_does_not_overwrite(finished, tmp_path):
    shown = command("quarantine", "show", root=finished, date=DAY, rule=PRICE)
    assert shown.exit_code == 0
    assert "2011-01-10.csv.gz:2" in shown.output
    taken = tmp_path / "taken.csv"
    taken.write_text("mine")
    assert command("quarantine", "show", root=finished, date=DAY, csv=taken).exit_code == 2
    assert taken.read_text() == "mine"
