"""Values of Arrow as Python has them; as text where Python has no such value: a date beyond 9999, text that is no UTF-8."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def as_found(value: pa.Scalar) -> Any:
    """The value as a Python object, or its text. Never raises."""
    try:
        return value.as_py()
    except (ValueError, OverflowError):  # UnicodeDecodeError is a ValueError
        pass
    if isinstance(value, (pa.StringScalar, pa.LargeStringScalar)):
        return value.as_buffer().to_pybytes().decode("utf-8", "backslashreplace")
    try:
        return pc.cast(value, pa.string()).as_py()
    except (pa.ArrowException, ValueError, OverflowError):
        return f"a {value.type} that cannot be shown"
