"""Spark's types as SQL text that reads back as the same type, whatever the names of their fields hold."""

import re
from collections.abc import Callable

from pyspark.sql.types import ArrayType, DataType, MapType, StructType

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def ddl(type_: DataType, leaf: Callable[[DataType], str] = lambda type_: type_.simpleString()) -> str:
    """What `simpleString` says, with a name in backticks where it is none to SQL:
    `struct<n:int,`user-id`:string>`.

    `leaf`: what is written of a type that holds no others.
    """
    if isinstance(type_, StructType):
        return f"struct<{','.join(f'{_name(field.name)}:{ddl(field.dataType, leaf)}' for field in type_)}>"
    if isinstance(type_, ArrayType):
        return f"array<{ddl(type_.elementType, leaf)}>"
    if isinstance(type_, MapType):
        return f"map<{ddl(type_.keyType, leaf)},{ddl(type_.valueType, leaf)}>"
    return leaf(type_)


def _name(name: str) -> str:
    return name if PLAIN.fullmatch(name) else "`" + name.replace("`", "``") + "`"
