"""The quality stage as a whole: every row accounted for, on a real day and against pandas; configs that are
refused.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.run import Config

pytestmark = pytest.mark.spark


def in_pandas(path) -> pd.DataFrame:
    """The rules of pipelines/retail.yaml on a day, written in pandas: each row's first reason, or None."""
    text = dict.fromkeys(["InvoiceNo", "StockCode", "CustomerID"], str)
    day = pd.read_csv(path, dtype=text, keep_default_na=False, na_values={"UnitPrice": [""]})
    key = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice"]
    reasons = {
        r"InvoiceNo: does not match ^[AC]?\d{6}$": ~day.InvoiceNo.str.fullmatch(r"[AC]?\d{6}"),
        "Quantity: not in range -10000 to 10000": ~day.Quantity.between(-10000, 10000),
        "UnitPrice: missing": day.UnitPrice.isna(),
        "UnitPrice: not in range 0.01 to 1000": day.UnitPrice.notna() & ~day.UnitPrice.between(0.01, 1000),
        f"duplicate of an earlier line by {', '.join(key)}": day.duplicated(key, keep="first"),
        "a negative quantity without a return invoice, or the reverse": (day.Quantity < 0)
        != day.InvoiceNo.str.startswith("C"),
    }
    day["reason"] = np.select(list(reasons.values()), list(reasons), default="")
    day["_line"] = np.arange(len(day)) + 2
    return day


@pytest.mark.parametrize("date", ["2010-12-06", "2011-02-01"])
def test_the_ledger_of_a_real_day_is_that_of_pandas_to_the_row(check_day, retail, retail_sections, date):
    path = retail / f"{date}.csv.gz"
    section = dict(retail_sections["quality"])
    day = check_day(section.pop("contract"), path, **section)
    expected = in_pandas(path)
    rejected = expected[expected.reason != ""]
    assert len(rejected) > 0
    assert day.failed is None
    assert (day.ledger.rows_in, day.ledger.rows_out) == (len(expected), len(expected) - len(rejected))
    assert day.ledger.quarantined == rejected.reason.value_counts().to_dict()
    assert [(row["_line"], row["reason"]) for row in day.quarantine] == list(
        zip(rejected._line, rejected.reason, strict=True)
    )
    assert [row["_line"] for row in day.clean] == expected._line[expected.reason == ""].tolist()
    missing = expected.CustomerID == ""
    assert day.finding("CustomerID: missing")["rows"] == missing.sum()
    assert day.finding("CustomerID: missing")["share"] == pytest.approx(missing.mean(), abs=1e-6)


def test_every_reason_of_a_row_is_kept_the_first_one_counts(check_day, raw_day):
    checks = {
        "n": [
            {"in_range": {"low": 0}, "on_bad": "quarantine"},
            {"in_range": {"high": -5}, "on_bad": "quarantine"},
        ]
    }
    day = check_day({"n": "int"}, raw_day(["n", "-1", "3", "-7"]), columns=checks)
    assert [row["reasons"] for row in day.quarantine] == [
        ["n: below 0", "n: above -5"],
        ["n: above -5"],
        ["n: below 0"],
    ]
    assert day.ledger.quarantined == {"n: below 0": 2, "n: above -5": 1}


def test_a_failing_row_check_stops_the_night_and_loses_no_row(check_day, raw_day):
    lines = ["n", *["1"] * 8, "", "-1", "-1"]
    rule = {"in_range": {"low": 0}, "on_bad": "fail"}
    failed = check_day({"n": "int"}, raw_day(lines), columns={"n": [rule]})
    assert failed.failed == "day.csv: n: below 0: 2 of 10 rows (20.00%)"
    assert (failed.ledger.rows_in, failed.ledger.rows_out) == (10, 10)
    tolerated = check_day({"n": "int"}, raw_day(lines), columns={"n": [rule | {"at_most": 0.2}]})
    assert (tolerated.failed, tolerated.metrics["verdict"]) == (None, "ok")


def test_findings_are_in_the_manifest_and_figures_in_files(check_day, raw_day):
    day = check_day({"n": "int"}, raw_day(["n", "1", "x"]), columns={"n": ["complete"]})
    assert day.finding("n: not int") == {
        "check": "n: not int",
        "rule": "parse",
        "column": "n",
        "severity": "quarantine",
        "rows": 1,
        "looked_at": 2,
        "share": 0.5,
        "at_most": 0.0,
        "ok": False,
        "message": "n: not int: 1 of 2 rows (50.00%)",
        "value": None,
        "examples": [{"n": "x", "_file": "day.csv", "_line": "3"}],
    }
    assert day.metrics["columns"] == {"n": {"type": "int", "missing": 1, "distinct": 1}}
    assert [file.path for file in day.outcome.files] == ["profile.json"], (
        "findings depend on other days: they are no part of the identity"
    )
    profile = json.loads((day.work.folder / "profile.json").read_text())
    assert profile["metrics"] == {"rows": 2, "clean": 1, "quarantined": 1, "kept_share": 0.5}
    figures = {(row["column"], row["metric"]): row["value"] for row in day.table("metrics")}
    assert figures["n", "missing"] == profile["columns"]["n"]["metrics"]["missing"] == 1
    assert figures["", "rows"] == 2


def test_a_rerun_gives_the_same_rows_whatever_the_partitions(check_day, raw_day):
    lines = ["n,s", *[f"{n if n % 5 else 'x'},{n % 7}" for n in range(500)]]
    path = raw_day(lines)
    rule = [{"unique": ["s"]}]
    days = [check_day({"n": "int", "s": "string"}, path, rows=rule).outcome for _ in range(2)]
    hashes = {tuple(table.rows_hash for table in day.tables.values()) for day in days}
    halves = [
        raw_day(lines[:1] + part, name)
        for name, part in (("day.a.csv", lines[1:200]), ("day.b.csv", lines[200:]))
    ]
    assert len(hashes) == 1
    assert check_day({"n": "int", "s": "string"}, *halves).ledger.rows_out == 400


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "contract"),
        ({"contract": {"n": "int"}, "columns": {"m": ["complete"]}}, "not in quality.contract"),
        ({"contract": {"n": "int"}, "columns": {"n": ["compleet"]}}, "did you mean 'complete'"),
        (
            {"contract": {"n": "int"}, "columns": {"n": [{"in_range": {"low": 0}, "on_bad": "quarantin"}]}},
            "on_bad",
        ),
        (
            {"contract": {"n": "int"}, "columns": {"n": [{"in_range": {"low": 0}, "matches": "x"}]}},
            "one check per item",
        ),
        ({"contract": {"n": "int"}, "columns": {"n": [{"on_bad": "warn"}]}}, "one check per item"),
        ({"contract": {"n": "int"}, "columns": {"n": [3]}}, "expected a check"),
        ({"contract": {"n": "int"}, "columns": ["n"]}, "expected column names"),
        ({"contract": {"n": "int"}, "columns": {"n": [{"rows": 3}]}}, "no rowcheck 'rows'"),
        ({"contract": {"n": "int"}, "rows": [{"kept": 0.5}]}, "no rowcheck 'kept'"),
        ({"contract": {"n": "int"}, "table": [{"kept": "half"}]}, "kept|at_least"),
        ({"contract": {"n": {"type": "int", "requird": True}}}, "did you mean 'required'"),
        ({"contract": {"_line": "int"}}, "columns that begin with _ are the stage's own"),
        ({"contract": {"item": "int", "Item": "int"}}, "differs from item in case alone"),
    ],
)
def test_a_section_that_cannot_be_meant_is_a_one_line_config_error(section, said):
    with pytest.raises(ConfigError, match=said) as caught:
        validate(Config, section, "night.yaml: quality")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("type_", ["integr", "array<", "string; drop"])
def test_a_type_that_spark_does_not_know_is_a_one_line_config_error(check_day, raw_day, type_):
    with pytest.raises(ConfigError, match="quality") as caught:
        check_day({"n": type_}, raw_day(["n", "1"]))
    assert len(str(caught.value).splitlines()) == 1


def test_a_users_own_check_is_one_file(check_day, raw_day, tmp_path, monkeypatch):
    (tmp_path / "shop_checks.py").write_text(
        "from pyspark.sql import functions as F\n"
        "from lsml_spark.quality.check import RowCheck\n\n"
        "class Even(RowCheck):\n"
        "    by: int = 2\n"
        "    def describe(self):\n        return f'not a multiple of {self.by}'\n"
        "    def violated(self):\n        return F.col(self.column) % self.by != 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    day = check_day(
        {"n": "int"},
        raw_day(["n", "3", "4", "6"]),
        columns={"n": [{"shop_checks.Even": {"by": 3}, "on_bad": "quarantine"}]},
    )
    assert day.ledger.quarantined == {"n: not a multiple of 3": 1}


def test_the_section_of_the_readers_guide_is_one_that_the_stage_takes():
    import re

    import yaml

    guide = (Path(__file__).parents[2] / "docs" / "quality.md").read_text()
    section = yaml.safe_load(re.search(r"```yaml\n(.*?)```", guide, re.DOTALL).group(1))["quality"]
    config = validate(Config, section, "docs/quality.md")
    assert [check.check for check in config.row_checks()] == [
        "in_range",
        "outlier",
        "complete",
        "matches",
        "unique",
        "sql",
    ]
    assert [check.check for check in config.table] == ["rows", "drift"]
