"""Nothing is on both sides of a split: neither of tonight's, nor of the line between earlier nights and
tonight.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, Self

from pydantic import Field, model_validator
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StructType

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.checks.near_duplicate import HEADS, NearDuplicate
from lsml_spark.quality.day import Day, Past
from lsml_spark.quality.lacking import lacking, percent
from lsml_spark.spark.tables import quoted

OWN = ("date", "_file", "_line")


class NoLeakage(TableCheck):
    """At most a share `at_most` (default: none) of the day's clean rows was seen on the other side.

    Without `split`: the last `window` good nights, by the `id` columns (default: every column of the
    contract). A night that trained on a row must not be tested on it. With `split`, a column that names each
    row's part: no `id`, no `key` and no text of `near` occurs in two parts; texts are alike as
    `near_duplicate` has it. Rows are matched by 64-bit hashes of their values as text (a wrong match among
    10⁶ × 10⁷ rows has a chance of 10⁻⁶) in equi-joins, never each with each. Ids and keys that are NULL match
    nothing. `value` is the share of such rows; `rows` and three examples stand beside it.
    """

    id: list[str] = []  # columns that name a row
    key: str = ""  # with `split`: a column
    near: str = ""  # with `split`: a column of text
    similarity: float = Field(0.9, ge=0.3, le=1)  # of texts, as in `near_duplicate`
    split: str = ""  # the column that names each row's part
    window: int = Field(7, ge=1)  # good nights

    @model_validator(mode="after")
    def _sides(self) -> Self:
        if (self.key or self.near) and not self.split:
            raise ValueError(
                "no_leakage: `key` and `near` need `split: column`, for every night has the keys of the "
                "nights before"
            )
        return self

    def describe(self) -> str:
        if self.split:
            what = [
                *([", ".join(self.id)] if self.id else []),
                *([self.key] if self.key else []),
                *([f"near {self.near}"] if self.near else []),
            ]
            return f"the same {' or '.join(what) or 'row'} in two of {self.split}"
        by = f" by {', '.join(self.id)}" if self.id else ""
        return f"rows that the last {self.window} good nights had{by}"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, *self.id, *[name for name in (self.key, self.near, self.split) if name]):
            return lack
        if not day.clean:
            return Judged("the day has no clean rows to judge")
        assert day.clean_rows is not None
        rows = day.clean_rows()
        contract = [name for name in day.profile["columns"] if name in rows.columns]
        if self.split:
            return self._verdict(day, self._in_two_splits(rows, contract), f"in more than one '{self.split}'")
        pasts = day.history[-self.window :]
        if not pasts:
            return Judged()
        ids = self.id or contract
        earlier = [
            (past, clean) for past in pasts for clean in [past.load_clean()] if set(ids) <= set(clean.columns)
        ]
        if not earlier:
            return Judged(f"none of the last {len(pasts)} good nights has {', '.join(ids)}")
        nights = (
            f"on {earlier[0][0].date} to {earlier[-1][0].date}"
            if len(earlier) > 1
            else f"on {earlier[0][0].date}"
        )
        return self._verdict(day, _seen_before(rows, ids, earlier), nights)

    def _in_two_splits(self, rows: DataFrame, contract: Sequence[str]) -> DataFrame:
        rows = rows.where(F.col(quoted(self.split)).isNotNull()).withColumn(
            "__split", F.col(quoted(self.split)).cast("string")
        )
        sets = [list(columns) for columns in (self.id, [self.key] if self.key else []) if columns]
        if not sets and not self.near:
            sets = [[name for name in contract if name != self.split]]
        leaks = []
        for columns in sets:
            hashed = rows.withColumn("__hash", row_hash(rows, columns))
            doubled = (
                hashed.groupBy("__hash")
                .agg(F.min("__split").alias("__a"), F.max("__split").alias("__b"))
                .where("__a < __b")
            )
            leaks.append(
                hashed.join(doubled.where("__hash IS NOT NULL"), "__hash").withColumn(
                    "__why", F.concat_ws(" and ", "__a", "__b")
                )
            )
        if self.near:
            leaks.append(self._near(rows))
        kept = [*[F.col(quoted(name)) for name in rows.columns], F.col("__why")]
        together = reduce(DataFrame.unionByName, [leak.select(*kept) for leak in leaks])
        return together.dropDuplicates(["_file", "_line"])

    def _near(self, rows: DataFrame) -> DataFrame:
        """Rows whose text is alike to one of another split: candidates share a bucket, each pair is then
        compared.
        """
        alike = NearDuplicate(text=self.near, similarity=self.similarity)
        texts = rows.withColumn("__text", alike.thing(rows)).where("__text IS NOT NULL")
        bucketed = (
            texts.select("__text", "__split")
            .distinct()
            .withColumn("__bucket", F.explode(alike.buckets(F.col("__text"))))
        )
        rank = F.row_number().over(Window.partitionBy("__bucket", "__split").orderBy("__text"))
        heads = bucketed.withColumn("__rank", rank).where(F.col("__rank") <= HEADS)
        heads = heads.select("__bucket", F.col("__split").alias("__other"), F.col("__text").alias("__twin"))
        pairs = (
            bucketed.join(heads, "__bucket")
            .where("__split <> __other")
            .select("__text", "__split", "__twin", "__other")
            .distinct()
        )
        matches = pairs.where(alike.is_alike(F.col("__text"), F.col("__twin")))
        twins = matches.groupBy("__text", "__split").agg(F.min("__other").alias("__other"))
        why = F.concat_ws(" and ", F.least("__split", "__other"), F.greatest("__split", "__other"))
        return texts.join(twins, ["__text", "__split"]).withColumn("__why", why)

    def _verdict(self, day: Day, leaked: DataFrame, where: str) -> Judged:
        rows = leaked.count()
        shown = leaked.orderBy("_file", "_line").limit(3).collect() if rows else []
        share = rows / day.clean
        examples = [_example(row.asDict()) for row in shown]
        if share <= self.at_most:
            return Judged(value=share, rows=rows, examples=examples)
        allowed = f", at most {percent(self.at_most)} allowed" if self.at_most else ""
        first = f"; first {shown[0]['_file']} line {shown[0]['_line']} ({shown[0]['__why']})"
        return Judged(
            f"{rows} of {day.clean} clean rows ({percent(share)}) occur {where}{allowed}{first}",
            share,
            rows,
            examples,
        )


def _seen_before(rows: DataFrame, ids: Sequence[str], earlier: Sequence[tuple[Past, DataFrame]]) -> DataFrame:
    """Rows of the day that an earlier night had, with the last such night as `__why`."""
    hashes = [
        clean.select(row_hash(clean, ids).alias("__hash"), F.lit(str(past.date)).alias("__why"))
        for past, clean in earlier
    ]
    before = (
        reduce(DataFrame.union, hashes)
        .where("__hash IS NOT NULL")
        .groupBy("__hash")
        .agg(F.max("__why").alias("__why"))
    )
    return rows.withColumn("__hash", row_hash(rows, ids)).join(before, "__hash")


def row_hash(frame: DataFrame, columns: Sequence[str]) -> Column:
    """xxhash64 of the values as text, the same whatever their types; NULL where all of them are NULL."""
    nested = {
        field.name for field in frame.schema if isinstance(field.dataType, (ArrayType, MapType, StructType))
    }
    cells = [
        F.to_json(quoted(name)) if name in nested else F.col(quoted(name)).cast("string") for name in columns
    ]
    flags = [cell.isNull() for cell in cells]
    return F.when(F.coalesce(*cells).isNotNull(), F.xxhash64(*cells, *flags))


def _example(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if not name.startswith("__")}
    return {
        **{name: value for name, value in shown.items() if name not in OWN},
        "_file": row["_file"],
        "_line": row["_line"],
        "seen": row["__why"],
    }
