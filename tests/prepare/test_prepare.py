"""The prepare stage: what the SQL makes is what pandas makes, no day leaks into the training before it, every
row is booked.
"""

import re

import duckdb
import pandas as pd
import pytest

from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.prepare import run as prepare
from lsml_spark.prepare.run import FILTERED, MULTIPLIED
from lsml_spark.quality import run as quality
from lsml_spark.spark import tables

pytestmark = pytest.mark.spark
DAYS = ("2011-01-31", "2011-02-01")


@pytest.fixture(scope="module")
def clean_days(spark, module_night, retail, retail_sections):
    """Two real days through the quality stage."""
    config = quality.Config(**retail_sections["quality"])
    found = {}
    for date in DAYS:
        night = module_night.on(date)
        work = night.work("quality", raw=(retail / f"{date}.csv.gz",))
        found[f"quality/{date}"] = night.finish(work, quality.run(work, config, spark))
    return found


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            "date > DATE '2011-01-31'",
            "no sample to train on is left of the [0-9,]+ clean rows of 2011-01-31; left out in all: "
            "filtered",
        ),
        (
            "date < DATE '2011-02-01'",
            "no sample to judge a model on is left of the [0-9,]+ clean rows of 2011-02-01",
        ),
    ],
)
def test_a_night_of_which_the_sql_leaves_nothing_is_told_so_with_the_reasons(
    spark, night, clean_days, where, said
):
    sql = (
        "SELECT concat(_file, _line) AS sample_id, StockCode AS key, StockCode AS label, date, Country "
        f"FROM clean WHERE {where}"
    )
    outcome = prepare.run(night.on(DAYS[1]).work("prepare", clean_days), prepare.Config(sql=sql), spark)
    assert re.search(said, outcome.failed)
    outcome.ledger.check("prepare")


@pytest.fixture(scope="module")
def real(spark, module_night, clean_days, retail_sections):
    work = module_night.on(DAYS[1]).work("prepare", clean_days)
    return module_night.finish(work, prepare.run(work, prepare.Config(**retail_sections["prepare"]), spark))


def rows_of(source, table: str) -> pd.DataFrame:
    return duckdb.read_parquet([str(path) for path in source.files(table)]).df()


def price_band(price) -> str:
    if price is None:
        return "first item"
    return next(
        (name for limit, name in ((1, "<1"), (2, "1-2"), (4, "2-4"), (8, "4-8")) if price < limit), "8+"
    )


def samples_in_pandas(clean: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """pipelines/retail.yaml's SQL as a loop over baskets; the samples and the reasons of those left out."""
    samples, dropped = [], {}
    ordered = clean.sort_values(["_file", "_line"]).rename(columns={"_file": "file", "_line": "line"})
    for _, basket in ordered.groupby("InvoiceNo", sort=False):
        items, prices = [], []
        for row in basket.itertuples():
            context = items[-16:]
            if row.InvoiceNo.startswith("C"):
                reason = "return"
            elif not row.StockCode[:5].isdigit() or len(row.StockCode) < 5:
                reason = "not a product"
            else:
                reason = "already in the basket" if row.StockCode in context else None
            if reason:
                dropped[reason] = dropped.get(reason, 0) + 1
            else:
                date = str(row.date)[:10]
                samples.append(
                    {
                        "sample_id": f"{date}:{row.file}:{row.line}",
                        "key": row.StockCode,
                        "label": row.StockCode,
                        "context": context,
                        "country": row.Country,
                        "hour": row.InvoiceDate.hour,
                        "weekday": row.InvoiceDate.weekday(),
                        "price_band": price_band(sum(prices) / len(prices) if prices else None),
                    }
                )
            items, prices = [*items, row.StockCode], [*prices, row.UnitPrice]
    return pd.DataFrame(samples).sort_values("sample_id", ignore_index=True), dropped


def test_samples_of_real_days_are_those_of_pandas(real, clean_days):
    dropped: dict[str, int] = {}
    for table, date in zip(("train", "test"), DAYS, strict=True):
        expected, reasons = samples_in_pandas(rows_of(clean_days[f"quality/{date}"], "clean"))
        found = rows_of(real, table).sort_values("sample_id", ignore_index=True)
        assert len(found) == len(expected) > 500
        for column in expected.columns:
            if column == "price_band":  # a mean of prices at a band's very edge may fall on either side
                assert (found[column] == expected[column]).mean() > 0.999
            else:
                assert [list(v) if column == "context" else v for v in found[column]] == expected[
                    column
                ].tolist(), column
        for reason, count in reasons.items():
            dropped[reason] = dropped.get(reason, 0) + count
    assert real.manifest.ledger.dropped == dropped


def test_the_ledger_of_real_days_balances_to_the_row(real, clean_days):
    ledger = real.manifest.ledger
    assert ledger.rows_in == sum(source.manifest.ledger.rows_out for source in clean_days.values())
    assert ledger.rows_out == sum(table.rows for table in real.manifest.tables.values())
    assert ledger.added == {}
    assert real.manifest.metrics["days"] == {"train": [DAYS[0]], "test": [DAYS[1]]}
    assert set(real.manifest.metrics["features"]) == {"context", "country", "hour", "weekday", "price_band"}


def test_dates_tell_train_from_test(real):
    assert {str(date)[:10] for date in rows_of(real, "train").date} == {DAYS[0]}
    assert {str(date)[:10] for date in rows_of(real, "test").date} == {DAYS[1]}


@pytest.fixture
def prepared(spark, night):
    """`prepared(sql, before=…, today=…)`: the stage over small clean days, given as SQL that makes them."""

    def day(date: str, rows: str):
        return night.on(date).source(
            "quality", clean=spark.sql(f"SELECT *, DATE'{date}' AS date FROM VALUES {rows} AS t(id, item, n)")
        )

    def run(sql: str, before: str | None = "('a', 'x', 1), ('b', 'y', 2)", today: str = "('c', 'x', 3)"):
        inputs = {"quality/2011-02-01": day("2011-02-01", today)}
        if before is not None:
            inputs["quality/2011-01-31"] = day("2011-01-31", before)
        work = night.work("prepare", inputs)
        return night.finish(work, prepare.run(work, prepare.Config(sql=sql), spark))

    return run


SQL = "SELECT id AS sample_id, item AS key, item AS label, date, n FROM clean"
WHOLE_WINDOW = SQL.replace("n FROM", "count(*) OVER () AS rows, sum(n) OVER (PARTITION BY item) AS n FROM")


@pytest.mark.parametrize(
    "today", ["('c', 'x', 300)", "('c', NULL, 3)", "('c', 'x', 3), ('d', 'y', 4), ('e', 'new', 5)"]
)
def test_nothing_of_the_day_reaches_the_training_rows(prepared, today):
    # SQL that looks at all rows there are: the worst case of a leak.
    undisturbed, changed = prepared(WHOLE_WINDOW), prepared(WHOLE_WINDOW, today=today)
    assert changed.manifest.tables["train"].rows_hash == undisturbed.manifest.tables["train"].rows_hash
    assert changed.manifest.identity != undisturbed.manifest.identity


def test_the_days_before_do_not_reach_the_test_rows(prepared):
    assert (
        prepared(WHOLE_WINDOW, before="('z', 'x', 9)").manifest.tables["test"]
        == prepared(WHOLE_WINDOW).manifest.tables["test"]
    )


def test_ids_keys_and_labels_become_text(prepared):
    source = prepared("SELECT n AS sample_id, n AS key, n > 1 AS label, date FROM clean")
    assert {
        name: source.manifest.tables["train"].columns[name] for name in prepare.IDENTITY
    } == dict.fromkeys(prepare.IDENTITY, "string")
    assert sorted(rows_of(source, "train").label) == ["false", "true"]


@pytest.mark.parametrize(
    ("column", "sql"), [("key", SQL), ("label", SQL.replace("item AS key", "'k' AS key"))]
)
def test_rows_without_a_key_or_label_are_dropped_with_the_reason(prepared, column, sql):
    ledger = prepared(sql, before="('a', 'x', 1), ('b', NULL, 2)").manifest.ledger
    assert ledger == Ledger(3, 2, dropped={f"{column} is null": 1})


def test_rows_without_an_id_are_dropped_with_the_reason(prepared):
    assert prepared(SQL, before="(NULL, 'x', 1), (NULL, 'y', 2)").manifest.ledger.dropped == {
        "sample_id is null": 2
    }


def test_reasons_of_the_sql_are_counted_by_name(prepared):
    sql = SQL.replace("n FROM", "CASE WHEN n = 2 THEN 'even' WHEN n = 3 THEN 'odd' END AS drop_reason FROM")
    source = prepared(sql)
    assert source.manifest.ledger == Ledger(3, 1, dropped={"even": 1, "odd": 1})
    assert "drop_reason" not in source.manifest.tables["train"].columns


def test_a_sample_id_given_twice_is_an_error_that_names_it(prepared):
    with pytest.raises(ConfigError, match=r"sample_id 'same' is given to 2 samples"):
        prepared(
            SQL.replace(
                "id AS sample_id", "left('same' || n, CASE WHEN n < 3 THEN 4 ELSE 5 END) AS sample_id"
            )
        )
    # once in train, once in test
    with pytest.raises(ConfigError, match=r"sample_id 'a' is given to 2 samples"):
        prepared(SQL, today="('a', 'x', 3)")


def test_rows_that_the_sql_filters_are_booked(prepared):
    assert prepared(SQL + " WHERE n <> 2").manifest.ledger == Ledger(3, 2, dropped={FILTERED: 1})


def test_rows_that_the_sql_multiplies_are_booked(prepared):
    sql = SQL.replace("id AS", "concat(id, '-', copy) AS") + " LATERAL VIEW explode(array(1, 2, 3)) c AS copy"
    assert prepared(sql).manifest.ledger == Ledger(3, 9, added={MULTIPLIED: 6})


def test_rows_that_the_sql_merges_are_booked(prepared):
    sql = "SELECT item AS sample_id, item AS key, item AS label, max(date) AS date FROM clean GROUP BY item"
    assert prepared(
        sql, before="('a', 'x', 1), ('b', 'x', 2)", today="('c', 'y', 3)"
    ).manifest.ledger == Ledger(3, 2, dropped={FILTERED: 1})


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (SQL.replace("item AS key", "item AS keys"), r"no column 'key' \(did you mean 'keys'"),
        (SQL.replace("date, ", ""), "no column 'date'"),
        (SQL.replace("item AS label", "itme AS label"), "UNRESOLVED_COLUMN"),
        (SQL.replace("clean", "claen"), "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELEKT 1", "PARSE_SYNTAX_ERROR"),
        ("", "PARSE"),
        (SQL.replace("n FROM", "n, n FROM"), "two columns 'n'"),
        (SQL.replace("n FROM", "1 / (n - 1) AS n FROM"), "DIVIDE_BY_ZERO"),
        (SQL.replace("n FROM", "cast(item AS int) AS n FROM"), "CAST_INVALID_INPUT"),
        (SQL.replace("n FROM", "n AS weight FROM"), "'weight'"),
        (SQL.replace("n FROM", "n AS keep_rate FROM"), "'keep_rate'"),
    ],
)
def test_sql_that_cannot_be_meant_is_a_one_line_config_error(prepared, capfd, sql, said):
    with pytest.raises(ConfigError, match=said) as caught:
        prepared(sql)
    assert str(caught.value).startswith("prepare.sql: ")
    assert len(str(caught.value).splitlines()) == 1
    assert "QueryContextLogger" not in capfd.readouterr().err


def test_a_night_without_history_stops_and_says_what_to_do(prepared):
    with pytest.raises(QualityGateError, match=r"no clean day .* before 2011-02-01.*widen `window`"):
        prepared(SQL, before=None)


def test_days_without_rows_give_empty_tables(spark, night, prepared):
    source = prepared(SQL + " WHERE n > 99")
    assert source.manifest.ledger == Ledger(3, 0, dropped={FILTERED: 3})
    assert tables.read(spark, source, table="train").count() == 0
