"""What making a batch adds to its stored rows, in bytes: known from headers and lengths before a byte of it
is taken.
"""

from collections.abc import Mapping

import numpy as np

from lsml_spark.data.batch import Column, Ragged
from lsml_spark.media.image import Image, bytes_of


def added(
    columns: Mapping[str, Column], rows: int, pad: Mapping[str, int], decode: Mapping[str, Image], fill: bool
) -> int:
    """Of some steps' `columns`: their images decoded, their lists padded and, with `fill`, all filled up to
    `rows` rows.
    """
    total = 0
    for name, column in columns.items():
        length = len(column)
        if name in decode and not isinstance(column, Ragged):
            total += _up(bytes_of(column.tolist(), decode[name]), length, rows if fill else length)
        elif name in pad and isinstance(column, Ragged):
            # array, gathered values, mask, their places
            each = 2 * column.values_T.dtype.itemsize + 1 + np.dtype(np.int64).itemsize
            total += pad[name] * each * (rows if fill else length)
        elif fill and length < rows and not isinstance(column, Ragged):
            total += rows * (column.itemsize * int(np.prod(column.shape[1:], dtype=np.int64)))
    return total


def _up(size: int, rows: int, target: int) -> int:
    """The size of `target` rows where `rows` have `size`."""
    return size if rows >= target else size + size * target // max(rows, 1)
