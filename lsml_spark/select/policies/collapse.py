"""Rows that say the same become one: exact for discrete features, and free of any loss where the rows
repeat.
"""

from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.select.policies.of_rows import COPIES, RatedRows, RowPolicy
from lsml_spark.select.policies.policy import Spectrum, filled
from lsml_spark.spark.tables import quoted

NOT_A_FEATURE = ("sample_id", "date")


class Collapse(RowPolicy):
    """Rows equal in key, label and all features become the one of smallest id, with the number of them as its
    weight.

    A weighted loss over these is that over all rows, to the last term. Where they are still more than the
    budget, a row that stands for c is kept with π = min(1, λ c) and weighs c / π, so sums stay unbiased. The
    rows are shuffled once for it.
    """

    merges: ClassVar[bool] = True
    unbiased: ClassVar[str] = (
        "sums over the kept rows, each times its weight, are those over all rows (unbiased ones where the "
        "budget thins)"
    )

    def refuses(self, weights: bool) -> str | None:
        return (
            None
            if weights
            else f"the weight of a row is how many it stands for; '{self.use}' needs weights: true"
        )

    def rated(self, train: DataFrame, scores: DataFrame | None, budget: float) -> RatedRows:
        return distinct(train, self, budget)

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        """`spectrum`: distinct rows by how many rows they stand for; Σ keys π = min(budget, distinct
        rows).
        """
        ones = Spectrum(np.ones(len(spectrum.keys), np.int64), spectrum.keys)
        return filled(spectrum.frequency.astype(float), ones, budget)


def distinct(train: DataFrame, policy: Collapse, budget: float) -> RatedRows:
    """One row for all that are equal in key, label and features, with COPIES and a `keep_rate`. One shuffle
    of the rows.
    """
    same = [quoted(name) for name in train.columns if name not in NOT_A_FEATURE]
    kept = [F.min_by("date", "sample_id").alias("date")] if "date" in train.columns else []
    merged = train.groupBy(*same).agg(
        F.count(F.lit(1)).alias(COPIES), *kept, F.min("sample_id").alias("sample_id")
    )
    pairs = sorted(
        (row[COPIES], row["rows"])
        for row in merged.groupBy(COPIES).agg(F.count(F.lit(1)).alias("rows")).collect()
    )
    copies_S, rows_S = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    spectrum = Spectrum(copies_S, rows_S)
    rates_S = policy.keep_rates(spectrum, budget)
    level = float((rates_S / copies_S).max()) if (rates_S < 1).any() else float("inf")
    rate = F.least(F.lit(1.0), F.col(COPIES) * F.lit(level)) if np.isfinite(level) else F.lit(1.0)
    return RatedRows(merged.withColumn("keep_rate", rate), rows_S, rates_S)
