"""The pass over the records: typed, held against every rule, measured, and written as clean or as quarantined
rows.

One Spark job, and one before it where a check wants to look at a sample first. Which row goes where depends
on the records, the config and the seed alone. The same pass serves the nightly stage and rows that come back
from quarantine.
"""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError, LsmlError, QualityGateError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.raw import PLAIN, Format
from lsml_spark.core.seeds import derive
from lsml_spark.core.work import Work
from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.figures.measure import kind_of
from lsml_spark.quality.figures.profile import (
    SAMPLE_ROWS,
    Profiler,
    combined,
    empty_sample,
    hash_columns,
    hash_names,
    together,
    types_of,
)
from lsml_spark.quality.figures.sampled import KEY
from lsml_spark.quality.raw.records import CORRUPT, WHY
from lsml_spark.quality.raw.typed import not_of_type, typed_column
from lsml_spark.quality.rules import (
    BROKEN,
    KEPT,
    Counter,
    Counts,
    Rule,
    merged,
    names_of_masks,
    of_check,
    reasons,
    with_states,
)
from lsml_spark.spark import tables
from lsml_spark.spark.attempt import compiled_apart
from lsml_spark.spark.mistakes import sql_mistake
from lsml_spark.spark.tables import Watch, Written, is_missing, quoted

PLACE = ("_file", "_line")
DROPPED = "dropped\t"


@dataclass(frozen=True)
class Split:
    """What the pass gave: tables `clean` and `quarantine`, rules with their counts, profile and sample of the
    typed rows.
    """

    written: Written
    rules: Sequence[Rule]
    counts: Counts
    profile: dict[str, Any]
    sample: pa.Table

    @property
    def clean(self) -> int:
        return self.written.tables["clean"].rows

    @property
    def rows(self) -> int:
        return self.ledger.rows_in

    @property
    def ledger(self) -> Ledger:
        """Rows that were dropped are tallied under `DROPPED` and their reason."""
        dropped = {
            reason.removeprefix(DROPPED): rows
            for reason, rows in self.written.tally.items()
            if reason.startswith(DROPPED)
        }
        quarantined = {
            reason: rows for reason, rows in self.written.tally.items() if not reason.startswith(DROPPED)
        }
        rows_in = self.clean + sum(self.written.tally.values())
        return Ledger(rows_in=rows_in, rows_out=self.clean, quarantined=quarantined, dropped=dropped)


def split(
    spark: SparkSession,
    work: Work,
    contract: Mapping[str, str],
    checks: Sequence[RowCheck],
    records: DataFrame,
    malformed: Sequence[str] = (),
    form: Format = PLAIN,
    forgiven: frozenset[str] = frozenset(),
    needed: Sequence[str] = (),
) -> Split:
    """Write `clean` and `quarantine` of `records` into `work.folder`.

    Args:
        contract: Spark type by column. `records` has these columns as they were found, `_corrupt` (the line
            where it is malformed, else NULL), `_why` (what is wrong with it, one of `malformed`), `_file` and
            `_line`.
        form: how texts say numbers, dates and that a value is missing.
        forgiven: labels of rules that are left out.
        needed: columns; a row that no rule rejects is dropped where one of them is missing, and counted.
    """
    with compiled_apart(spark):
        typed = typed_rows(records, contract, form)
        keyed = typed.withColumn(KEY, F.xxhash64(F.lit(derive(work.seed, "quality sample")), *PLACE))
        fitted = _fitted(keyed, checks)
        for check in fitted:
            with naming(check):
                keyed = check.attach(keyed)
        rules = [
            rule
            for rule in [
                *_parse_rules(records, typed, contract, malformed, form),
                *[_rule(check, spark) for check in fitted],
            ]
            if rule.label not in forgiven
        ]
        return _write(work, contract, with_states(keyed, rules), rules, needed)


def records_of(quarantine: DataFrame, contract: Mapping[str, str]) -> DataFrame:
    """The rows of a quarantine table as they were found: what `split` takes."""
    why = F.when(F.col(CORRUPT).isNotNull(), F.col("reason")).alias(WHY)
    return quarantine.select(
        *[F.col(quoted(f"_raw_{name}")).alias(name) for name in contract], CORRUPT, why, *PLACE
    )


def typed_rows(records: DataFrame, contract: Mapping[str, str], form: Format = PLAIN) -> DataFrame:
    """Each column under its contract's type, and beside it as it was found (`_raw_…`)."""
    types = types_of(records, list(contract))
    try:
        typed = [typed_column(name, types[name], type_, form) for name, type_ in contract.items()]
        columns = [F.expr(column) if isinstance(column, str) else column for column in typed]
        return records.select(
            *columns,
            *[F.expr(f"{quoted(name)} AS {quoted(f'_raw_{name}')}") for name in contract],
            CORRUPT,
            WHY,
            *PLACE,
        )
    except PySparkException as error:
        # e.g. a list or a day in the file where the contract has a number
        for name, type_ in contract.items():
            if _never_becomes(records, name, types[name], type_, form):
                raise QualityGateError(
                    f"column {name!r} is {types[name]} in the files, which cannot become the contract's "
                    f"{type_}"
                ) from error
        raise ConfigError(f"quality.contract: {str(error).strip().splitlines()[0]}") from error


def _never_becomes(records: DataFrame, name: str, source: str, target: str, form: Format) -> bool:
    if source == "string":
        return False
    try:
        records.selectExpr(str(typed_column(name, source, target, form)))
    except PySparkException as error:
        return "DATATYPE_MISMATCH" in str(error)
    return False


def _parse_rules(
    records: DataFrame, typed: DataFrame, contract: Mapping[str, str], malformed: Sequence[str], form: Format
) -> Iterator[Rule]:
    for reason in malformed:
        yield Rule(reason, "", True, (F.col(CORRUPT).isNotNull() & (F.col(WHY) == reason)).cast("int"))
    known = F.coalesce(F.col(WHY).isin(list(malformed)), F.lit(False)) if malformed else F.lit(False)
    # e.g. of an older quarantine
    yield Rule("malformed line", "", True, (F.col(CORRUPT).isNotNull() & ~known).cast("int"))
    source_types, target_types = types_of(records, list(contract)), types_of(typed, list(contract))
    for name, type_ in contract.items():
        if source_types[name] != target_types[name]:
            state = (
                f"CASE WHEN {CORRUPT} IS NULL AND {not_of_type(name, source_types[name], form)} "
                f"THEN {BROKEN} ELSE {KEPT} END"
            )
            yield Rule(f"{name}: not {type_}", name, True, F.expr(state))


def _fitted(keyed: DataFrame, checks: Sequence[RowCheck]) -> list[RowCheck]:
    """Checks with their bounds set from one sample of all columns that they read."""
    columns = sorted({column for check in checks for column in check.reads()})
    if not columns:
        return list(checks)
    for check in checks:
        for column in check.reads():
            if column not in keyed.columns:
                raise ConfigError(
                    f"quality: {check.label}: there is no column '{column}' in quality.contract"
                )
    drawn = keyed.where(F.col(CORRUPT).isNull()).select(*map(quoted, columns), KEY)
    sample = drawn.orderBy(KEY).limit(SAMPLE_ROWS).toArrow().drop_columns([KEY])
    fitted = []
    for check in checks:
        with naming(check):
            fitted.append(check.fit(sample.select(list(check.reads()))) if check.reads() else check)
    return fitted


def _rule(check: RowCheck, spark: SparkSession) -> Rule:
    with naming(check):
        return of_check(check, spark.sparkContext.applicationId)


@contextmanager
def naming(check: RowCheck) -> Iterator[None]:
    """A mistake that Spark finds in a check is a config error that names the check."""
    try:
        yield
    except LsmlError:
        raise
    except Exception as error:
        if mistake := sql_mistake(error):
            raise ConfigError(f"quality: {check.label}: {mistake}") from error
        raise


class _Watcher:
    """Measures and samples the rows that could be read, and counts the rules over all."""

    def __init__(self, types: Mapping[str, str], columns: Sequence[str], shown: Sequence[str]):
        self.profiler = Profiler(types, SAMPLE_ROWS, beside=PLACE)
        self.counter = Counter(columns, KEY, shown)

    def add(self, batch: pa.RecordBatch) -> None:
        self.counter.add(batch)
        malformed = batch.column(CORRUPT)
        self.profiler.add(
            batch if malformed.null_count == len(malformed) else batch.filter(malformed.is_null())
        )

    def finish(self) -> bytes:
        return pickle.dumps((self.profiler.seen(), self.counter.counts))


def _merge(rules: int, parts: Sequence[bytes]) -> bytes:
    """What one watcher would have seen of the rows of all."""
    profiled, counted = zip(*[pickle.loads(part) for part in parts], strict=True)  # our own workers wrote it
    return pickle.dumps((together(profiled, SAMPLE_ROWS), merged(counted, rules)))


def _write(
    work: Work, contract: Mapping[str, str], rows: DataFrame, rules: Sequence[Rule], needed: Sequence[str]
) -> Split:
    types = types_of(rows, list(contract))
    raw = [quoted(f"_raw_{name}") for name in contract]
    taken = {name.lower() for name in contract}  # to SQL, `Date` and `date` are one
    own = {name: f"__own_{name}" if name in taken else name for name in ("date", "reason", "reasons")}
    clean_date = "_date" if "date" in taken else "date"
    why = own["reasons"]
    judged = rows.select("*", reasons(rules).alias(why)).selectExpr(
        *map(quoted, contract),
        *[f"CASE WHEN {why} IS NOT NULL THEN {name} END AS {name}" for name in raw],  # of rejected rows alone
        *[CORRUPT, *PLACE, KEY, *names_of_masks(rules), why, f"{why}[0] AS {own['reason']}"],
        *[f"DATE '{work.date}' AS {name}" for name in dict.fromkeys((own["date"], clean_date))],
        *hash_columns(types),
    )
    columns_in = {
        "clean": [*contract, clean_date, *PLACE],
        "quarantine": [
            *[f"_raw_{name}" for name in contract],
            CORRUPT,
            own["date"],
            *PLACE,
            own["reason"],
            why,
        ],
    }
    shown = [*PLACE, *[name for name, type_ in types.items() if kind_of(type_) != "binary"]]
    as_found = [f"_raw_{name}" for name in shown if name in contract]
    watched = [*contract, *shown, *as_found, CORRUPT, KEY, *names_of_masks(rules), *hash_names(types)]
    start = partial(_Watcher, types, [rule.column for rule in rules], shown)
    watch = Watch(list(dict.fromkeys(watched)), start, partial(_merge, len(rules)))
    lacks = F.coalesce(
        *[F.when(is_missing(name), f"{DROPPED}{name}: missing") for name in needed],
        F.lit(None).cast("string"),
    )
    tally = F.coalesce(own["reason"], lacks)
    route = (
        F.when(tally.isNull(), "clean")
        .when(F.col(own["reason"]).isNotNull(), "quarantine")
        .otherwise("dropped")
    )
    renamed = {name: final_name for final_name, name in own.items()}
    written = tables.write(
        judged, work.folder, columns_in, route=route, tally=tally, watch=watch, renamed=renamed
    )

    seen = [pickle.loads(part) for part in written.seen]  # our own workers wrote it
    counts = merged([counted for _, counted in seen], len(rules))
    kept = Profiler(types, 0, beside=PLACE).kept
    profile, sample = combined(
        [profiled for profiled, _ in seen], types, SAMPLE_ROWS, empty_sample(judged, kept)
    )
    return Split(written, rules, counts, profile, sample)
