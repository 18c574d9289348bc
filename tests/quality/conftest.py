"""A day of raw CSV through the quality stage, and one check over rows given as Python values."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from pyspark.sql import functions as F

from lsml_spark.core.config import validate
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.quality import run as quality
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.spark import tables


class Day:
    """What the stage made of a day, as pandas frames and metrics."""

    def __init__(self, spark, work, outcome):
        outcome.ledger.check("quality")
        self.spark, self.work, self.outcome = spark, work, outcome
        self.ledger, self.failed, self.metrics = outcome.ledger, outcome.failed, outcome.metrics

    def table(self, name: str) -> list[dict[str, Any]]:
        frame = tables.read_written(self.spark, self.work.folder, self.outcome.tables[name])
        return [row.asDict() for row in frame.collect()]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return sorted(self.table(table), key=lambda row: (row["_file"], row["_line"]))

    @property
    def clean(self) -> list[dict[str, Any]]:
        return self.rows("clean")

    @property
    def quarantine(self) -> list[dict[str, Any]]:
        return self.rows("quarantine")

    def finding(self, check: str) -> dict[str, Any]:
        (found,) = [finding for finding in self.metrics["findings"] if finding["check"] == check]
        return found


class Checker:
    """`check_day(contract, *paths, columns=…, rows=…, table=…)`: the stage's own `run` over raw files."""

    def __init__(self, spark, night):
        self.spark, self.night = spark, night

    def __call__(self, contract: dict, *paths, inputs: Mapping[str, Source] | None = None, **checks) -> Day:
        work = self.night.work("quality", inputs, raw=paths)
        return Day(self.spark, work, self.run(work, contract, checks))

    def run(self, work: Work, contract: dict, checks: dict) -> Outcome:
        return quality.run(
            work,
            validate(quality.Config, {"contract": contract, **checks}, "night.yaml: quality"),
            self.spark,
        )

    def finish(self, work: Work, contract: dict, **checks) -> Source:
        """A finished day, as later days see it in their history."""
        return self.night.finish(work, self.run(work, contract, checks))


@pytest.fixture
def check_day(spark, night) -> Checker:
    return Checker(spark, night)


@pytest.fixture
def violated(spark) -> Callable[..., list[bool]]:
    """Which of these values break the check `item` (as YAML has it); the check's column is `v`, of the given
    type.
    """

    def find(item: Any, type_: str, values: Sequence[Any]) -> list[bool]:
        check = parse(item, RowCheck, column="v")
        frame = spark.createDataFrame(
            [(i, None if v is None else v) for i, v in enumerate(values)], f"i int, v {type_}"
        )
        found = (
            frame.select("i", F.coalesce(check.violated(), F.lit(False)).alias("bad")).orderBy("i").collect()
        )
        return [row.bad for row in found]

    return find
