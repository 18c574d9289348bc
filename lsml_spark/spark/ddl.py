"""Spark's types as SQL text that reads back as the same type, whatever the names of their fields hold."""

import re

from pyspark.sql.types import ArrayType, DataType, MapType, StructType

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def ddl(type_: DataType) -> str:
    """What `simpleString` says, with a name in backticks where it is none to SQL: `struct<n:int,`user-id`:string>`."""
    if isinstance(type_, StructType):
        return f"struct<{','.join(f'{_name(field.name)}:{ddl(field.dataType)}' for field in type_)}>"
    if isinstance(type_, ArrayType):
        return f"array<{ddl(type_.elementType)}>"
    if isinstance(type_, MapType):
        return f"map<{ddl(type_.keyType)},{ddl(type_.valueType)}>"
    return type_.simpleString()


def _name(name: str) -> str:
    return name if PLAIN.fullmatch(name) else "`" + name.replace("`", "``") + "`"
