"""What two splits share: sample ids (an error), keys, and rows with the same features."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.core.errors import IntegrityError
from lsml_spark.shard.config import TEST, Split
from lsml_spark.spark.tables import quoted

BROADCAST = 1_000_000  # held-out rows whose hashes every task gets whole
KINDS = ("sample_id", "key", "features")


def leakage(
    rows: DataFrame,
    tables: Sequence[str],
    table: str,
    features: Sequence[str],
    rules: Mapping[str, Split],
    held_rows: int,
) -> dict[str, dict[str, int]]:
    """{"train/valid": {"keys": shared, "rows": distinct rows of equal features on both sides}, …} for all
    pairs of `tables`.

    `table` is the column with a row's place in `tables`, the first of which is the training table and the
    largest; `held_rows` are those of the others. One job over hashes of 64 bits. IntegrityError where two
    splits share a sample id, or where a split of `leakage: fail` shares a key or a row.
    """
    if len(tables) < 2:
        return {}
    nested = {field.name for field in rows.schema if field.dataType.typeName() in ("array", "map", "struct")}
    cells = [
        part
        for name in features
        for part in ([f"size({quoted(name)})"] if name in nested else [f"isnull({quoted(name)})"])
        + [quoted(name)]
    ]
    hashes = {
        "sample_id": "xxhash64(sample_id)",
        "key": "xxhash64(key)",
        "features": f"xxhash64({', '.join(cells) or '0'})",
    }
    kinds = [kind for kind in KINDS if kind != "key" or "key" in rows.columns]
    pieces = ", ".join(f"struct({i} AS kind, {hashes[kind]} AS hash)" for i, kind in enumerate(kinds))
    each = rows.selectExpr(f"shiftleft(1L, {quoted(table)}) AS side", f"inline(array({pieces}))")
    held_out = each.where("side > 1").groupBy("kind", "hash").agg(F.bit_or("side").alias("sides"))
    # most rows are the training table's: only what they share travels
    small = F.broadcast(held_out) if held_rows <= BROADCAST else held_out
    trained = (
        each.where("side = 1")
        .join(small, ["kind", "hash"])
        .groupBy("kind", "hash")
        .agg(F.lit(1).cast("long").alias("sides"))
    )
    sides = (
        held_out.unionByName(trained)
        .groupBy("kind", "hash")
        .agg(F.bit_or("sides").alias("sides"))
        .where(F.bit_count("sides") > 1)
    )
    counted = {
        (kinds[row.kind], row.sides): row["count"] for row in sides.groupBy("kind", "sides").count().collect()
    }
    leaks = {}
    for a, b in combinations(range(len(tables)), 2):
        both = (1 << a) | (1 << b)
        shared = {
            kind: sum(count for (of, side), count in counted.items() if of == kind and side & both == both)
            for kind in kinds
        }
        pair = f"{tables[a]}/{tables[b]}"
        if shared["sample_id"]:
            raise IntegrityError(
                f"splits {pair} share {shared['sample_id']} sample ids{_example(rows, table, a, b)}; ids "
                "must be unique"
            )
        leaks[pair] = {"keys": shared.get("key", 0), "rows": shared["features"]}
        strict = [name for name in (tables[a], tables[b]) if name in rules and rules[name].leakage == "fail"]
        if strict and any(leaks[pair].values()) and TEST not in (tables[a], tables[b]):
            overlap = f"{leaks[pair]['keys']} keys and {leaks[pair]['rows']} rows of equal features"
            raise IntegrityError(
                f"splits {pair} share {overlap} (shard.split.{strict[0]}.leakage: fail); split by key_hash, "
                "or mend the column"
            )
    return leaks


def _example(rows: DataFrame, table: str, a: int, b: int) -> str:
    ids = [rows.where(F.col(table) == side).select("sample_id") for side in (a, b)]
    row = ids[0].join(ids[1], "sample_id", "left_semi").orderBy("sample_id").first()
    return f", such as {row.sample_id!r}" if row else ""
