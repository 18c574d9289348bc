"""The quality stage: one pass over the raw day measures every check and splits clean rows from quarantined
ones.

A quarantined row is kept as it was found, with its file, line, first reason and all reasons. The night goes
on unless a check of severity `fail` says that the data are not fit to train on (exit code 3).
"""

import shutil
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, SerializeAsAny, ValidationError, field_validator, model_serializer
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.components import Named
from lsml_spark.core.config import Strict, did_you_mean
from lsml_spark.core.errors import ConfigError, LsmlError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Table, write_json
from lsml_spark.core.missing import Policies
from lsml_spark.core.raw import Format
from lsml_spark.core.tables import table_of
from lsml_spark.core.variables import mask
from lsml_spark.core.work import Outcome, Work, raw_name
from lsml_spark.quality import findings
from lsml_spark.quality.check import PACKAGE, Check, RowCheck, TableCheck, parse
from lsml_spark.quality.checks.complete import Complete
from lsml_spark.quality.day import Day
from lsml_spark.quality.history import METRICS, PROFILE, metrics_table, past_days
from lsml_spark.quality.raw.header import drift_of
from lsml_spark.quality.raw.records import (
    CORRUPT,
    Header,
    first_unreadable,
    malformed,
    read_days,
    read_header,
    without_header,
)
from lsml_spark.quality.split import Split, split, typed_rows
from lsml_spark.spark import tables
from lsml_spark.spark.attempt import compiled_apart
from lsml_spark.spark.mistakes import file_mistake, sql_mistake
from lsml_spark.spark.session import session
from lsml_spark.spark.tables import quoted

Rows = Annotated[
    SerializeAsAny[RowCheck], BeforeValidator(lambda item: parse(item, RowCheck)), Named(RowCheck, PACKAGE)
]
Tables = Annotated[
    SerializeAsAny[TableCheck],
    BeforeValidator(lambda item: parse(item, TableCheck)),
    Named(TableCheck, PACKAGE),
]


BESIDE = ("_file", "_line", "_corrupt")  # columns of every record that no contract names


class Field(Strict):
    """A column of the contract: its Spark SQL type, whether the night can go on without it, and what the
    files call it where that is another name: they may have a `date`, which is a name that the stage itself
    gives."""

    type: str  # a type of Spark SQL
    required: bool = True  # whether a file without it stops the night
    source: str | None = None  # its name in the files

    @model_serializer(mode="wrap")
    def _without_default(self, plain: Any) -> dict[str, Any]:
        values: dict[str, Any] = plain(self)
        return {key: value for key, value in values.items() if key != "source" or value is not None}


class Config(Strict):
    """`contract`: the columns that the raw files promise. `header`: false where CSV files begin with their
    first record and have the contract's columns in its order. `columns`, `rows`, `table`: checks, see
    quality/check.py.

    `missing`: what to do where a value is missing, by column (core/missing.py). `on_gate`: whether a night
    whose day fails a check of severity `fail` stops, or trains on the last good day in its place. `raw`: how
    the files are written; it stands in the pipeline's own `raw:` (core/raw.py), and is left out of the
    resolved config where nothing is said there.
    """

    contract: dict[
        str,
        Annotated[Field, BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value)],
    ]
    header: bool = True
    columns: dict[str, list[Annotated[SerializeAsAny[RowCheck], Named(RowCheck, PACKAGE)]]] = {}
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
        for name, checks in columns.items():
            if checks is not None and not isinstance(checks, list):
                raise ValueError(
                    f"{name}: expected a list of checks, such as [{{complete: 1.0}}], found {checks!r}"[:200]
                )
        return {
            name: [_of_column(name, number, item) for number, item in enumerate(checks or [])]
            for name, checks in columns.items()
        }

    def model_post_init(self, _: object) -> None:
        for name in self.contract:
            if name.startswith("_"):
                raise ConfigError(
                    f"quality.contract.{name}: columns that begin with _ are the stage's own; call it "
                    f"otherwise here, with `source: {name}`"
                )
        if len(self.sources) < len(self.contract):
            twice = next(
                name
                for name, of in self.contract.items()
                if self.sources[name if of.source is None else of.source] != name
            )
            raise ConfigError(
                f"quality.contract.{twice}: another column of the contract is read from the same column of "
                "the files"
            )
        spelt: dict[str, str] = {}
        for name in self.contract:
            if (other := spelt.setdefault(name.lower(), name)) != name:
                raise ConfigError(
                    f"quality.contract.{name}: differs from {other} in case alone, and to SQL they are one; "
                    "keep one of them, or call one "
                    f"otherwise, with `source: {name}`"
                )
        for section, names in (("columns", self.columns), ("missing", self.missing)):
            for name in names:
                if name not in self.contract:
                    raise ConfigError(
                        f"quality.{section}.{name}: not in "
                        f"quality.contract{did_you_mean(name, list(self.contract))}"
                    )
        known = list(self.contract)
        for name, policy in self.missing.items():
            if unknown := [by for by in policy.by if by not in self.contract]:
                raise ConfigError(
                    f"quality.missing.{name}.by: '{unknown[0]}' is not in "
                    f"quality.contract{did_you_mean(unknown[0], known)}"
                )
        placed: list[tuple[str, Check]] = [
            *(
                (f"columns.{name}.{number}", check)
                for name, checks in self.columns.items()
                for number, check in enumerate(checks)
            ),
            *((f"rows.{number}", check) for number, check in enumerate(self.rows)),
            *((f"table.{number}", check) for number, check in enumerate(self.table)),
        ]
        for place, check in placed:
            _refuse_other_columns(check, f"quality.{place}.{check.check}", known)

    @model_serializer(mode="wrap")
    def _without_defaults(self, plain: Any) -> dict[str, Any]:
        values: dict[str, Any] = plain(self)
        changed = self.raw.changed()
        return {
            key: changed if key == "raw" else value
            for key, value in values.items()
            if key != "raw" or changed
        }

    @property
    def format(self) -> Format:
        """How raw files are read; `header: false` may stand in either section."""
        return self.raw.model_copy(update={"header": self.raw.header and self.header})

    @property
    def sources(self) -> dict[str, str]:
        """Names of the contract by what the files call the columns."""
        return {name if field.source is None else field.source: name for name, field in self.contract.items()}

    def row_checks(self) -> list[RowCheck]:
        """The checks in the order of the YAML; last those that `missing: quarantine` means."""
        aside = [name for name, policy in self.missing.items() if policy.policy == "quarantine"]
        declared = [check for checks in self.columns.values() for check in checks] + self.rows
        return declared + [Complete(column=name, on_bad="quarantine") for name in aside]

    def needed(self) -> list[str]:
        """Columns without which a row is dropped."""
        return [name for name, policy in self.missing.items() if policy.policy == "drop"]


def _of_column(name: str, number: int, item: Any) -> RowCheck:
    try:
        return parse(item, RowCheck, column=name)
    except ValidationError as error:  # whose own place begins within the check
        problem = error.errors()[0]
        place = ".".join(str(part) for part in (name, number, *problem["loc"]))
        given = (
            ""
            if problem["type"] in ("value_error", "missing")
            else f", found {mask(repr(problem['input']))}"[:120]
        )
        raise ValueError(f"{place}: {problem['msg'].removeprefix('Value error, ')}{given}") from error
    except ValueError as error:
        raise ValueError(f"{name}.{number}: {error}") from error


def _refuse_other_columns(check: Check, place: str, known: list[str]) -> None:
    """A check that names no column, or one that the contract does not have, is a mistake of the YAML, not of
    any day.
    """
    if check.of_a_column and not check.column:
        raise ConfigError(f"{place}: say which column: `column: …`{did_you_mean('', known)}")
    there = {*known, *BESIDE, *(f"_raw_{name}" for name in known)}
    # Spark finds them in either case
    there |= {name.lower() for name in there} if isinstance(check, RowCheck) else set()
    for field, column in check.names():
        if column not in there and not (isinstance(check, RowCheck) and column.lower() in there):
            raise ConfigError(
                f"{place}.{field}: '{column}' is not in quality.contract{did_you_mean(column, known)}"
            )


def run(work: Work, config: Config, spark: SparkSession | None = None) -> Outcome:
    """Read `work.raw`, write tables `clean` and `quarantine`, and say whether the night may go on."""
    drift: list[str] = []
    try:
        form, names = config.format, list(config.sources)
        headers = [
            read_header(path, form, names) if form.header else without_header(path, names, form)
            for path in work.raw
        ]
        headers = [header.below(work.raw_root) for header in headers]
        drift += drift_of(headers, _types(config))
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
        if unread := file_mistake(error):
            return _unreadable(work, drift, f"{', '.join(map(str, work.raw))}: cannot be read: {unread}")
        if mistake := sql_mistake(error):
            raise ConfigError(f"quality: a check fails on the rows of {work.date}: {mistake}") from error
        raise


def _types(config: Config) -> dict[str, str]:
    """By what the files call the columns."""
    return {
        name if field.source is None else field.source: field.type for name, field in config.contract.items()
    }


def _unreadable(work: Work, drift: list[str], reason: str) -> Outcome:
    """Nothing could be counted: no rows, no tables, but a finding for the report and the reason the night
    stops.
    """
    for table in work.folder.iterdir():
        shutil.rmtree(table)
    metrics = {
        "verdict": "failed",
        "findings": [findings.unreadable(reason)],
        "schema_drift": drift,
        "columns": {},
        "failed": reason,
    }
    return Outcome(Ledger(), metrics=metrics, failed=reason)


def _refuse_vanished(headers: list[Header], config: Config) -> None:
    for header in headers:
        vanished = [
            name
            for name, of in config.sources.items()
            if config.contract[of].required and name not in header.columns and name not in header.folders
        ]
        if vanished:
            raise QualityGateError(
                f"{header.path}: required column {', '.join(map(repr, vanished))} vanished; "
                f"found: {', '.join(map(repr, header.columns))}; "
                f"{_otherwise_separated(header, config.format)}mend the file, or say `required: false` in "
                "quality.contract"
            )


def _otherwise_separated(header: Header, form: Format) -> str:
    """What to try where the whole first line was taken for one column."""
    (only, *others) = header.columns
    if others or not header.ordered:
        return ""
    often = max(",;\t|", key=only.count)
    if often == form.delimiter or often not in only:
        return ""
    return f"the file seems to be separated by {often!r}: say so in raw.delimiter, "


def _measure_and_split(
    work: Work, config: Config, spark: SparkSession, headers: list[Header], drift: list[str]
) -> Outcome:
    contract = {name: field.type for name, field in config.contract.items()}
    form = config.format
    records = read_days(spark, headers, config.sources, form)
    done = split(
        spark, work, contract, config.row_checks(), records, malformed(headers), form, needed=config.needed()
    )
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
        headers={header.name: _columns_of(header, config) for header in headers},
        typed=lambda: (
            typed_rows(records, contract, form)
            .where(F.col(CORRUPT).isNull())
            .select(*map(quoted, contract), "_file", "_line")
        ),
        clean_rows=lambda: tables.read_written(spark, work.folder, written["clean"]),
    )
    with compiled_apart(spark):  # the typed rows are computed anew for the checks that want them
        judged = [findings.of_table(check, day) for check in config.table]
    all_findings = findings.of_rules(done.rules, done.counts, done.rows) + judged
    return _outcome(work, done, files, written, findings.worst_first(all_findings), drift)


def _columns_of(header: Header, config: Config) -> list[str]:
    """The columns of a file by the contract's names."""
    return [config.sources.get(name, name) for name in header.with_folders(config.sources)]


def _table_metrics(done: Split) -> dict[str, float]:
    share = {"kept_share": done.clean / done.rows} if done.rows else {}
    return {
        "rows": done.rows,
        "clean": done.clean,
        "quarantined": sum(done.ledger.quarantined.values()),
        **share,
    }


def _outcome(
    work: Work,
    done: Split,
    files: list[File],
    written: dict[str, Table],
    all_findings: list[dict[str, Any]],
    drift: list[str],
) -> Outcome:
    failures = [
        finding["message"] for finding in all_findings if finding["severity"] == "fail" and not finding["ok"]
    ]
    if not done.rows:
        failures.insert(0, "the day has no rows, only a header")
    elif not done.clean:
        failures.insert(0, f"not one of its {done.rows} rows is clean")
    warned = bool(drift) or any(
        not finding["ok"] for finding in all_findings if finding["severity"] == "warn"
    )
    failed = f"{_named(work)}: {'; '.join(failures)}" if failures else None
    columns = {
        name: {
            "type": column["type"],
            "missing": column["metrics"]["missing"],
            "distinct": column["metrics"]["distinct"],
        }
        for name, column in done.profile["columns"].items()
    }
    verdict = "failed" if failures else "warn" if warned else "ok"
    metrics = {
        "verdict": verdict,
        "findings": all_findings,
        "schema_drift": drift,
        "columns": columns,
        "failed": failed,
    }
    return Outcome(done.ledger, written, files, metrics, failed=failed)


def _named(work: Work) -> str:
    """The files of the day; of a day in hundreds of parts the first."""
    names = [raw_name(path, work.raw_root) for path in work.raw]
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} and {len(names) - 1} more files"
