"""The prepare stage: the pipeline's own SQL turns clean rows into samples (id, key, label, features).

The SQL runs twice: over the clean days before the logical date (`train`) and over the logical date alone
(`test`), so no SQL whatsoever can leak the day that judges the model into its training. Where the quality
gate held the day itself back, the last good day takes its place. Missing values are filled in before the SQL
sees them, as `quality.missing` says.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, FractionalType

from lsml_spark.core.config import Strict, did_you_mean
from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.missing import Missing
from lsml_spark.core.variables import masked
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.prepare.impute import Imputer, filled_schema
from lsml_spark.spark import tables
from lsml_spark.spark.mistakes import command_of, sql_mistake
from lsml_spark.spark.session import session
from lsml_spark.spark.tables import quoted

IDENTITY = ["sample_id", "key", "label"]
ADDED_LATER = ["weight", "keep_rate"]
NO_LABEL, UNLABELLED = "label is null", "unlabelled"
FILTERED, MULTIPLIED = "filtered or merged by prepare.sql", "made by prepare.sql"


class Config(Strict):
    """`sql` reads the view `clean` and gives `sample_id`, `key`, `label`, `date`, the features, and
    optionally `drop_reason`: a row where that is not NULL is left out and counted under it. `unlabelled`:
    keep the rows whose label alone is NULL in a table of that name, for `lsml label`."""

    sql: str  # a query of the view `clean`
    unlabelled: bool = False


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Inputs `quality/<date>` and `released/<date>`: the clean rows of the window and the logical date.
    Writes tables `train` and `test`, and `unlabelled` where the config wants it."""
    spark = spark or session()
    window = sorted(work.inputs.values(), key=lambda source: (source.manifest.date, source.manifest.stage))
    today = max((source.manifest.date for source in window), default="")
    before = [source for source in window if source.manifest.date < today]
    if not before:
        day = work.date.isoformat()
        raise QualityGateError(
            f"no clean day in the window before {today or day}: nothing to train on; widen `window`, or "
            "bring earlier days"
        )
    days = {"train": before, "test": [source for source in window if source.manifest.date == today]}
    # whose contract holds tonight
    like = next(source for source in reversed(window) if source.manifest.stage == "quality")
    imputer = _imputer(spark, days, like)
    clean = {
        name: imputer.fill(tables.read(spark, *sources, table="clean", like=like))
        for name, sources in days.items()
    }
    splits = {name: samples(spark, config.sql, rows) for name, rows in clean.items()}
    columns = [name for name in splits["train"].columns if name != "drop_reason"]

    routed = [frame.withColumn("__split", F.lit(name)) for name, frame in splits.items()]
    both = routed[0].unionByName(routed[1])
    reason = F.col("drop_reason")
    columns_by_table = {"train": columns, "test": columns}
    if config.unlabelled:
        columns_by_table |= {UNLABELLED: columns}
        routes = F.when(reason == NO_LABEL, UNLABELLED).when(reason.isNull(), F.col("__split"))
        reason = F.when(reason != NO_LABEL, reason)
    else:
        routes = F.when(reason.isNull(), F.col("__split"))
    try:
        written = tables.write(
            both, work.folder, columns_by_table, route=routes.otherwise("dropped"), tally=reason
        )
    except Exception as error:
        if mistake := sql_mistake(error):
            raise ConfigError(
                f"prepare.sql: fails on the rows of {before[0].manifest.date} to {today}: {mistake}"
            ) from error
        raise
    plain = {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in imputer.values.items()
    }
    files = [write_json(work.folder, "imputed.json", masked(plain))] if plain else []
    _refuse_doubled_ids([tables.read_written(spark, work.folder, table) for table in written.tables.values()])

    rows_in = sum(source.manifest.ledger.rows_out for source in window)
    rows_out = sum(table.rows for table in written.tables.values())
    unexplained = rows_in - rows_out - sum(written.tally.values())
    dropped = dict(written.tally) | ({FILTERED: unexplained} if unexplained > 0 else {})
    added = {MULTIPLIED: -unexplained} if unexplained < 0 else {}
    dates = {name: sorted({source.manifest.date for source in sources}) for name, sources in days.items()}
    return Outcome(
        Ledger(rows_in, rows_out, dropped=dropped, added=added),
        written.tables,
        files,
        metrics={"days": dates, "features": columns[4:]}
        | ({"other_rules": other} if (other := _under_other_rules(window, like)) else {}),
        failed=_without_samples(written, days),
    )


def _under_other_rules(window: Sequence[Source], like: Source) -> list[str]:
    """The days that were checked under another contract or other checks than the last one."""
    return [
        source.manifest.date
        for source in window
        if source.manifest.stage == "quality" and source.manifest.config_hash != like.manifest.config_hash
    ]


def _imputer(spark: SparkSession, days: Mapping[str, Sequence[Source]], like: Source) -> Imputer:
    """Fill-in values learnt from the training days, under the policies of the day that judges."""
    declared: Mapping[str, Any] = days["test"][0].manifest.settings.get("missing") or {}
    policies = {name: Missing.model_validate(policy) for name, policy in declared.items()}
    try:
        return Imputer(tables.read(spark, *days["train"], table="clean", like=like), policies)
    except PySparkException as error:
        if not sql_mistake(error):
            raise
        raise ConfigError(f"quality.missing: cannot impute: {str(error).strip().splitlines()[0]}") from error


def samples(spark: SparkSession, sql: str, clean: DataFrame) -> DataFrame:
    """The SQL over clean rows, with a `drop_reason` for rows that cannot be samples."""
    try:
        clean.createOrReplaceTempView("clean")
        if command := command_of(spark, sql):
            raise ConfigError(
                f"prepare.sql: is a command ({command}) and no query; a pipeline's SQL only reads the view "
                "`clean`"
            )
        samples = spark.sql(sql)
        missing = [name for name in [*IDENTITY, "date"] if name not in samples.columns]
        if missing:
            raise ConfigError(
                f"prepare.sql: gives no column '{missing[0]}'{did_you_mean(missing[0], samples.columns)}"
            )
        doubled = [name for i, name in enumerate(samples.columns) if name in samples.columns[:i]]
        if doubled:
            raise ConfigError(f"prepare.sql: gives two columns '{doubled[0]}'")
        taken = [name for name in samples.columns if name in ADDED_LATER]
        if taken:
            raise ConfigError(
                f"prepare.sql: gives a column '{taken[0]}', which is the name of one that `select` adds; "
                "rename it"
            )
        reason = (
            F.col("drop_reason").cast("string")
            if "drop_reason" in samples.columns
            else F.lit(None).cast("string")
        )
        # The label last: a row that lacks nothing else can still be labelled.
        without = [
            F.when(F.col(name).isNull(), f"{name} is null") for name in ["sample_id", "key", "date", "label"]
        ]
        features = [
            quoted(name) for name in samples.columns if name not in (*IDENTITY, "date", "drop_reason")
        ]
        return samples.select(
            *[_text(name, samples.schema[name].dataType) for name in IDENTITY],
            "date",
            *features,
            F.coalesce(reason, *without).alias("drop_reason"),
        )
    except PySparkException as error:
        raise ConfigError(f"prepare.sql: {str(error).strip().splitlines()[0]}") from error


def check(config: Config, missing: Mapping[str, Missing], clean: DataFrame) -> DataFrame:
    """The samples' columns, from a `clean` table without rows under the policies of `quality.missing`;
    ConfigError as `run`'s.
    """
    try:
        rows = filled_schema(clean, missing)
    except PySparkException as error:
        raise ConfigError(f"quality.missing: cannot impute: {str(error).strip().splitlines()[0]}") from error
    return samples(clean.sparkSession, config.sql, rows).drop("drop_reason")


def _without_samples(written: tables.Written, days: Mapping[str, Sequence[Source]]) -> str | None:
    """Why a night that cannot be trained or judged ends here, with the reasons, and not after all that
    follows.
    """
    for name, what in (("train", "to train on"), ("test", "to judge a model on")):
        if not written.tables[name].rows:
            rows, dates = (
                sum(source.manifest.ledger.rows_out for source in days[name]),
                [source.manifest.date for source in days[name]],
            )
            when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
            left_out = ", ".join(f"{count:,} {reason}" for reason, count in written.tally.items()) or FILTERED
            return (
                f"prepare.sql: no sample {what} is left of the {rows:,} clean rows of {when}; left out "
                f"in all: {left_out}"
            )
    return None


def _text(name: str, type_: DataType) -> Column:
    """An id, key or label as text: a whole number by its digits, where Spark writes 12345678 as 1.2345678E7
    if it is a double.
    """
    value, text = F.col(name), F.col(name).cast("string")
    if not isinstance(type_, FractionalType) or isinstance(type_, DecimalType):
        return text
    digits = value.try_cast("decimal(20,0)")
    return F.when(value == digits.cast("double"), digits.cast("string")).otherwise(text).alias(name)


def _refuse_doubled_ids(splits: list[DataFrame]) -> None:
    """All later randomness hangs on the sample id, so two samples must not share one."""
    ids = reduce(DataFrame.unionByName, [split.select("sample_id") for split in splits])
    doubled = ids.groupBy("sample_id").count().where("count > 1").orderBy("sample_id").head(1)
    if doubled:
        raise ConfigError(
            f"prepare.sql: sample_id {doubled[0].sample_id!r} is given to {doubled[0]['count']} samples; ids "
            "must be unique"
        )
