"""The zipf stage: count the keys of the training window and describe their law."""

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.config import Strict
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Work
from lsml_spark.spark import tables
from lsml_spark.spark.session import session
from lsml_spark.zipf import fit


class Config(Strict):
    """`top`: how many of the most frequent keys the profile names."""

    top: int = 50


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Input `prepare`. Writes table `counts` (key, count) and `profile.json`; only the spectrum comes to the driver."""
    spark = spark or session()
    samples = tables.read(spark, work.inputs["prepare"], table="train")
    counts = samples.groupBy("key").agg(F.count(F.lit(1)).alias("count"))
    written = tables.write(counts, work.folder, {"counts": ["key", "count"]})

    table = tables.read_written(spark, work.folder, written.tables["counts"])
    spectrum = sorted((row["count"], row["keys"]) for row in table.groupBy("count").agg(F.count(F.lit(1)).alias("keys")).collect())
    top = table.orderBy(F.desc("count"), "key").limit(config.top).collect()
    profile = describe(np.array(spectrum, dtype=np.int64).reshape(-1, 2)) | {"top": [[row["key"], row["count"]] for row in top]}
    file = write_json(work.folder, "profile.json", profile)
    metrics = {name: profile[name] for name in ("rows", "keys", "hapaxes", "unseen_mass", "unseen_keys", "fit")}
    # Every sample is counted under exactly one key: Σ count, recounted by `lsml verify`, is the rows out.
    return Outcome(Ledger(work.inputs["prepare"].manifest.tables["train"].rows, profile["rows"]), written.tables, [file], metrics)


def describe(spectrum_F2: np.ndarray) -> dict:
    """profile.json, less the named keys, from rows of (frequency, keys); shape (F, 2), ascending."""
    frequency, keys = spectrum_F2[:, 0], spectrum_F2[:, 1]
    law = fit.power_law(frequency, keys)
    return {
        "rows": int((frequency * keys).sum()),
        "keys": int(keys.sum()),
        "hapaxes": fit.hapaxes(frequency, keys),
        "unseen_mass": round(fit.unseen_mass(frequency, keys), 9),
        "unseen_keys": round(fit.unseen_keys(frequency, keys), 3),
        "fit": vars(law) if law else None,
        "spectrum": spectrum_F2.tolist(),
        "coverage": fit.coverage(frequency, keys) if len(frequency) else [],
    }
