"""Which table a training row goes to, and which fold: by hash of its key, by hash of its id, or as a column
says.

The hashes depend on the pipeline's seed and not on the date, so a key that is held out tonight was held out
last night: a model that starts from yesterday's weights has not seen it. Splits by key come first, so no key
of theirs is anywhere else.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, StringType

from lsml_spark.core import seeds
from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.shard.config import TRAIN, Folds, Split
from lsml_spark.shard.place import BITS
from lsml_spark.spark.tables import quoted

RANK = {"key_hash": 0, "column": 1, "row_hash": 2}
UNKNOWN = -1


def table_of(rules: Mapping[str, Split], types: Mapping[str, DataType], seed: int) -> Column:
    """0 for rows that stay in the training table, i for those of the i-th split, UNKNOWN where a column does
    not say.

    ConfigError where a rule's column is not there or is neither text nor boolean.
    """
    number = {name: i for i, name in enumerate(rules, start=1)}
    taken: dict[tuple[str, str], float] = {}  # share of each hash's range that is given away already
    assigned = F.lit(None).cast("int")
    for name, rule in sorted(rules.items(), key=lambda item: RANK[item[1].use]):
        if rule.use == "column":
            assigned = F.coalesce(assigned, _by_column(name, rule, rules, number, types))
            continue
        column = "sample_id" if rule.use == "row_hash" else rule.column or "key"
        _refuse_missing(name, column, types)
        low = taken.get((rule.use, column), 0.0)
        high = taken[rule.use, column] = low + (rule.share or 0.0)
        drawn = _uniform(column, seed, rule.use)
        assigned = F.coalesce(assigned, F.when((drawn >= low) & (drawn < high), number[name]))
    return F.coalesce(assigned, F.lit(0))


def _by_column(
    name: str,
    rule: Split,
    rules: Mapping[str, Split],
    number: Mapping[str, int],
    types: Mapping[str, DataType],
) -> Column:
    assert rule.column is not None
    _refuse_missing(name, rule.column, types)
    value, type_ = F.col(quoted(rule.column)), types[rule.column]
    if isinstance(type_, BooleanType):
        return F.when(value.isNull(), UNKNOWN).when(value, number[name])
    if not isinstance(type_, StringType):
        raise ConfigError(
            f"shard.split.{name}.column: '{rule.column}' is {type_.simpleString()}, expected text or boolean"
        )
    known = [
        TRAIN,
        *[other for other, its in rules.items() if its.column == rule.column and its.use == "column"],
    ]
    return F.when(value.isNull() | ~value.isin(known), UNKNOWN).when(value == name, number[name])


def _refuse_missing(name: str, column: str, types: Mapping[str, DataType]) -> None:
    if column not in types:
        raise ConfigError(
            f"shard.split.{name}: the features have no column '{column}'{did_you_mean(column, list(types))}"
        )


def refuse_unknown(rows: DataFrame, rules: Mapping[str, Split]) -> None:
    """IntegrityError that names the first of these rows, whose split's column says nothing, or what is no
    split's name.
    """
    columns = sorted({rule.column for rule in rules.values() if rule.use == "column" and rule.column})
    row = rows.select("sample_id", *map(quoted, columns)).orderBy("sample_id").first()
    assert row is not None
    values = ", ".join(f"'{column}' is {row[column]!r}" for column in columns)
    names = ", ".join([TRAIN, *[name for name, rule in rules.items() if rule.use == "column"]])
    raise IntegrityError(
        f"shard.split: {values} for sample_id {row.sample_id!r}; expected one of {names} (or a boolean)"
    )


def fold_of(folds: Folds | None, seed: int) -> Column:
    """The fold of a training row, 0 where there are no folds."""
    if folds is None:
        return F.lit(0)
    column = "key" if folds.use == "key_hash" else "sample_id"
    return F.floor(_uniform(column, seed, "fold") * folds.number).cast("int")


def _uniform(column: str, seed: int, purpose: str) -> Column:
    """In [0, 1), the same for the same value."""
    hashed = F.shiftrightunsigned(
        F.xxhash64(F.col(quoted(column)), F.lit(seeds.derive(seed, "split", purpose))), 64 - BITS
    )
    return hashed.cast("double") * F.lit(2.0**-BITS)
