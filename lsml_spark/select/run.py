"""The select stage: keep the rows that are worth training on, by the frequency of their key.

Only keys whose keep rate differs from that of the rarest keys (the few above the level) are broadcast; the rows are
filtered where they lie, no row is shuffled and the long tail of keys is never listed.
"""

import numpy as np
from pydantic import Field
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core import seeds
from lsml_spark.core.config import Strict, component
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Work
from lsml_spark.select.policy import Policy, Spectrum, effective_sample_size
from lsml_spark.spark import tables
from lsml_spark.spark.session import session

LEAST_ESS = 0.3  # of the rows kept
NOT_COUNTED = "key not in the sample"  # as zipf's ledger says it


class Config(Strict):
    """`budget`: a share of the rows (≤ 1) or a number of rows. `weights`: whether the loss is to stay that of all rows."""

    policy: component(Policy, "lsml_spark.select")  # type: ignore[valid-type]
    budget: float = Field(gt=0)
    weights: bool = True


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Inputs `prepare` (train) and `zipf` (counts, profile). Writes `train` with `weight` and `keep_rate`."""
    spark = spark or session()
    train = tables.read(spark, work.inputs["prepare"], table="train")
    counts = tables.read(spark, work.inputs["zipf"], table="counts")
    if NOT_COUNTED in work.inputs["zipf"].manifest.ledger.dropped:
        raise ConfigError("select needs the counts of every key, and zipf counted a sample of them; set zipf.exact to true")
    spectrum = _spectrum(counts)
    rows = int(spectrum.rows.sum())
    if not rows:
        raise ConfigError("select: the training window has no samples")
    budget = config.budget * rows if config.budget <= 1 else min(config.budget, rows)
    rates = config.policy.keep_rates(spectrum, budget)
    if rates.shape != spectrum.frequency.shape or not ((rates >= 0) & (rates <= 1)).all():
        raise ConfigError(f"select.policy: '{config.policy.use}' gives keep rates that are not one number in [0, 1] per frequency")
    if config.weights:
        _refuse_large_weights(config, rates, spectrum)

    draw = _uniform("sample_id", seeds.derive(work.seed, "select", work.date))
    kept = _with_rates(train, counts, spectrum, rates).where(draw < F.col("keep_rate"))
    weight = 1 / F.col("keep_rate") if config.weights else F.lit(1.0)
    columns = [*train.columns, "weight", "keep_rate"]
    written = tables.write(kept.withColumn("weight", weight), work.folder, {"train": columns})

    table = written.tables["train"]
    kept_F = _kept_by_frequency(tables.read_written(spark, work.folder, table), counts, spectrum)
    weight_F = 1 / rates[kept_F > 0] if config.weights else np.ones((kept_F > 0).sum())
    selection = {
        "policy": config.policy.model_dump(mode="json"),
        "budget": round(budget, 3),
        "rows_in": rows,
        "rows_kept": table.rows,
        "expected": round(float((rates * spectrum.rows).sum()), 3),
        "ess": round(effective_sample_size(weight_F, kept_F[kept_F > 0]), 3),
        "level": int(spectrum.frequency[rates >= 1].max(initial=0)),  # keys seen at most this often are kept whole
    }
    by_frequency = [
        [int(f), int(n), int(k), round(float(r), 9)] for f, n, k, r in zip(spectrum.frequency, spectrum.rows, kept_F, rates, strict=True)
    ]
    file = write_json(work.folder, "selection.json", selection | {"by_frequency": by_frequency})
    ledger = Ledger(rows, table.rows, dropped={f"not selected by {config.policy.use}": rows - table.rows})
    return Outcome(ledger, written.tables, [file], selection)


def _refuse_large_weights(config: Config, rates: np.ndarray, spectrum: Spectrum) -> None:
    """With a few huge weights the loss of an epoch hangs on a few rows: most of the budget would be spent for nothing."""
    kept = rates * spectrum.rows
    drawn = rates > 0
    if not drawn.any():
        return
    share = effective_sample_size(1 / rates[drawn], kept[drawn]) / kept.sum()
    if share < LEAST_ESS:
        raise ConfigError(
            f"select: the weights of '{config.policy.use}' at this budget leave an effective sample size of {share:.2f} of the rows kept, "
            f"below {LEAST_ESS}; say weights: false, take the policy mixed, or a larger budget"
        )


def _spectrum(counts: DataFrame) -> Spectrum:
    pairs = sorted((row["count"], row["keys"]) for row in counts.groupBy("count").agg(F.count(F.lit(1)).alias("keys")).collect())
    return Spectrum(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T)


def _uniform(column: str, seed: int) -> Column:
    """A draw in [0, 1) per row: the upper 53 bits of xxhash64(id, seed), so that repeats agree and budgets nest."""
    return F.shiftrightunsigned(F.xxhash64(F.col(column), F.lit(seed)), 11).cast("double") * F.lit(2.0**-53)


def _with_rates(train: DataFrame, counts: DataFrame, spectrum: Spectrum, rates: np.ndarray) -> DataFrame:
    base = float(rates[0])
    above = [(int(f), float(rate)) for f, rate in zip(spectrum.frequency, rates, strict=True) if rate != base]
    if not above:
        return train.withColumn("keep_rate", F.lit(base))
    rate_of = counts.sparkSession.createDataFrame(above, "count long, keep_rate double")
    head = F.broadcast(counts.join(F.broadcast(rate_of), "count").select("key", "keep_rate"))
    return train.join(head, "key", "left").withColumn("keep_rate", F.coalesce("keep_rate", F.lit(base))).select(*train.columns, "keep_rate")


def _kept_by_frequency(kept: DataFrame, counts: DataFrame, spectrum: Spectrum) -> np.ndarray:
    per_key = kept.groupBy("key").agg(F.count(F.lit(1)).alias("kept")).join(counts, "key")
    found = {row["count"]: row["kept"] for row in per_key.groupBy("count").agg(F.sum("kept").alias("kept")).collect()}
    return np.array([found.get(int(f), 0) for f in spectrum.frequency], dtype=np.int64)
