"""Values of Arrow as Python has them; as text where Python has no such value: a date beyond 9999, text that
is no UTF-8.
"""

from typing import Any

import numpy as np
import pyarrow as pa


def as_found(value: pa.Scalar) -> Any:
    """The value as a Python object, or its text. Never raises."""
    try:
        return value.as_py()
    except (ValueError, OverflowError):  # UnicodeDecodeError is a ValueError
        pass
    if isinstance(value, (pa.StringScalar, pa.LargeStringScalar)):
        return value.as_buffer().to_pybytes().decode("utf-8", "backslashreplace")
    if pa.types.is_date32(value.type):
        return str(np.datetime64(value.value, "D"))
    if pa.types.is_timestamp(value.type) or pa.types.is_date64(value.type):
        unit: Any = value.type.unit if pa.types.is_timestamp(value.type) else "ms"
        return str(np.datetime64(value.value, unit)).replace("T", " ")
    return f"a {value.type} that cannot be shown"


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The rows as `to_pylist` has them, each value by `as_found`."""
    columns = [[as_found(value) for value in column] for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
