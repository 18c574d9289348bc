"""How rules are run: `where`, rules that raise, checks that look at the day first or join, and what does not
depend on the partitioning.
"""

import json
import random
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.work import Source
from lsml_spark.quality.check import Judged, RowCheck, TableCheck

pytestmark = pytest.mark.spark
CONTRACT = {"n": "int", "s": "string"}
LINES = ["n,s", "1,a", "2,b", "-3,a", "-4,b", "0,a"]


class BelowMedian(RowCheck):
    """Fitted: below the median of the day."""

    median: float | None = None

    def describe(self):
        return "below the median"

    def reads(self):
        return [self.column]

    def fit(self, sample: pa.Table):
        assert sample.column_names == [self.column]
        return self.model_copy(update={"median": float(np.median(sample[self.column].drop_null()))})

    def violated(self):
        return self.value < self.median


class Unlisted(RowCheck):
    """Attached: joined with a table of known values."""

    known: list[str]
    frames: ClassVar[list] = []

    def describe(self):
        return "unlisted"

    def attach(self, rows):
        listed = rows.sparkSession.createDataFrame(
            [(value,) for value in self.known], f"{self.attached} string"
        )
        return rows.join(F.broadcast(listed), F.col(self.column) == F.col(self.attached), "left")

    def violated(self):
        return self.value.isNotNull() & F.col(self.attached).isNull()


class Seen(TableCheck):
    """Keeps the day that it was shown."""

    days: ClassVar[list] = []

    def describe(self):
        return "seen"

    def judge(self, day):
        self.days.append(day)
        return Judged(value=1.5, rows=1, examples=[{"n": 1, "s": None}])


HERE = __name__


def test_where_restricts_the_rows_and_the_share(check_day, raw_day):
    rule = {"in_range": {"low": 0}, "where": "s = 'a'", "at_most": 0.4, "on_bad": "quarantine"}
    day = check_day(CONTRACT, raw_day(LINES), columns={"n": [rule]})
    assert [row["_line"] for row in day.quarantine] == [4]
    finding = day.finding("n: below 0, where s = 'a'")
    assert (finding["rows"], finding["looked_at"], finding["share"], finding["ok"]) == (1, 3, 0.333333, True)
    assert finding["message"] == "n: below 0, where s = 'a': 1 of 3 rows (33.33%), at most 40.0% allowed"
    assert finding["examples"] == [{"n": "-3", "_file": "day.csv", "_line": "4", "s": "a"}]


def test_a_where_that_no_row_satisfies_does_not_pass(check_day, raw_day):
    day = check_day(
        CONTRACT,
        raw_day(LINES),
        columns={"n": [{"in_range": {"low": 0}, "where": "s = 'c'", "on_bad": "fail"}]},
    )
    finding = day.finding("n: below 0, where s = 'c'")
    assert (finding["ok"], finding["severity"], finding["looked_at"]) == (False, "warn", 0)
    assert "nothing was checked" in finding["message"]
    assert (day.failed, day.metrics["verdict"]) == (None, "warn")


def test_a_where_with_an_unknown_column_is_a_config_error(check_day, raw_day):
    with pytest.raises(ConfigError, match="nope"):
        check_day(CONTRACT, raw_day(LINES), columns={"n": [{"in_range": {"low": 0}, "where": "nope = 1"}]})


@pytest.mark.parametrize("on_bad", ["warn", "quarantine", "fail"])
def test_a_rule_that_raises_on_a_row_quarantines_that_row_not_the_night(check_day, raw_day, on_bad):
    rules = [
        {"sql": "10 / n < 6", "name": "ratio", "on_bad": on_bad},
        # shares a subexpression with the first
        {"sql": "10 / n > -3", "name": "other ratio", "on_bad": "quarantine"},
        {"sql": "n < 2"},
    ]
    day = check_day(CONTRACT, raw_day(LINES), rows=rules)
    reasons = {row["_line"]: row["reasons"] for row in day.quarantine}
    broken = ["ratio"] if on_bad == "quarantine" else []
    assert reasons[6] == ["ratio: raises an error", "other ratio: raises an error"]
    assert reasons.get(2, []) == broken
    assert reasons[4] == ["other ratio"]
    assert day.ledger.quarantined["ratio: raises an error"] == 1
    error = day.finding("ratio: raises an error")
    assert (error["rows"], error["severity"], error["examples"][0]["_line"]) == (1, "quarantine", "6")
    assert day.finding("ratio")["rows"] == 1
    assert len(day.clean) + len(day.quarantine) == 5


def test_where_may_raise_too_and_settings_are_put_back(spark, check_day, raw_day):
    key = "spark.sql.subexpressionElimination.enabled"
    before = spark.conf.get(key)
    day = check_day(
        CONTRACT,
        raw_day(LINES),
        rows=[{"sql": "n > 0", "where": "1 / n > 0", "name": "r", "on_bad": "quarantine"}],
    )
    assert [(row["_line"], row["reason"]) for row in day.quarantine] == [(6, "r: raises an error")]
    assert spark.conf.get(key) == before


def test_a_check_is_fitted_to_the_day(check_day, raw_day):
    day = check_day(
        CONTRACT, raw_day(LINES), columns={"n": [{f"{HERE}.BelowMedian": {}, "on_bad": "quarantine"}]}
    )
    assert [row["_raw_n"] for row in day.quarantine] == ["-3", "-4"]


def test_a_check_may_join_another_table(check_day, raw_day):
    rules = {"s": [{f"{HERE}.Unlisted": {"known": ["a"]}, "on_bad": "quarantine"}]}
    day = check_day(CONTRACT, raw_day(LINES), columns=rules)
    assert [row["_line"] for row in day.quarantine] == [3, 5]
    assert set(day.clean[0]) == {"n", "s", "date", "_file", "_line"}


def test_a_table_check_sees_the_whole_day(check_day, raw_day):
    Seen.days.clear()
    day = check_day(
        CONTRACT,
        raw_day([*LINES, "x,c", "broken"]),
        columns={"n": [{"in_range": {"low": 0}, "on_bad": "quarantine"}]},
        table=[{f"{HERE}.Seen": {}}],
    )
    (seen,) = Seen.days
    assert (seen.rows, seen.clean) == (7, 3)
    assert seen.profile == json.loads((day.work.folder / "profile.json").read_text())
    assert seen.metric("n", "min") == -4
    assert seen.metric("", "kept_share") == pytest.approx(3 / 7)
    assert seen.sample["n"].to_pylist() == [1, 2, -3, -4, 0, None]
    assert seen.headers == {"day.csv": ["n", "s"]}
    assert seen.typed().count() == 6
    assert seen.clean_rows().count() == 3
    finding = day.finding("seen")
    assert (finding["value"], finding["rows"], finding["share"], finding["examples"]) == (
        1.5,
        1,
        0.142857,
        [{"n": "1"}],
    )


def test_history_is_read_once_and_old_folders_are_passed_over(check_day, raw_day, night, spark):
    Seen.days.clear()
    past = []
    for date in ("2011-01-30", "2011-01-29"):
        work = night.on(date).work("quality", raw=(raw_day(LINES, f"{date}.csv"),))
        past.append((date, check_day.finish(work, CONTRACT)))
    old = night.on("2011-01-28").source("quality", clean=spark.createDataFrame([(1, "a")], "n int, s string"))
    inputs = {f"history/{date}": source for date, source in [*past, ("2011-01-28", old)]}
    assert all(isinstance(source, Source) for source in inputs.values())
    check_day(CONTRACT, raw_day(LINES), inputs=inputs, table=[{f"{HERE}.Seen": {}}])
    (seen,) = Seen.days
    assert [str(day.date) for day in seen.history] == ["2011-01-29", "2011-01-30"]
    assert seen.series("n", "mean").tolist() == [-0.8, -0.8]
    assert seen.last.profile["rows"] == 5
    assert seen.last.load_clean().count() == 5
    assert seen.last.load_scores() is None


@pytest.mark.parametrize(
    ("unique", "sizes"),
    [
        ([], (1 << 30, 2_800)),
        pytest.param([{"unique": ["s", "n"]}], (1 << 30, 30_000), marks=pytest.mark.slow),
    ],
)
def test_nothing_depends_on_the_partitioning(spark, check_day, tmp_path, unique, sizes):
    """1 partition, about 40 whose reports are merged, 4 before a shuffle."""
    random.seed(2)
    lines = [
        "n,x,s",
        *[
            f"{random.randrange(-9, 9)},{random.lognormvariate(0, 3) * random.choice([1, -1])},"
            f"{random.randrange(400)}"
            for _ in range(4000)
        ],
    ]
    path = tmp_path / "day.csv"
    path.write_text("\n".join(lines) + "\n")
    rules = [{"sql": "10 / n < 6", "name": "ratio", "on_bad": "quarantine"}, *unique]
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    found = set()
    try:
        for size in sizes:
            spark.conf.set("spark.sql.files.maxPartitionBytes", str(size))
            day = check_day({"n": "int", "x": "double", "s": "string"}, path, rows=rules)
            identity = [(table.rows, table.rows_hash) for table in day.outcome.tables.values()]
            found.add(
                (str(identity), (day.work.folder / "profile.json").read_bytes(), json.dumps(day.metrics))
            )
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before)
    assert len(found) == 1
