"""What a shard's column holds: the `lsml` metadata of its Parquet field, written by `shard/` and read by
`data/`.

scalar: a flat column of numbers or booleans · text, bytes: one value per row, kept as it is · ragged: a list
of numbers per row, as binary of its raw little-endian values · tensor: an array of one shape, as
FIXED_LEN_BYTE_ARRAY of its raw little-endian values in C order · record: several scalar columns of one dtype
side by side, as FIXED_LEN_BYTE_ARRAY; `columns` names them in order.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

NAME = b"lsml"
Kind = Literal["scalar", "text", "bytes", "ragged", "tensor", "record"]


@dataclass(frozen=True)
class Layout:
    """`dtype`: numpy's name, of ragged, tensor and record; `shape`: of one row's tensor; `columns`: of a
    record.
    """

    kind: Kind
    dtype: str | None = None
    shape: tuple[int, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Bytes of one row of a tensor or a record."""
        shape = self.shape if self.kind == "tensor" else (len(self.columns),)
        return math.prod(shape) * np.dtype(self.dtype).itemsize

    def metadata(self) -> dict[bytes, bytes]:
        """As a field's metadata; what is empty is left out."""
        settings = {name: value for name, value in asdict(self).items() if value}
        return {NAME: json.dumps(settings, sort_keys=True).encode()}


def layout_of(field: pa.Field) -> Layout:
    """The layout of a Parquet column, guessed from its type where the file is not one of ours. ValueError if
    it is damaged.
    """
    raw = (field.metadata or {}).get(NAME)
    if raw is None:
        return Layout(_guess(field.type))
    try:
        settings = json.loads(raw)
        lists: dict[str, Any] = {
            name: tuple(settings[name]) for name in ("shape", "columns") if name in settings
        }
        layout = Layout(**{**settings, **lists})
        wrong = _wrong(layout, field.type)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        wrong = str(error)
    if wrong:
        raise ValueError(f"column '{field.name}': its layout {raw[:200]!r} is damaged ({wrong})")
    return layout


def _wrong(layout: Layout, type_: pa.DataType) -> str:
    """Why a column of that type cannot have the layout; empty where it can."""
    if layout.kind not in get_args(Kind):
        return f"there is no kind {layout.kind!r}"
    if layout.kind not in ("ragged", "tensor", "record"):
        return ""
    if not isinstance(layout.dtype, str) or np.dtype(layout.dtype).kind not in "biuf":
        return f"{layout.dtype!r} is no type of numbers"
    if any(not isinstance(length, int) or length < 0 for length in layout.shape):
        return f"{layout.shape} is no shape"
    if any(not isinstance(name, str) for name in layout.columns):
        return f"{layout.columns} are no names"
    if layout.kind == "ragged":
        return (
            ""
            if pa.types.is_binary(type_) or pa.types.is_large_binary(type_)
            else f"a list of numbers is stored as {type_}"
        )
    stored = type_.byte_width if pa.types.is_fixed_size_binary(type_) else None
    return "" if stored == layout.width else f"{layout.width} bytes a row are stored as {type_}"


def _guess(type_: pa.DataType) -> Kind:
    if pa.types.is_dictionary(type_):
        return _guess(type_.value_type)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return "text"
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return "bytes"
    return "scalar"
