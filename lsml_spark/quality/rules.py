"""All rules that a row is held against, two bits a rule: kept, broken, raised, not looked at.

The parse rules (a line of the wrong form, a value of the wrong type) come first, then the YAML's checks in
their order. Bits travel with the row as a few longs, so three hundred rules are ten columns; reasons are
spelt out for rejected rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.scalars import as_found
from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.raw.records import CORRUPT
from lsml_spark.spark.attempt import attempt
from lsml_spark.spark.tables import quoted

KEPT, BROKEN, RAISED, PASSED_BY = range(4)
PER_LONG = 31
RAISES = ": raises an error"
EXAMPLES = 3
WIDEST = 30  # columns of an example


@dataclass(frozen=True)
class Rule:
    """A rule with its state per row (int, see above); `check` is None for the parse rules."""

    label: str
    column: str
    rejects: bool
    state: Column
    check: RowCheck | None = None


_RULES: dict[tuple[str, type, str], Rule] = {}


def of_check(check: RowCheck, application: str) -> Rule:
    """A check where the line could be read and `where` holds; what raises is state 2.

    A catch-up holds sixty days against the same rules, and each expression costs dozens of calls into the
    JVM: a check that neither fits itself nor joins is compiled once per Spark application.
    """
    if check.reads() or type(check).attach is not RowCheck.attach:
        return _compiled(check)
    key = (application, type(check), check.label + check.model_dump_json())
    if key not in _RULES:
        _RULES[key] = _compiled(check)
    return _RULES[key]


def _compiled(check: RowCheck) -> Rule:
    broken = F.coalesce(check.violated(), F.lit(False)).cast("int")
    looked_at = F.expr(f"{CORRUPT} IS NULL AND ({check.where})" if check.where else f"{CORRUPT} IS NULL")
    state = F.when(looked_at, broken).otherwise(PASSED_BY if check.where else KEPT)
    return Rule(
        check.label,
        check.column,
        check.on_bad == "quarantine",
        F.coalesce(attempt(state), F.lit(RAISED)),
        check,
    )


def names_of_masks(rules: Sequence[Rule]) -> list[str]:
    """Columns that hold the states."""
    return [f"__m{i}" for i in range((len(rules) + PER_LONG - 1) // PER_LONG)]


def with_states(rows: DataFrame, rules: Sequence[Rule]) -> DataFrame:
    """`rows` with the states of all rules, packed."""
    states = [f"__s{i}" for i in range(len(rules))]
    masks = []
    for i, name in enumerate(names_of_masks(rules)):
        bits = [
            f"shiftleft(cast({state} AS bigint), {2 * j})"
            for j, state in enumerate(states[i * PER_LONG : (i + 1) * PER_LONG])
        ]
        masks.append(f"{' | '.join(bits)} AS {name}")
    try:
        unpacked = rows.select(
            "*", *[rule.state.alias(name) for rule, name in zip(rules, states, strict=True)]
        )
    except PySparkException as error:
        raise ConfigError(
            f"quality: a check does not compile: {str(error).strip().splitlines()[0]}"
        ) from error
    return unpacked.selectExpr(*map(quoted, rows.columns), *masks)


def rejected(rules: Sequence[Rule]) -> str:
    """SQL: whether a row is quarantined, because a rule that rejects is broken or any rule raised."""
    odd = 0x5555555555555555
    conditions = []
    for i, name in enumerate(names_of_masks(rules)):
        rejecting = sum(
            1 << 2 * j for j, rule in enumerate(rules[i * PER_LONG : (i + 1) * PER_LONG]) if rule.rejects
        )
        low, high = f"{name} & {odd}L", f"shiftright({name}, 1) & {odd}L"
        conditions.append(f"({low}) & ~({high}) & {rejecting}L != 0 OR ({high}) & ~({low}) != 0")
    return " OR ".join(conditions)


def reasons(rules: Sequence[Rule]) -> Column:
    """Labels of the rules for which a row is quarantined, in the order of the rules; NULL for a clean row."""
    masks = ", ".join(names_of_masks(rules))
    states = F.expr(
        f"flatten(transform(array({masks}), m -> transform(sequence(0, {PER_LONG - 1}), j -> "
        "cast(shiftright(m, 2 * j) & 3 AS int))))"
    )
    # "reject" or "count", then the label; one literal, for each costs calls into the JVM
    labels = F.split(
        F.lit("\x1f".join(f"{'r' if rule.rejects else 'c'}{rule.label}" for rule in rules)), "\x1f"
    )
    named = F.zip_with(
        states,
        labels,
        lambda state, label: F.when(
            (state == BROKEN) & F.startswith(label, F.lit("r")), F.substr(label, F.lit(2))
        ).when(state == RAISED, F.concat(F.substr(label, F.lit(2)), F.lit(RAISES))),
    )
    return F.when(F.expr(rejected(rules)), F.array_compact(named))


@dataclass
class Counts:
    """Per rule: rows in each of the four states, and the rows with the smallest keys that broke it or made it
    raise.
    """

    states: np.ndarray  # (rules, 4)
    # (rule, state) → (key, row)
    examples: dict[tuple[int, int], list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)

    def merge(self, other: "Counts") -> None:
        self.states += other.states
        for place, examples in other.examples.items():
            self.examples[place] = sorted(self.examples.get(place, []) + examples, key=lambda pair: pair[0])[
                :EXAMPLES
            ]


def merged(parts: Sequence[Counts], rules: int) -> Counts:
    """The counts of all partitions together."""
    total = Counts(np.zeros((rules, 4), np.int64))
    for part in parts:
        total.merge(part)
    return total


class Counter:
    """Counts the states of the rules in one partition.

    Args:
        columns: each rule's column ("" for rules of whole rows); an example shows it first.
        key: the column whose smallest values say which rows are the examples.
        shown: columns that an example may show, beside their `_raw_…`, the most telling first.
    """

    def __init__(self, columns: Sequence[str], key: str, shown: Sequence[str]):
        self.columns, self.rules, self.key, self.shown = columns, len(columns), key, list(shown)
        self.counts = Counts(np.zeros((self.rules, 4), np.int64))

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        for start in range(0, self.rules, PER_LONG):
            mask = np.asarray(batch.column(f"__m{start // PER_LONG}"))
            any_bits = int(np.bitwise_or.reduce(mask))
            for rule in range(start, min(start + PER_LONG, self.rules)):
                if not any_bits >> 2 * (rule - start) & 3:
                    self.counts.states[rule, KEPT] += len(mask)
                    continue
                states = (mask >> 2 * (rule - start)) & 3
                self.counts.states[rule] += np.bincount(states, minlength=4)
                for state in (BROKEN, RAISED):
                    self._show(rule, state, np.flatnonzero(states == state), batch)

    def _show(self, rule: int, state: int, places: np.ndarray, batch: pa.RecordBatch) -> None:
        if not len(places):
            return
        keys = np.asarray(batch.column(self.key))[places]
        known = self.counts.examples.get((rule, state), [])
        best = np.argsort(keys, kind="stable")[:EXAMPLES]
        new = [
            (int(keys[i]), int(places[i])) for i in best if len(known) < EXAMPLES or keys[i] < known[-1][0]
        ]
        if new:
            examples = known + [(key, self._row(batch, place, self.columns[rule])) for key, place in new]
            self.counts.examples[rule, state] = sorted(examples, key=lambda pair: pair[0])[:EXAMPLES]

    def _row(self, batch: pa.RecordBatch, place: int, first: str) -> dict[str, Any]:
        """As much of a row as a finding shows: of five hundred columns, the first thirty that hold
        anything.
        """
        row: dict[str, Any] = {}
        present = set(batch.schema.names)
        for name in sorted(self.shown, key=lambda name: name != first):
            for column in (f"_raw_{name}", name):
                value = as_found(batch.column(column)[place]) if column in present else None
                if value is not None:
                    row[name] = value
                    break
            if len(row) == WIDEST:
                break
        return row
