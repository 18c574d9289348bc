"""Labels that no earlier night has seen."""

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day, Past
from lsml_spark.quality.lacking import lacking, listed, percent
from lsml_spark.spark.tables import quoted


class NewLabels(TableCheck):
    """At most a share `at_most` of the rows has a label that none of the last `window` good nights had.

    Profiles answer it where they list every label of the day and of those nights (then labels of quarantined
    rows count as seen too); else the clean rows of those nights do, by one Spark job. Missing labels are the
    business of `complete`. `value` is the share of such rows.
    """

    window: int = Field(28, ge=1)  # good nights

    shorthand: ClassVar[str] = "column"
    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"labels that the last {self.window} good nights did not have"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, self.column):
            return lack
        pasts = [
            past for past in day.history[-self.window :] if self.column in past.profile.get("columns", {})
        ]
        if not day.history:
            return Judged()
        if not pasts:
            return Judged(
                f"column '{self.column}' was on none of the last {min(self.window, len(day.history))} good "
                "nights"
            )
        columns = [day.column(self.column), *[past.profile["columns"][self.column] for past in pasts]]
        if all("top" in column and not column.get("others") for column in columns):
            label_counts, rows = self._by_profiles(day, pasts)
        else:
            label_counts, rows = self._by_rows(day, pasts)
        new = sum(count for _, count in label_counts)
        share = new / rows if rows else 0.0
        if share <= self.at_most:
            return Judged(value=share, rows=new)
        allowed = f", at most {percent(self.at_most)} allowed" if self.at_most else ""
        problem = (
            f"{self.column}: {new} rows ({percent(share)}) have a label that none of {len(pasts)} "
            f"earlier nights had{allowed}"
        )
        return Judged(f"{problem}: {listed([name for name, _ in label_counts], 5)}", value=share, rows=new)

    def _by_profiles(self, day: Day, pasts: Sequence[Past]) -> tuple[list[tuple[str, int]], int]:
        """(new labels and their rows, the most frequent first; rows with a label), scaled from the sample to
        the day.
        """
        known = {name for past in pasts for name, _ in past.profile["columns"][self.column]["top"]}
        top = day.column(self.column)["top"]
        scale = day.rows / (day.profile.get("sampled") or day.rows)
        return [(name, round(rows * scale)) for name, rows in top if name not in known], round(
            sum(rows for _, rows in top) * scale
        )

    def _by_rows(self, day: Day, pasts: Sequence[Past]) -> tuple[list[tuple[str, int]], int]:
        assert day.clean_rows is not None
        label = F.col(quoted(self.column)).cast("string").alias("label")
        today = day.clean_rows().select(label).where("label IS NOT NULL").groupBy("label").count()
        known = (
            reduce(DataFrame.union, [past.load_clean().select(label) for past in pasts])
            .distinct()
            .withColumn("known", F.lit(True))
        )
        rows = today.join(known, "label", "left")
        counted = rows.groupBy(F.col("known").isNull().alias("new")).agg(
            F.sum("count").alias("rows"),
            F.slice(F.sort_array(F.collect_list(F.struct("count", "label")), False), 1, 1000).alias("labels"),
        )
        by_new = {
            row["new"]: row
            for row in counted.withColumn("labels", F.when(F.col("new"), F.col("labels"))).collect()
        }
        total = sum(row["rows"] for row in by_new.values())
        if True not in by_new:
            return [], total
        named = [(pair["label"], pair["count"]) for pair in by_new[True]["labels"]]
        rest = by_new[True]["rows"] - sum(count for _, count in named)
        return named + ([("…", rest)] if rest else []), total
