"""Text in columns that is no UTF-8: the row is set aside with its bytes as `\\xHH`, and nothing that is shown
or kept can break on it.
"""

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructType

from lsml_spark.spark.tables import quoted


def set_aside(
    frame: DataFrame, contract: Mapping[str, str], corrupt: str, why: str, reason: str
) -> DataFrame:
    """`frame` with two columns more: `corrupt`, the row as JSON where a text in it is no UTF-8, and `why`,
    the reason. `contract`: the columns, by what the files call them, which is what the JSON says.

    Such a row's texts are escaped: each byte beyond ASCII of a text that is not right is written `\\xHH`.
    """
    names = list(contract.values())
    types = {
        field.name: field.dataType
        for field in frame.schema
        if field.name in names and _has_text(field.dataType)
    }
    rest = [quoted(name) for name in frame.columns if name not in names]
    if not types:
        return frame.selectExpr(
            *map(quoted, names), f"cast(NULL AS string) AS {corrupt}", f"cast(NULL AS string) AS {why}", *rest
        )
    wrong = " OR ".join(f"coalesce({broken(quoted(name), type_)}, false)" for name, type_ in types.items())
    columns = [
        f"{_escaped(quoted(name), types[name])} AS {quoted(name)}" if name in types else quoted(name)
        for name in names
    ]
    row = ", ".join(f"{quoted(name)} AS {quoted(raw_name)}" for raw_name, name in contract.items())
    return frame.selectExpr(*columns, *rest, f"{wrong} AS __wrong").selectExpr(
        *map(quoted, names),
        f"CASE WHEN __wrong THEN to_json(struct({row})) END AS {corrupt}",
        f"CASE WHEN __wrong THEN '{reason}' END AS {why}",
        *rest,
    )


def _has_text(type_: DataType) -> bool:
    if isinstance(type_, ArrayType):
        return _has_text(type_.elementType)
    if isinstance(type_, MapType):
        return _has_text(type_.keyType) or _has_text(type_.valueType)
    if isinstance(type_, StructType):
        return any(_has_text(field.dataType) for field in type_)
    return isinstance(type_, StringType)


def broken(value: str, type_: DataType, depth: int = 0) -> str:
    """SQL: whether a text inside the value is no UTF-8."""
    x = f"x{depth}"
    if isinstance(type_, ArrayType) and _has_text(type_):
        return f"exists({value}, {x} -> coalesce({broken(x, type_.elementType, depth + 1)}, false))"
    if isinstance(type_, MapType) and _has_text(type_):
        sides = [(f"map_keys({value})", type_.keyType), (f"map_values({value})", type_.valueType)]
        return (
            "("
            + " OR ".join(
                f"coalesce({broken(side, ArrayType(of), depth)}, false)"
                for side, of in sides
                if _has_text(of)
            )
            + ")"
        )
    if isinstance(type_, StructType) and _has_text(type_):
        inside = [
            broken(f"{value}.{quoted(field.name)}", field.dataType, depth)
            for field in type_
            if _has_text(field.dataType)
        ]
        return "(" + " OR ".join(f"coalesce({part}, false)" for part in inside) + ")"
    return f"NOT is_valid_utf8({value})"


def _escaped(value: str, type_: DataType, depth: int = 0) -> str:
    """SQL: the value with each text in it that is no UTF-8 written out."""
    x, y = f"x{depth}", f"y{depth}"
    if not _has_text(type_):
        return value
    if isinstance(type_, ArrayType):
        return f"transform({value}, {x} -> {_escaped(x, type_.elementType, depth + 1)})"
    if isinstance(type_, MapType):
        values = f"transform_values({value}, ({x}, {y}) -> {_escaped(y, type_.valueType, depth + 1)})"
        return f"transform_keys({values}, ({x}, {y}) -> {_escaped(x, type_.keyType, depth + 1)})"
    if isinstance(type_, StructType):
        fields = ", ".join(
            f"'{field.name.replace(chr(92), chr(92) * 2).replace(chr(39), chr(92) + chr(39))}', "
            f"{_escaped(f'{value}.{quoted(field.name)}', field.dataType, depth)}"
            for field in type_
        )
        return f"CASE WHEN {value} IS NOT NULL THEN named_struct({fields}) END"
    each = f"split(decode(cast({value} AS binary), 'ISO-8859-1'), '')"
    written = f"{x} -> CASE WHEN {x} > '~' THEN concat('\\\\x', lower(hex(ascii({x})))) ELSE {x} END"
    return (
        f"CASE WHEN is_valid_utf8({value}) THEN {value} WHEN {value} IS NOT NULL THEN "
        f"array_join(transform({each}, {written}), '') END"
    )
