"""Rows of a quarantine as text, whatever is in them: bytes that are no UTF-8, dates of the year 201102,
lists.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.core.scalars import as_found


def texts(table: pa.Table, columns: Sequence[str]) -> list[dict[str, str | None]]:
    """One mapping per row, of column to text, None where there is no value."""
    texts_of = [_texts(table[name]) for name in columns]
    return (
        [dict(zip(columns, values, strict=True)) for values in zip(*texts_of, strict=True)]
        if texts_of
        else [{} for _ in range(table.num_rows)]
    )


def _texts(values: pa.ChunkedArray) -> list[str | None]:
    type_ = values.type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return [_each(value, _decoded) for value in values.cast(pa.large_binary()).to_pylist()]
    # of Python's and Arrow's own, texts end with the year 9999
    if pa.types.is_date32(type_) or pa.types.is_timestamp(type_):
        unit: Any
        unit, numbers = ("D", pa.int32()) if pa.types.is_date32(type_) else (type_.unit, pa.int64())
        return [
            _each(value, lambda number: str(np.datetime64(number, unit)))
            for value in values.cast(numbers).to_pylist()
        ]
    if pa.types.is_binary(type_):
        return [_each(value, _decoded) for value in values.to_pylist()]
    if pa.types.is_nested(type_):
        return [_each(as_found(value), _json) for value in values]
    return [_each(value, str) for value in values.to_pylist()]


def _each(value: Any, write: Callable[[Any], str]) -> str | None:
    return None if value is None else write(value)


def _decoded(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
