"""Propose a contract and a list of checks from days that are believed to be clean, as YAML to begin with.

Types are inferred from a sample, checks from a profile (quality/proposals.py). Every proposed row check is then held against
the days themselves: one that does not hold there tolerates twice what it found, and is dropped where that is much.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.infer import type_of
from lsml_spark.quality.profile import profile_of
from lsml_spark.quality.proposals import Proposal, Seen, of_columns, of_rows, of_table
from lsml_spark.quality.raw import CORRUPT, read_days, read_header
from lsml_spark.quality.run import ADDED
from lsml_spark.quality.split import typed_rows
from lsml_spark.spark.tables import quoted

SUFFIXES = (".csv", ".csv.gz", ".json", ".jsonl", ".json.gz", ".jsonl.gz", ".parquet")
DROPPED = 0.05  # a check that more of the rows break is not what the data are like


def suggest(spark: SparkSession, data: Sequence[Path]) -> str:
    """The YAML of a `quality:` section. ConfigError where there is nothing to look at."""
    files = raw_files(data)
    contract, proposals, rows = propose(spark, files)
    return "\n".join(_yaml(contract, proposals, f"from {rows:,} rows in {len(files)} file{'s' * (len(files) > 1)}")) + "\n"


def section(spark: SparkSession, data: Sequence[Path]) -> dict[str, Any]:
    """The same as plain values."""
    found: dict[str, Any] = yaml.safe_load(suggest(spark, data))["quality"]
    return found


def raw_files(data: Sequence[Path]) -> list[Path]:
    """The files named, and those of a known kind in folders named."""
    found = []
    for path in data:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder")
        inside = sorted(path.iterdir()) if path.is_dir() and path.suffix != ".parquet" else [path]
        found += [file for file in inside if file.name.endswith(SUFFIXES)]
    if not found:
        raise ConfigError(f"{', '.join(map(str, data))}: no files that end in {', '.join(SUFFIXES)}")
    return found


def propose(spark: SparkSession, files: Sequence[Path]) -> tuple[dict[str, Any], list[Proposal], int]:
    """The contract (as YAML values), the proposals that hold, and how many rows were looked at."""
    headers = [read_header(path) for path in files]
    found_names = dict.fromkeys(name for header in headers for name in header.columns)
    names = [name for name in found_names if name not in ADDED and not name.startswith("_")]  # a contract takes no others
    records = read_days(spark, headers, names)
    _, found = profile_of(records.where(F.col(CORRUPT).isNull()), names)
    if not found.num_rows:
        raise ConfigError(f"{', '.join(path.name for path in files)}: no rows to learn from")
    types = {}
    for name in names:
        known = records.schema[name].dataType.simpleString()
        types[name] = type_of([value for value in found[name].to_pylist() if value and value.strip()]) if known == "string" else known
    always = [name for name in names if all(name in header.columns for header in headers)]
    contract = {name: type_ if name in always else {"type": type_, "required": False} for name, type_ in types.items()}

    typed = typed_rows(records, types).where(F.col(CORRUPT).isNull()).cache()
    try:
        profile, sample = profile_of(typed, names)
        seen = _by_file(typed, names)
        proposals = [*of_columns(profile, sample, seen), *of_rows(profile, _doubled(typed, names))]
        held = list(_that_hold(typed, proposals))
    finally:
        typed.unpersist()
    return contract, held + list(of_table(profile, seen)), profile["rows"]


def _by_file(typed: DataFrame, names: Sequence[str]) -> Seen:
    missing = [F.avg(F.col(quoted(name)).isNull().cast("double")).alias(str(i)) for i, name in enumerate(names)]
    files = typed.groupBy("_file").agg(F.count(F.lit(1)).alias("rows"), *missing).collect()
    return Seen([row["rows"] for row in files], {name: [row[str(i)] for row in files] for i, name in enumerate(names)})


def _doubled(typed: DataFrame, names: Sequence[str]) -> float:
    rows = typed.groupBy("_file", F.xxhash64(*[quoted(name) for name in names if not _is_map(typed, name)])).count()
    total = rows.agg(F.sum("count").alias("rows"), F.count(F.lit(1)).alias("different")).first()
    return 1 - total["different"] / total["rows"] if total and total["rows"] else 0.0


def _is_map(frame: DataFrame, name: str) -> bool:
    return "map<" in frame.schema[name].dataType.simpleString()


def _that_hold(typed: DataFrame, proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    """The proposals with what they need to hold on the days that were shown."""
    checks = [parse(proposal.item, RowCheck, column=proposal.column if proposal.place == "columns" else "") for proposal in proposals]
    fitted, rows = [], typed
    for check in checks:
        reads = list(check.reads())
        sample = rows.select(*map(quoted, reads)).limit(20_000).toArrow() if reads else None
        fitted.append(check.fit(sample) if sample is not None else check)
    for check in fitted:
        rows = check.attach(rows)
    flags = rows.select(*[F.coalesce(check.violated(), F.lit(False)).alias(str(i)) for i, check in enumerate(fitted)])
    counted = flags.agg(F.count(F.lit(1)).alias("rows"), *[F.count_if(str(i)).alias(str(i)) for i in range(len(fitted))]).first()
    for i, (proposal, check) in enumerate(zip(proposals, fitted, strict=True)):
        share = max(0.0, counted[str(i)] / counted["rows"] - check.at_most) if counted and counted["rows"] else 0.0
        if not share or (check.on_bad == "quarantine" and proposal.place == "rows" and share <= DROPPED):
            yield proposal
        elif share <= DROPPED:
            tolerated = math.ceil(2e4 * share) / 1e4
            item = {key: value for key, value in proposal.item.items() if key != "on_bad"} | {"at_most": tolerated}
            yield dataclasses.replace(proposal, item=item, why=f"{proposal.why}; {share:.2%} break it")


def _yaml(contract: Mapping[str, Any], proposals: Sequence[Proposal], source: str) -> Iterator[str]:
    yield f"# Proposed {source}. Read it, and change what you know better."
    yield "quality:"
    yield "  contract:"
    for name, type_ in contract.items():
        yield f"    {_flow(name)}: {_flow(type_)}"
    columns = [proposal for proposal in proposals if proposal.place == "columns"]
    if columns:
        yield "  columns:"
    for name in dict.fromkeys(proposal.column for proposal in columns):
        yield f"    {_flow(name)}:"
        for proposal in columns:
            if proposal.column == name:
                yield f"      - {_flow(proposal.item)}  # {_comment(proposal.why)}"
    for place in ("rows", "table"):
        items = [proposal for proposal in proposals if proposal.place == place]
        if items:
            yield f"  {place}:"
            yield from (f"    - {_flow(proposal.item)}  # {_comment(proposal.why)}" for proposal in items)


def _flow(value: Any) -> str:
    """One line of YAML that reads back as `value`."""
    text: str = yaml.safe_dump([value], default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False)
    return text.strip()[1:-1]


def _comment(text: str) -> str:
    return " ".join(text.split())
