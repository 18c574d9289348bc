"""How large the columns of a row group are when decoded, before they are: a few bytes of a file can stand for
many.

Numbers tell it by their rows. Texts of a dictionary can be any number of times larger than they are stored,
so where they might be too large, they are counted by the lengths in the dictionary.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core.errors import IntegrityError
from lsml_spark.data.parquet import pages
from lsml_spark.data.parquet.columns import numpy_type
from lsml_spark.data.parquet.files import UNREADABLE, Files, Group, Opened, chunk_bytes


def decoded_bytes(files: Files, group: Group, names: Sequence[str], limit: int) -> int:
    """Of the named columns, 0 for those that are seen in place. What might be over `limit` is looked at more
    closely, once.

    IntegrityError for a file that cannot be read; a column that is not there counts nothing.
    """
    opened = files.schema_of(group)
    if group.index >= len(opened.row_groups):
        return 0
    leaves = [(name, leaf) for name in names for leaf in opened.leaves_below.get(name, [])]
    return sum(_leaf(files, opened, group, name, leaf, limit) for name, leaf in leaves)


def _leaf(files: Files, opened: Opened, group: Group, name: str, leaf: str, limit: int) -> int:
    chunk = pages.chunk_of(opened.footer, group.index, opened.leaves[leaf])
    if chunk.plain and opened.mapped is not None:
        return 0
    unpacked = _unpacked(opened, chunk)
    if chunk.width:
        type_ = opened.schema.field(name).type
        narrow = leaf == name and pa.types.is_integer(type_)  # Parquet keeps int8 as int32
        return max(chunk.rows * (numpy_type(type_).itemsize if narrow else chunk.width), *unpacked)
    meta = opened.footer.row_group(group.index).column(opened.leaves[leaf])
    stored = max(int(meta.total_uncompressed_size), sum(unpacked))
    key = str(group.path), group.index, name
    if not meta.has_dictionary_page or leaf != name or stored * chunk.rows <= limit or key in files.checked:
        return max(stored, chunk.rows // 8)
    return stored if stored > limit else _of_dictionary(files, opened, group, name)


def _unpacked(opened: Opened, chunk: pages.Chunk) -> list[int]:
    """Bytes of each page by its own header, which need not agree with the footer; [0, 0] where the file is
    not mapped, or damaged.
    """
    try:
        return (
            [0, 0, *(page.unpacked for page in pages.pages(chunk_bytes(opened.mapped, chunk)))]
            if opened.mapped is not None
            else [0, 0]
        )
    except pages.Damaged:
        return [0, 0]


def _of_dictionary(files: Files, opened: Opened, group: Group, name: str) -> int:
    """Σ lengths of the texts, and their offsets."""
    try:
        with files.parquet(
            str(group.path), opened.mapped, metadata=opened.footer, read_dictionary=[name]
        ) as file:
            column = file.read_row_group(group.index, columns=[name], use_threads=False).column(name)
        if not pa.types.is_dictionary(column.type):
            return int(column.nbytes)
        lengths = [
            pc.take(pc.binary_length(chunk.dictionary), chunk.indices).cast(pa.int64())
            for chunk in column.chunks
        ]
        return sum(pc.sum(some).as_py() or 0 for some in lengths) + 4 * len(column)
    except UNREADABLE as error:
        raise IntegrityError(
            f"{group}, column '{name}': cannot be read ({' '.join(str(error).split())}); run the shard stage "
            "again"
        ) from error
