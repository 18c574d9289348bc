"""Policies that look at rows, not at keys: `boundary` by each row's score, `collapse` by what rows say."""

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.select.knowledge import FINE, SURPRISE
from lsml_spark.select.policies.boundary import Boundary
from lsml_spark.select.policies.policy import Policy, Spectrum
from lsml_spark.spark.tables import quoted

COPIES = "__copies"  # how many rows a row stands for
NOT_A_FEATURE = ("sample_id", "date")


def by_score(scored: DataFrame, policy: Boundary, budget: float) -> tuple[DataFrame, Spectrum, np.ndarray]:
    """Rows with SURPRISE (see knowledge) get a `keep_rate` and, where it corrects, an `offset`.

    IntegrityError where a score is no probability; ConfigError where no row was scored, or where an offset is asked for and
    there are not two labels.
    """
    found = {row[SURPRISE]: row["rows"] for row in scored.groupBy(SURPRISE).agg(F.count(F.lit(1)).alias("rows")).collect()}
    if found.get(-1):
        bad = scored.where(F.col(SURPRISE) == -1).orderBy("sample_id").first()
        assert bad is not None
        raise IntegrityError(f"select: the scores of {found[-1]} rows are no probabilities, e.g. {bad.sample_id!r}; run evaluate again")
    known = {step: rows for step, rows in found.items() if step is not None}
    if not known:
        raise ConfigError(
            "select.policy: boundary needs the scores of an earlier night, and none held out a row of the window; begin with zipf"
        )
    average = round(sum(step * rows for step, rows in known.items()) / sum(known.values()))
    held_out = F.col(SURPRISE).isNotNull()
    step = F.coalesce(SURPRISE, F.lit(average))
    known[average] = known.get(average, 0) + found.get(None, 0)
    step_S, rows_S = np.array(sorted(known.items()), dtype=np.int64).T
    spectrum = Spectrum(np.ones_like(rows_S), rows_S, surprise=(surprise_S := step_S / FINE))
    rates_S = policy.keep_rates(spectrum, budget)

    # The rate of any surprise, those that no row has included: the other label's is needed too.
    every = np.arange(FINE + 1) / FINE
    wanted_S, wanted_E = (np.maximum(surprise, policy.floor) for surprise in (surprise_S, every))
    level = (rates_S / wanted_S).max() if (rates_S < 1).any() else np.inf
    rate_E = np.minimum(1.0, level * wanted_E)
    table = F.array(*map(F.lit, rate_E.tolist()))
    rated = scored.withColumn("keep_rate", F.element_at(table, step + 1))
    if policy.correct == "offset":
        labels = [row["label"] for row in scored.select("label").distinct().limit(3).collect()]
        if len(labels) != 2:
            raise ConfigError("select.policy.correct: offset is for two labels, and there are others or only one; say weights")
        other = F.element_at(table, FINE - step + 1)
        rated = rated.withColumn("offset", F.when(held_out, F.log("keep_rate") - F.log(other)).otherwise(0.0))
    return rated.drop(SURPRISE), spectrum, rates_S


def distinct(train: DataFrame, policy: Policy, budget: float) -> tuple[DataFrame, Spectrum, np.ndarray]:
    """One row for all that are equal in key, label and features, with COPIES and a `keep_rate`. One shuffle of the rows."""
    same = [quoted(name) for name in train.columns if name not in NOT_A_FEATURE]
    kept = [F.min_by("date", "sample_id").alias("date")] if "date" in train.columns else []
    merged = train.groupBy(*same).agg(F.count(F.lit(1)).alias(COPIES), *kept, F.min("sample_id").alias("sample_id"))
    pairs = sorted((row[COPIES], row["rows"]) for row in merged.groupBy(COPIES).agg(F.count(F.lit(1)).alias("rows")).collect())
    copies_S, rows_S = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    spectrum = Spectrum(copies_S, rows_S)
    rates_S = policy.keep_rates(spectrum, budget)
    level = float((rates_S / copies_S).max()) if (rates_S < 1).any() else float("inf")
    rate = F.least(F.lit(1.0), F.col(COPIES) * F.lit(level)) if np.isfinite(level) else F.lit(1.0)
    return merged.withColumn("keep_rate", rate), spectrum, rates_S
