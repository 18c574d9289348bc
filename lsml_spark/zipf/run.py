"""The zipf stage: count the keys of the training window and describe their law."""

from dataclasses import asdict
from typing import Literal

from pydantic import Field
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.config import Strict
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.spark import tables
from lsml_spark.spark.session import session
from lsml_spark.zipf import count
from lsml_spark.zipf.describe import describe
from lsml_spark.zipf.shift import shift

NOT_COUNTED = "key not in the sample"


class Config(Strict):
    """`top`: how many of the most frequent keys the profile names.

    `exact`: count every key; `auto`: unless there are more than `max_keys`; `false`: never. Otherwise one key
    in `one_in` is counted, and about `head` of the most frequent. `select` needs the counts of every key.
    """

    top: int = Field(50, ge=0)
    exact: Literal[True, False, "auto"] = True
    max_keys: int = Field(50_000_000, ge=1)  # of `exact: auto`
    one_in: int = Field(100, ge=1)  # of how many keys one is counted
    head: int = Field(1000, ge=1, le=100_000)  # about how many of the most frequent are counted exactly


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Input `prepare`, and `previous` (the last night's zipf) to look back at, where there is one.

    Writes table `counts` (key, count) and `profile.json`; how the keys shifted since then is among the
    metrics alone, so that what later stages depend on does not hang on another night. Only the spectrum and a
    few named keys come to the driver. A NULL key, which `prepare` drops, would be counted as a key of its
    own, and never sampled.
    """
    spark = spark or session()
    samples = tables.read(spark, work.inputs["prepare"], table="train")
    rows = work.inputs["prepare"].manifest.tables["train"].rows
    head = None if _counts_all(config, samples, rows) else count.heaviest(samples, config.head)
    counts = count.every_key(samples) if head is None else count.sampled_keys(samples, head, config.one_in)
    written = tables.write(counts, work.folder, {"counts": ["key", "count"]})

    table = tables.read_written(spark, work.folder, written.tables["counts"])
    profile = _describe(table) if head is None else _describe_sample(table, head, config.one_in, rows)
    counted = profile["sampled"]["rows_counted"] if profile["sampled"] else profile["rows"]
    top = table.orderBy(F.desc("count"), "key").limit(config.top).collect()
    profile["top"] = [[row["key"], row["count"]] for row in top]
    file = write_json(work.folder, "profile.json", profile)
    metrics = {
        name: profile[name]
        for name in ("rows", "keys", "hapaxes", "hapax_share", "unseen_mass", "unseen_keys", "fit")
    }
    metrics["shift"] = _shift(spark, table, profile, work.inputs.get("previous"))
    # Every sample is counted under exactly one key: Σ count, recounted by `lsml verify`, is the rows out.
    ledger = Ledger(rows, counted, dropped={NOT_COUNTED: rows - counted} if profile["sampled"] else {})
    return Outcome(ledger, written.tables, [file], metrics)


def _counts_all(config: Config, samples: DataFrame, rows: int) -> bool:
    if config.exact == "auto":
        return rows <= config.max_keys or not count.many_keys(samples, config.max_keys)
    return config.exact


def _describe(table: DataFrame) -> dict:
    return describe(count.spectrum(table)) | {"sampled": None}


def _describe_sample(table: DataFrame, head: DataFrame, one_in: int, rows: int) -> dict:
    """The profile of all keys from those counted, and under `sampled` how far it may be off; `rows` are known
    exactly.
    """
    marked = count.with_head(table, head)
    head_F2, tail_F2 = (count.spectrum(marked.where(F.col("head") == part)) for part in (True, False))
    profile = describe(count.scaled(head_F2, tail_F2, one_in), one_in)
    sampled = {
        "one_in": one_in,
        "head": int(head_F2[:, 1].sum()),
        "keys_counted": int(head_F2[:, 1].sum() + tail_F2[:, 1].sum()),
        "rows_counted": int(head_F2.prod(axis=1).sum() + tail_F2.prod(axis=1).sum()),
        "rows_estimated": profile["rows"],
        "errors": asdict(count.errors(tail_F2, one_in, rows)),
    }
    mass = round(min(profile["hapaxes"] / rows, 1.0), 9) if rows else 1.0
    return profile | {"rows": rows, "unseen_mass": mass, "sampled": sampled}


def _shift(spark: SparkSession, table: DataFrame, profile: dict, previous: Source | None) -> dict | None:
    """Against the last night; None without one, or where keys of either were sampled: those not counted would
    seem new or gone.
    """
    if previous is None or profile["sampled"] or previous.json("profile.json").get("sampled"):
        return None
    before = tables.read(spark, previous, table="counts")
    change = shift(table, before, profile["rows"], previous.manifest.ledger.rows_out)
    return change and {"since": previous.manifest.date} | change
