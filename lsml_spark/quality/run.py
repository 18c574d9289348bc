"""The quality stage: one pass over the raw day measures every check and splits clean rows from quarantined ones.

A quarantined row is kept as it was found, with its file, line, first reason and all reasons. The night goes on unless a
check of severity `fail` says that the data are not fit to train on (exit code 3).
"""

import shutil
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, SerializeAsAny, field_validator, model_serializer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.config import Strict
from lsml_spark.core.errors import ConfigError, LsmlError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Table, write_json
from lsml_spark.core.missing import Policies
from lsml_spark.core.raw import Format
from lsml_spark.core.tables import table_of
from lsml_spark.core.work import Outcome, Work
from lsml_spark.quality import findings
from lsml_spark.quality.check import RowCheck, TableCheck, parse
from lsml_spark.quality.complete import Complete
from lsml_spark.quality.day import Day
from lsml_spark.quality.history import METRICS, PROFILE, metrics_table, past_days
from lsml_spark.quality.raw import CORRUPT, Header, first_unreadable, malformed, read_days, read_header, without_header
from lsml_spark.quality.split import Split, split, typed_rows
from lsml_spark.spark import tables
from lsml_spark.spark.attempt import compiled_apart
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
    """`contract`: the columns that the raw files promise. `header`: false where CSV files begin with their first record and
    have the contract's columns in its order. `columns`, `rows`, `table`: checks, see quality/check.py.

    `missing`: what to do where a value is missing, by column (core/missing.py). `on_gate`: whether a night whose day fails a
    check of severity `fail` stops, or trains on the last good day in its place. `raw`: how the files are written; it stands in
    the pipeline's own `raw:` (core/raw.py), and is left out of the resolved config where nothing is said there.
    """

    contract: dict[str, Annotated[Field, BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value)]]
    header: bool = True
    columns: dict[str, list[SerializeAsAny[RowCheck]]] = {}
    rows: list[Rows] = []
    table: list[Tables] = []
    missing: Policies = {}
    on_gate: Literal["stop", "train_on_last_good"] = "stop"
    raw: Format = Format()

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
        for section, names in (("columns", self.columns), ("missing", self.missing)):
            for name in names:
                if name not in self.contract:
                    raise ConfigError(f"quality.{section}.{name}: not in quality.contract ({', '.join(self.contract)})")

    @model_serializer(mode="wrap")
    def _without_defaults(self, plain: Any) -> dict[str, Any]:
        said: dict[str, Any] = plain(self)
        changed = self.raw.changed()
        return {key: changed if key == "raw" else value for key, value in said.items() if key != "raw" or changed}

    @property
    def format(self) -> Format:
        """How raw files are read; `header: false` may stand in either section."""
        return self.raw.model_copy(update={"header": self.raw.header and self.header})

    def row_checks(self) -> list[RowCheck]:
        """The checks in the order of the YAML; last those that `missing: quarantine` means."""
        aside = [name for name, policy in self.missing.items() if policy.policy == "quarantine"]
        declared = [check for checks in self.columns.values() for check in checks] + self.rows
        return declared + [Complete(column=name, on_bad="quarantine") for name in aside]

    def needed(self) -> list[str]:
        """Columns without which a row is dropped."""
        return [name for name, policy in self.missing.items() if policy.policy == "drop"]


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Read `work.raw`, write tables `clean` and `quarantine`, and say whether the night may go on."""
    drift: list[str] = []
    try:
        form, names = config.format, list(config.contract)
        headers = [read_header(path, form, names) if form.header else without_header(path, names, form) for path in work.raw]
        drift += [sentence for header in headers for sentence in header.drift(_types(config))]
        _refuse_vanished(headers, config)
        return _measure_and_split(work, config, spark or session(), headers, drift)
    except QualityGateError as error:
        return _unreadable(work, drift, str(error))
    except LsmlError:
        raise
    except Exception as error:
        reason = first_unreadable(work.raw, config.format)
        if reason is not None:
            return _unreadable(work, drift, reason)
        if mistake := sql_mistake(error):
            raise ConfigError(f"quality: a check fails on the rows of {work.date}: {mistake}") from error
        raise


def _types(config: Config) -> dict[str, str]:
    return {name: field.type for name, field in config.contract.items()}


def _unreadable(work: Work, drift: list[str], reason: str) -> Outcome:
    """Nothing could be counted: no rows, no tables, but a finding for the report and the reason the night stops."""
    for table in work.folder.iterdir():
        shutil.rmtree(table)
    metrics = {"verdict": "failed", "findings": [findings.unreadable(reason)], "schema_drift": drift, "columns": {}, "failed": reason}
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
    contract = {name: field.type for name, field in config.contract.items()}
    form = config.format
    records = read_days(spark, headers, list(contract), form)
    done = split(spark, work, contract, config.row_checks(), records, malformed(headers), form, needed=config.needed())
    profile = done.profile | {"metrics": _table_metrics(done)}
    files = [write_json(work.folder, PROFILE, profile)]
    written = {**done.written.tables, METRICS: table_of(work.folder, METRICS, metrics_table(profile))}
    day = Day(
        date=work.date,
        rows=done.rows,
        clean=done.clean,
        profile=profile,
        sample=done.sample,
        history=past_days(spark, work.inputs) if config.table else (),
        headers={header.path.name: header.columns for header in headers},
        typed=lambda: typed_rows(records, contract, form).where(F.col(CORRUPT).isNull()).select(*map(quoted, contract), "_file", "_line"),
        clean_rows=lambda: tables.read_written(spark, work.folder, written["clean"]),
    )
    with compiled_apart(spark):  # the typed rows are computed anew for the checks that want them
        judged = [findings.of_table(check, day) for check in config.table]
    found = findings.of_rules(done.rules, done.counts, done.rows) + judged
    return _outcome(work, done, files, written, findings.worst_first(found), drift)


def _table_metrics(done: Split) -> dict[str, float]:
    share = {"kept_share": done.clean / done.rows} if done.rows else {}
    return {"rows": done.rows, "clean": done.clean, "quarantined": sum(done.ledger.quarantined.values()), **share}


def _outcome(
    work: Work, done: Split, files: list[File], written: dict[str, Table], found: list[dict[str, Any]], drift: list[str]
) -> Outcome:
    failures = [finding["message"] for finding in found if finding["severity"] == "fail" and not finding["ok"]]
    if not done.rows:
        failures.insert(0, "the day has no rows, only a header")
    warned = bool(drift) or any(not finding["ok"] for finding in found if finding["severity"] == "warn")
    failed = f"{', '.join(path.name for path in work.raw)}: {'; '.join(failures)}" if failures else None
    columns = {
        name: {"type": column["type"], "missing": column["metrics"]["missing"], "distinct": column["metrics"]["distinct"]}
        for name, column in done.profile["columns"].items()
    }
    verdict = "failed" if failures else "warn" if warned else "ok"
    metrics = {"verdict": verdict, "findings": found, "schema_drift": drift, "columns": columns, "failed": failed}
    return Outcome(done.ledger, written, files, metrics, failed=failed)
