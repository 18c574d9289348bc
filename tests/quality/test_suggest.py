"""Proposed checks: types and forms that the values really have, YAML that reads back, nothing that stops a
clean day.
"""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.figures.shapes import pattern_of
from lsml_spark.quality.raw.infer import type_of
from lsml_spark.quality.run import Config
from lsml_spark.quality.suggest import raw_files, suggest


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "+30"] * 20, "int"),
        (["1", "2", "3000000000"], "bigint"),
        (["1.5", "2", "1e3", ".5"], "double"),
        (["1.5", "nan", "inf", "2"], "double"),
        (["00123", "00777", "01234"], "string"),
        ([f"{10000 + n}" for n in range(50)], "string"),  # customers, not counts
        ([f"{10000 + n}.0" for n in range(50)], "string"),
        (["2011", "2012"] * 30, "int"),
        ([f"{500000 + n}" for n in range(200)] + [f"C{500000 + n}" for n in range(3)], "string"),
        ([*map(str, range(1, 500)), "n/a"], "int"),  # one accident
        (["true", "False"], "boolean"),
        (["2011-02-01", "2011-02-28"], "date"),
        (["2011-02-01", "2011-02-01 08:23:00"], "timestamp"),
        (["2011-13-01"], "string"),
        (["x", "1"], "string"),
        ([], "string"),
        (["123456789012345678901"], "string"),
    ],
)
def test_the_type_is_the_narrowest_that_means_what_the_values_are(values, expected):
    assert type_of(values) == expected


def test_a_form_is_mined_from_examples():
    invoices = [f"{n}" for n in range(536365, 536465)] + ["C536379", "C536383"]
    assert pattern_of(invoices) == (r"^(\d{6}|[A-Z]\d{6})$", 1.0)
    assert pattern_of(["2011-01-02", "2011-11-12"]) == (r"^\d{4}\-\d{2}\-\d{2}$", 1.0)
    assert pattern_of(["a.b", "ab.c"]) == (r"^[a-z]{1,2}\.[a-z]$", 1.0)
    assert pattern_of(["one two", "Three", "f0ur", "5ive!", "Six-Seven", "?"]) is None
    assert pattern_of([]) is None


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=40))
def test_a_mined_form_matches_the_share_of_values_that_it_claims(values):
    found = pattern_of(values, most=50, coverage=0.0)
    if found is not None:
        pattern, share = found
        matched = sum(bool(re.search(pattern, value)) for value in values)
        assert matched >= share * len(values) - 1e-9


@pytest.fixture(scope="module")
def proposed(spark, retail):
    return suggest(spark, [retail / f"2011-01-{day}.csv.gz" for day in (10, 11, 12)])


@pytest.mark.spark
def test_the_proposal_is_a_section_that_the_stage_takes_with_a_reason_for_each_check(proposed):
    section = yaml.safe_load(proposed)["quality"]
    config = validate(Config, section, "proposed")
    assert {name: field.type for name, field in config.contract.items()} == {
        "InvoiceNo": "string",
        "StockCode": "string",
        "Description": "string",
        "Quantity": "int",
        "InvoiceDate": "timestamp",
        "UnitPrice": "double",
        "CustomerID": "string",
        "Country": "string",
    }
    assert {"complete": 1.0, "on_bad": "quarantine"} in section["columns"]["StockCode"]
    assert {"matches": r"^(\d{6}|[A-Z]\d{6})$", "on_bad": "quarantine"} in section["columns"]["InvoiceNo"]
    assert {"matches": r"^\d{5}\.\d$", "on_bad": "quarantine"} in section["columns"]["CustomerID"]
    checks = [line for line in proposed.splitlines() if line.lstrip().startswith("- ")]
    assert len(checks) > 30
    assert all("  # " in line for line in checks)


@pytest.mark.spark
def test_the_days_it_was_made_from_pass_and_hardly_lose_a_row(check_day, retail, proposed):
    section = yaml.safe_load(proposed)["quality"]
    day = check_day(
        section["contract"],
        retail / "2011-01-11.csv.gz",
        **{k: v for k, v in section.items() if k != "contract"},
    )
    assert day.failed is None
    assert sum(day.ledger.quarantined.values()) < 0.02 * day.ledger.rows_in


@pytest.mark.spark
def test_names_and_values_that_mean_something_to_yaml_read_back(spark, raw_day, check_day):
    lines = ["a: b,`t`,# no,yes", *[f"{n},{n % 3},'{{x}}',{'on' if n % 2 else 'off'}" for n in range(200)]]
    path = raw_day(lines)
    section = yaml.safe_load(suggest(spark, [path]))["quality"]
    assert list(section["contract"]) == ["a: b", "`t`", "# no", "yes"]
    day = check_day(section["contract"], path, **{k: v for k, v in section.items() if k != "contract"})
    assert (day.failed, day.ledger.rows_out) == (None, 200)


@pytest.mark.spark
def test_nothing_to_look_at_is_said(spark, tmp_path, raw_day):
    with pytest.raises(ConfigError, match="no such file"):
        raw_files([tmp_path / "none"])
    with pytest.raises(ConfigError, match="no files that end in"):
        raw_files([tmp_path])
    with pytest.raises(ConfigError, match="no rows to learn from"):
        suggest(spark, [raw_day(["a,b"])])
