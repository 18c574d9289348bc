"""Rows that come back from quarantine: forgiven a rule, or repaired by hand, and held against all other rules
again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Work
from lsml_spark.quality.raw.records import CORRUPT, WHY, every_reason
from lsml_spark.quality.raw.typed import typed_text
from lsml_spark.quality.rules import RAISES
from lsml_spark.quality.run import Config
from lsml_spark.quality.split import PLACE, records_of, split
from lsml_spark.spark import tables
from lsml_spark.spark.ddl import ddl
from lsml_spark.spark.tables import quoted


def run(work: Work, config: Config, request: Mapping[str, Any], spark: SparkSession) -> Outcome:
    """Input `quality`: the folder with the quarantine. Writes `clean` (what comes back) and `quarantine`
    (what stays).

    `request`: `{"rules": [reason that is forgiven, …], "rows": {"file:line": {column: text of the repaired
    row}}}`.
    """
    contract = {name: field.type for name, field in config.contract.items()}
    rules, repaired = list(request["rules"]), request["rows"]
    place = F.concat_ws(":", *PLACE)
    quarantined = tables.read(spark, work.inputs["quality"], table="quarantine")
    released = quarantined.where(
        F.arrays_overlap("reasons", F.lit(rules).cast("array<string>")) | place.isin(list(repaired))
    )
    records = _mended(spark, records_of(released, contract), list(contract), repaired)
    forgiven = frozenset(rule.removesuffix(RAISES) for rule in rules)
    done = split(
        spark,
        work,
        contract,
        config.row_checks(),
        records,
        every_reason(),
        config.format,
        forgiven=forgiven,
        needed=config.needed(),
    )
    return Outcome(done.ledger, done.written.tables, [write_json(work.folder, "request.json", dict(request))])


Mended = Mapping[str, Mapping[str, str | None]]


def _mended(spark: SparkSession, records: DataFrame, contract: Sequence[str], repaired: Mended) -> DataFrame:
    """`records` with the text of repaired rows in place of what was found."""
    if not repaired:
        return records
    new = {name: f"__mended_{i}" for i, name in enumerate(contract)}
    rows = [(place, True, *[row.get(name) for name in contract]) for place, row in repaired.items()]
    mended = spark.createDataFrame(
        rows, f"__place string, __mended boolean, {', '.join(f'{name} string' for name in new.values())}"
    )
    both = records.withColumn("__place", F.concat_ws(":", *PLACE)).join(
        F.broadcast(mended), "__place", "left"
    )
    types = {field.name: field.dataType for field in records.schema}
    typed = {name: _said(new[name], types[name]) for name in contract}
    columns = [
        F.when(F.col("__mended"), typed[name]).otherwise(F.col(quoted(name))).alias(name) for name in contract
    ]
    lost = [
        F.when(
            F.col(new[name]).isNotNull() & typed[name].isNull(),
            F.concat(F.lit(f"{name}: "), F.col(new[name])),
        )
        for name in contract
    ]
    # what is no value of the file's own type
    wrong = F.when(F.col("__mended"), F.nullif(F.concat_ws(", ", *lost), F.lit("")))
    corrupt = F.when(F.col("__mended").isNull(), F.col(CORRUPT)).otherwise(wrong).alias(CORRUPT)
    return both.select(*columns, corrupt, F.when(F.col("__mended").isNull(), F.col(WHY)).alias(WHY), *PLACE)


def _said(name: str, type_: DataType) -> Column:
    """The text of a mended value under the type that the file has; NULL where it is none."""
    typed = typed_text(quoted(name), ddl(type_))
    return F.expr(typed) if isinstance(typed, str) else typed
