"""Propose how raw days are read, a contract and a list of checks, from days that are believed to be clean:
YAML to begin with.

How the files are written is tried out (quality/raw/sniff.py), types and words for "missing" are inferred from
a sample (quality/raw/habits.py, quality/raw/infer.py), checks from a profile (quality/proposals.py). Then all
of it is held against the days themselves: a column that the reader cannot type is text, a check that does not
hold tolerates twice what it found and is dropped where that is much, and the YAML is read back as the stage
will read it.
"""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, LsmlError, QualityGateError
from lsml_spark.core.raw import Format
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.figures.profile import profile_of
from lsml_spark.quality.proposals import Proposal, Seen, of_columns, of_rows, of_table
from lsml_spark.quality.raw.habits import Habits, habits_of, plain_number
from lsml_spark.quality.raw.header import Header
from lsml_spark.quality.raw.infer import ENOUGH, type_of
from lsml_spark.quality.raw.records import (
    CORRUPT,
    WHY,
    first_unreadable,
    is_text,
    read_days,
    read_header,
    without_header,
)
from lsml_spark.quality.raw.sniff import Sniffed, sniff
from lsml_spark.quality.raw.time_forms import form_of
from lsml_spark.quality.raw.typed import not_of_type
from lsml_spark.quality.run import Config
from lsml_spark.quality.split import typed_rows
from lsml_spark.quality.suggested_yaml import lines_of
from lsml_spark.spark.counting import rows_where
from lsml_spark.spark.ddl import ddl
from lsml_spark.spark.mistakes import file_mistake
from lsml_spark.spark.paths import hidden
from lsml_spark.spark.tables import quoted

TEXT = (".csv", ".tsv", ".tab", ".psv", ".txt", ".data", ".dat", ".json", ".jsonl", ".ndjson")
SUFFIXES = (*TEXT, *(f"{ending}{packed}" for ending in TEXT for packed in (".gz", ".bz2", ".xz")), ".parquet")
ADDED = ("date", "reason", "reasons")  # what a night itself calls so; a contract may, but this is clearer
DROPPED = 0.05  # a check that more of the rows break is not what the data are like
DATE = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")


@dataclass(frozen=True)
class Days:
    """The days that are shown: where they lie, how their text is written."""

    files: Sequence[Path]
    sniffed: Sniffed

    @property
    def form(self) -> Format:
        return self.sniffed.form


def suggest(spark: SparkSession, data: Sequence[Path] | Days) -> str:
    """The YAML of a `raw:` and a `quality:` section. ConfigError where there is nothing to look at,
    QualityGateError where a file cannot be read to its end."""
    days = data if isinstance(data, Days) else look_at(data)
    try:
        draft = propose(spark, days)
    except LsmlError:
        raise
    except Exception as error:
        if reason := first_unreadable(days.files, days.form) or file_mistake(error):
            raise QualityGateError(reason) from error
        raise
    source = f"from {draft.rows:,} rows in {len(days.files)} file{'s' * (len(days.files) > 1)}"
    raw = {**_where(days.files), **draft.options} if draft.options else {}
    text = "\n".join(lines_of(raw, draft.why, draft.notes, draft.contract, draft.proposals, source)) + "\n"
    meant: dict[str, Any] = {"contract": draft.contract}
    read = yaml.safe_load(text)
    assert read["quality"]["contract"] == meant["contract"], "the YAML does not read back as what was meant"
    validate(Config, {**read["quality"], "raw": draft.options}, "quality suggest")
    return text


def section(spark: SparkSession, data: Sequence[Path]) -> dict[str, Any]:
    """The `quality:` section as plain values."""
    quality: dict[str, Any] = yaml.safe_load(suggest(spark, data))["quality"]
    return quality


def look_at(data: Sequence[Path]) -> Days:
    """All that can be told without Spark."""
    files = raw_files(data)
    text = [path for path in files if is_text(path)]
    return Days(files, sniff(text) if text else Sniffed())


def raw_files(data: Sequence[Path]) -> list[Path]:
    """The files named, and those of a known kind in folders named."""
    files: list[Path] = []
    for path in data:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder")
        inside = (
            sorted(file for file in path.rglob("*") if file.name.endswith(SUFFIXES))
            if path.is_dir()
            else [path]
        )
        files += [
            file
            for file in inside
            if file.is_file() and not any(hidden(part) for part in file.relative_to(path).parts)
        ]
    if not files:
        raise ConfigError(
            f"{', '.join(map(str, data))}: no files that end in {', '.join((*TEXT, '.parquet'))}; name files "
            "of other endings"
        )
    return files


@dataclass(frozen=True)
class Found:
    """`options` of `raw:` with `why`; the contract as YAML values; the proposals that hold; how many rows
    were looked at.
    """

    options: Mapping[str, Any]
    why: Mapping[str, str]
    notes: Sequence[str]
    contract: Mapping[str, Any]
    proposals: Sequence[Proposal]
    rows: int


def propose(spark: SparkSession, days: Days) -> Found:
    """What the days call for."""
    headers = _headers(days)
    columns = _called(list(dict.fromkeys(name for header in headers for name in header.columns)))
    names = list(columns.values())
    records = read_days(spark, headers, columns, days.form)
    _, raw_sample = profile_of(records.where(F.col(CORRUPT).isNull()), names)
    if not raw_sample.num_rows:
        raise ConfigError(f"{', '.join(path.name for path in days.files)}: no rows to learn from")
    text = {name for name in names if records.schema[name].dataType.simpleString() == "string"}
    values = {
        name: [value for value in raw_sample[name].to_pylist() if value and value.strip()]
        for name in names
        if name in text
    }
    habits = habits_of(values, days.form.delimiter == ",")
    options = {**days.sniffed.options, **habits.options}
    form = Format.model_validate(options)
    types = {
        name: _type_of(values[name], habits) if name in text else ddl(records.schema[name].dataType)
        for name in names
    }
    types, notes = _that_read(records, types, form)

    typed = typed_rows(records, types, form).where(F.col(CORRUPT).isNull()).cache()
    try:
        profile, sample = profile_of(typed, names)
        seen = _by_file(typed, names)
        proposals = [*of_columns(profile, sample, seen), *of_rows(profile, _doubled(typed, names))]
        confirmed = list(_that_hold(typed, proposals))
    finally:
        typed.unpersist()
    always = {called for name, called in columns.items() if all(name in header.columns for header in headers)}
    contract = {
        called: _field(types[called], called in always, name if name != called else None)
        for name, called in columns.items()
    }
    notes += [*habits.notes, *_malformed(records)]
    why = {**days.sniffed.why, **habits.why}
    return Found(
        form.changed(), why, notes, contract, confirmed + list(of_table(profile, seen)), profile["rows"]
    )


def _headers(days: Days) -> list[Header]:
    if days.form.header:
        return [read_header(path, days.form) for path in days.files]
    columns = [f"column_{i + 1}" for i in range(days.sniffed.columns)]
    return [without_header(path, columns, days.form) for path in days.files]


def _called(names: Sequence[str]) -> dict[str, str]:
    """The names of the contract by those of the files: not those that the stage adds, none twice but for its
    case.
    """
    called: dict[str, str] = {}
    for i, name in enumerate(names):
        other = name if name.strip() else f"column_{i + 1}"
        if other.casefold() in ADDED or other.startswith("_"):
            other = f"raw_{other.strip('_')}"
        while other.casefold() in {known.casefold() for known in called.values()} or (
            other != name and other in names
        ):
            other += "_"
        called[name] = other
    return called


def _field(type_: str, required: bool, source: str | None) -> Any:
    if required and source is None:
        return type_
    return {
        "type": type_,
        **({} if required else {"required": False}),
        **({} if source is None else {"source": source}),
    }


def _type_of(values: Sequence[str], habits: Habits) -> str:
    words = habits.options.get("nulls") or []
    there = [value.strip() for value in values]
    left = [plain_number(value, habits.options) for value in there if value not in words]  # type: ignore[operator]
    type_ = type_of(left)
    if type_ == "string":
        for kind in ("date", "timestamp"):
            if (
                f"{kind}_formats" in habits.options
                and (form := form_of(left)) is not None
                and form.kind == kind
            ):
                return kind
    return type_


def _that_read(
    records: DataFrame, types: Mapping[str, str], form: Format
) -> tuple[dict[str, str], list[str]]:
    """The types, with text where the reader cannot type nearly all that is there; and what was so."""
    raw_types = {name: ddl(records.schema[name].dataType) for name in types}
    candidates = [name for name, type_ in types.items() if raw_types[name] != type_]
    if not candidates:
        return dict(types), []
    typed = typed_rows(records, types, form).where(F.col(CORRUPT).isNull())
    rows, wrong_C = _counted(typed, [F.expr(not_of_type(name, raw_types[name], form)) for name in candidates])
    wrong = dict(zip(candidates, wrong_C.tolist(), strict=True))
    bad = {name for name, count in wrong.items() if count > (1 - ENOUGH) * rows}
    notes = [
        f"{name}: looks like {types[name]}, but {wrong[name]:,} rows cannot be read as such"
        for name in sorted(bad)
    ]
    return {name: "string" if name in bad else type_ for name, type_ in types.items()}, notes


def _malformed(records: DataFrame) -> list[str]:
    rows = records.groupBy(WHY).count().collect()
    total = sum(row["count"] for row in rows)
    return [
        f"{row['count']:,} of {total:,} lines: {row[WHY]}"
        for row in sorted(rows, key=lambda row: str(row[WHY]))
        if row[WHY]
    ]


def _where(files: Sequence[Path]) -> dict[str, str]:
    """`folder` and `files` where the names of the files say their day."""
    folders = {path.resolve().parent for path in files}
    patterns = {DATE.sub("{{ date }}", path.name, count=1) for path in files}
    if len(folders) > 1 or any("{{ date }}" not in pattern for pattern in patterns):
        return {}
    return {"folder": str(folders.pop()), "files": patterns.pop() if len(patterns) == 1 else "*{{ date }}*"}


def _by_file(typed: DataFrame, names: Sequence[str]) -> Seen:
    files = rows_where(typed, [F.col(quoted(name)).isNull() for name in names], by="_file").values()
    return Seen(
        [rows for rows, _ in files],
        {name: [float(missing[i] / rows) for rows, missing in files] for i, name in enumerate(names)},
    )


def _counted(typed: DataFrame, conditions: Sequence[Column]) -> tuple[int, np.ndarray]:
    """(all rows, rows for which each condition is true (C,))."""
    files = rows_where(typed, conditions, by="_file").values()
    return sum(rows for rows, _ in files), sum((true for _, true in files), np.zeros(len(conditions), int))


def _doubled(typed: DataFrame, names: Sequence[str]) -> float:
    rows = typed.groupBy(
        "_file", F.xxhash64(*[quoted(name) for name in names if not _is_map(typed, name)])
    ).count()
    total = rows.agg(F.sum("count").alias("rows"), F.count(F.lit(1)).alias("different")).first()
    return 1 - total["different"] / total["rows"] if total and total["rows"] else 0.0


def _is_map(frame: DataFrame, name: str) -> bool:
    return "map<" in frame.schema[name].dataType.simpleString()


def _that_hold(typed: DataFrame, proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    """The proposals with what they need to hold on the days that were shown."""
    checks = [
        parse(proposal.item, RowCheck, column=proposal.column if proposal.place == "columns" else "")
        for proposal in proposals
    ]
    if read := sorted({column for check in checks for column in check.reads()}):
        sample = typed.select(*map(quoted, read)).limit(20_000).toArrow()
        checks = [
            check.fit(sample.select(list(check.reads()))) if check.reads() else check for check in checks
        ]
    attached = typed
    for check in checks:
        attached = check.attach(attached)
    rows, broken_C = _counted(attached, [check.violated() for check in checks])
    for proposal, check, broken in zip(proposals, checks, broken_C.tolist(), strict=True):
        share = max(0.0, broken / rows - check.at_most) if rows else 0.0
        if not share or (check.on_bad == "quarantine" and proposal.place == "rows" and share <= DROPPED):
            yield proposal
        elif share <= DROPPED:
            tolerated = math.ceil(2e4 * share) / 1e4
            item = {key: value for key, value in proposal.item.items() if key != "on_bad"} | {
                "at_most": tolerated
            }
            yield dataclasses.replace(proposal, item=item, why=f"{proposal.why}; {share:.2%} break it")
