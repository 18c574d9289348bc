"""The quality stage: one pass over the raw day measures every check and splits clean rows from quarantined ones.

A quarantined row is kept as it was found, with its file, line, first reason and all reasons. The night goes on unless a
check of severity `fail` says that the data are not fit to train on (exit code 3).
"""

import shutil
from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BeforeValidator, SerializeAsAny, field_validator
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.config import Strict
from lsml_spark.core.errors import ConfigError, LsmlError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome, Work
from lsml_spark.quality.check import RowCheck, TableCheck, parse
from lsml_spark.quality.day import Day
from lsml_spark.quality.raw import CORRUPT, Header, first_unreadable, read_days, read_header
from lsml_spark.spark import tables
from lsml_spark.spark.mistakes import sql_mistake
from lsml_spark.spark.session import session
from lsml_spark.spark.tables import quoted

Rows = Annotated[SerializeAsAny[RowCheck], BeforeValidator(lambda item: parse(item, RowCheck))]
Tables = Annotated[SerializeAsAny[TableCheck], BeforeValidator(lambda item: parse(item, TableCheck))]


ADDED = ("date", "reason", "reasons")


class Field(Strict):
    """A column of the contract: its Spark SQL type, and whether the night can go on without it."""

    type: str
    required: bool = True


class Config(Strict):
    """`contract`: the columns that the raw files promise. `columns`, `rows`, `table`: checks, see quality/check.py."""

    contract: dict[str, Annotated[Field, BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value)]]
    columns: dict[str, list[SerializeAsAny[RowCheck]]] = {}
    rows: list[Rows] = []
    table: list[Tables] = []

    @field_validator("columns", mode="before")
    @classmethod
    def _name_the_column(cls, columns: Any) -> Any:
        if not isinstance(columns, Mapping):
            raise ValueError("expected column names, each with a list of checks")
        return {name: [parse(item, RowCheck, column=name) for item in checks or []] for name, checks in columns.items()}

    def model_post_init(self, _: object) -> None:
        for name in self.contract:
            if name in ADDED or name.startswith("_"):
                raise ConfigError(f"quality.contract.{name}: the stage adds a column of that name; rename it in the raw files")
        for name in self.columns:
            if name not in self.contract:
                raise ConfigError(f"quality.columns.{name}: not in quality.contract ({', '.join(self.contract)})")

    def row_checks(self) -> list[RowCheck]:
        return [check for checks in self.columns.values() for check in checks] + self.rows


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Read `work.raw`, write tables `clean` and `quarantine`, and say whether the night may go on."""
    drift: list[str] = []
    try:
        headers = [read_header(path) for path in work.raw]
        drift += [sentence for header in headers for sentence in header.drift(list(config.contract))]
        _refuse_vanished(headers, config)
        return _measure_and_split(work, config, spark or session(), headers, drift)
    except QualityGateError as error:
        return _unreadable(work, drift, str(error))
    except LsmlError:
        raise
    except Exception as error:
        reason = first_unreadable(work.raw)
        if reason is not None:
            return _unreadable(work, drift, reason)
        if mistake := sql_mistake(error):
            raise ConfigError(f"quality: a check fails on the rows of {work.date}: {mistake}") from error
        raise


def _unreadable(work: Work, drift: list[str], reason: str) -> Outcome:
    """Nothing could be counted: no rows, no tables, but a finding for the report and the reason the night stops."""
    for table in work.folder.iterdir():
        shutil.rmtree(table)
    finding = {
        "check": "readable",
        "column": "",
        "severity": "fail",
        "rows": None,
        "share": None,
        "ok": False,
        "message": reason,
    }
    metrics = {"verdict": "failed", "findings": [finding], "schema_drift": drift, "columns": {}}
    return Outcome(Ledger(), metrics=metrics, failed=reason)


def _refuse_vanished(headers: list[Header], config: Config) -> None:
    for header in headers:
        vanished = [name for name, field in config.contract.items() if field.required and name not in header.columns]
        if vanished:
            raise QualityGateError(
                f"{header.path}: required column {', '.join(map(repr, vanished))} vanished; "
                f"found: {', '.join(map(repr, header.columns))}; "
                "mend the file, or say `required: false` in quality.contract"
            )


def _measure_and_split(work: Work, config: Config, spark: SparkSession, headers: list[Header], drift: list[str]) -> Outcome:
    contract = list(config.contract)
    typed = _typed(read_days(spark, headers, contract), config)
    checks = config.row_checks()
    flagged = _flagged(typed, checks)

    reasons = _reasons(config, checks)
    observed = Observation(f"quality of {work.date}")
    measured = (
        flagged.withColumn("reasons", F.array_compact(F.array(*reasons)) if reasons else F.array().cast("array<string>"))
        .withColumn("reason", F.get("reasons", F.lit(0)))
        .withColumn("date", F.lit(work.date.isoformat()).cast("date"))
        .observe(observed, F.count(F.lit(1)).alias("rows"), *_metrics(config, checks))
    )
    kept = F.col("reason").isNull()
    columns_in = {
        "clean": [*contract, "date", "_file", "_line"],
        "quarantine": [*[f"_raw_{c}" for c in contract], CORRUPT, *ROW_OF_QUARANTINE],
    }
    written = tables.write(measured, work.folder, columns_in, route=F.when(kept, "clean").otherwise("quarantine"), tally=F.col("reason"))

    clean = written.tables["clean"].rows
    counts = Day(work.date, clean + written.tables["quarantine"].rows, clean, {}, pa.table({}))
    seen = observed.get if counts.rows else {}
    findings = _findings(config, checks, seen, counts, written.tally)
    failures = [finding["message"] for finding in findings if finding["severity"] == "fail" and not finding["ok"]]
    if not counts.rows:
        failures.insert(0, "the day has no rows, only a header")
    warned = bool(drift) or any(not finding["ok"] for finding in findings if finding["severity"] == "warn")
    metrics = {
        "verdict": "failed" if failures else "warn" if warned else "ok",
        "findings": findings,
        "schema_drift": drift,
        "columns": {
            name: {"type": field.type, "missing": seen.get(f"missing_{i}", 0), "distinct": seen.get(f"distinct_{i}", 0)}
            for i, (name, field) in enumerate(config.contract.items())
        },
    }
    ledger = Ledger(rows_in=counts.rows, rows_out=counts.clean, quarantined=written.tally)
    file = write_json(work.folder, "findings.json", {"findings": findings, "schema_drift": drift})
    failed = f"{', '.join(path.name for path in work.raw)}: {'; '.join(failures)}" if failures else None
    return Outcome(ledger, written.tables, [file], metrics, failed=failed)


ROW_OF_QUARANTINE = ["date", "_file", "_line", "reason", "reasons"]


def _typed(records: DataFrame, config: Config) -> DataFrame:
    """Each column as its contract's type beside the text as found (`_raw_…`)."""
    try:
        typed = [
            F.col(quoted(name)) if field.type == "string" else F.trim(F.col(quoted(name))).try_cast(field.type).alias(name)
            for name, field in config.contract.items()
        ]
        return records.select(*typed, *[F.col(quoted(name)).alias(f"_raw_{name}") for name in config.contract], CORRUPT, "_file", "_line")
    except PySparkException as error:
        raise ConfigError(f"quality.contract: {_first_line(error)}") from error


def _flagged(typed: DataFrame, checks: list[RowCheck]) -> DataFrame:
    """A boolean `__v…` per check. The fields of a malformed line are in the wrong places, so checks do not look at them."""
    read = F.col(CORRUPT).isNull()
    try:
        return typed.select("*", *[F.coalesce(read & check.violated(), F.lit(False)).alias(f"__v{i}") for i, check in enumerate(checks)])
    except PySparkException as error:
        raise ConfigError(f"quality: a check does not compile: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _reasons(config: Config, checks: list[RowCheck]) -> list[Column]:
    """One nullable string per rule that can quarantine, in the order of the YAML; malformed lines come first."""
    malformed = F.col(CORRUPT).isNotNull()
    reasons = [F.when(malformed, "malformed line: wrong number of fields")]
    for name, field in config.contract.items():
        raw, value = F.col(quoted(f"_raw_{name}")), F.col(quoted(name))
        if field.type != "string":
            reasons.append(F.when(~malformed & (F.trim(raw) != "") & value.isNull(), f"{name}: not {field.type}"))
    for i, check in enumerate(checks):
        if check.on_bad == "quarantine":
            reasons.append(F.when(F.col(f"__v{i}"), check.label))
    return reasons


def _metrics(config: Config, checks: list[RowCheck]) -> list[Column]:
    counted = [F.count_if(F.col(f"__v{i}")).alias(f"violated_{i}") for i in range(len(checks))]
    for i, name in enumerate(config.contract):
        counted.append(F.count_if(F.col(quoted(name)).isNull()).alias(f"missing_{i}"))
        counted.append(F.approx_count_distinct(quoted(name)).alias(f"distinct_{i}"))
    return counted


def _findings(
    config: Config, checks: list[RowCheck], seen: Mapping[str, Any], counts: Day, quarantined: Mapping[str, int]
) -> list[dict[str, Any]]:
    """What every check found, the parse rules included, worst share first within each severity."""
    findings = []
    labels = {check.label for check in checks}
    for reason, rows in quarantined.items():
        if reason not in labels:  # malformed lines and values of the wrong type
            column = reason.partition(":")[0] if reason.partition(":")[0] in config.contract else ""
            findings.append(_finding(reason, column, "quarantine", rows, counts.rows, 0.0))
    for i, check in enumerate(checks):
        findings.append(_finding(check.label, check.column, check.on_bad, seen.get(f"violated_{i}", 0), counts.rows, check.at_most))
    for rule in config.table:
        problem = rule.judge(counts).problem
        message = problem or f"{rule.label}: no"
        findings.append(
            {
                "check": rule.label,
                "column": "",
                "severity": rule.on_bad,
                "rows": None,
                "share": None,
                "ok": problem is None,
                "message": message,
            }
        )
    return sorted(findings, key=lambda finding: (finding["ok"], -(finding["share"] or 0.0), finding["check"]))


def _finding(label: str, column: str, severity: str, rows: int, total: int, at_most: float) -> dict[str, Any]:
    share = rows / total if total else 0.0
    allowed = f", at most {at_most:.1%} allowed" if at_most else ""
    return {
        "check": label,
        "column": column,
        "severity": severity,
        "rows": rows,
        "share": round(share, 6),
        "ok": bool(total) and share <= at_most,
        "message": f"{label}: {rows} of {total} rows ({share:.2%}){allowed}",
    }
