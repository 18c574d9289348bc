"""A few rows of a shard in words: what `lsml show` prints."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError
from lsml_spark.data.parquet.fields import Layout, layout_of
from lsml_spark.data.parquet.files import UNREADABLE
from lsml_spark.media.image import size_of
from lsml_spark.shard.decode import decoded

FIRST = 4  # values of a tensor or a list that are shown
PNG = b"\x89PNG"


def rows(shard: Path, count: int, columns: Sequence[str] = ()) -> list[dict[str, str]]:
    """The first `count` rows, each value in words; a record's columns one by one. Of a folder: of its files,
    in order of names.

    ConfigError for a file or a column that is not there, IntegrityError for a file that is damaged.
    """
    if shard.is_dir():
        return _of_folder(shard, count, columns)
    if not shard.is_file():
        raise ConfigError(f"{shard}: there is no such file")
    try:
        with pq.ParquetFile(shard, page_checksum_verification=True) as file:
            schema = file.schema_arrow
            layouts = {field.name: layout_of(field) for field in schema}
            column_of = _wanted(shard, layouts, columns)
            head = pa.Table.from_batches(
                list(_head(file, count, list(dict.fromkeys(column_of.values())))),
                schema=_select(schema, column_of),
            )
        table = decoded(head)
    except PermissionError as error:
        raise EnvironmentProblem(
            f"{shard}: may not be read ({error.strerror or error}); change its permissions"
        ) from error
    except UNREADABLE as error:
        raise IntegrityError(
            f"{shard}: cannot be read ({' '.join(str(error).split())}); `lsml verify` says which files are "
            "damaged"
        ) from error
    return [
        {name: _in_words(row[name], layouts.get(name, Layout("scalar"))) for name in column_of}
        for row in table.to_pylist()
    ]


def _of_folder(folder: Path, count: int, columns: Sequence[str]) -> list[dict[str, str]]:
    files = [
        path
        for path in sorted(folder.rglob("*.parquet"))
        if path.is_file() and not path.name.startswith((".", "_"))
    ]
    if not files:
        raise ConfigError(f"{folder}: holds no file that ends in .parquet")
    shown: list[dict[str, str]] = []
    for path in files:
        if len(shown) < count:
            shown += rows(path, count - len(shown), columns)
    return shown


def _wanted(shard: Path, layouts: dict[str, Layout], columns: Sequence[str]) -> dict[str, str]:
    """Name as shown → column of the file."""
    known = {shown: name for name, layout in layouts.items() for shown in (layout.columns or (name,))}
    for name in columns:
        if name not in known:
            raise ConfigError(f"{shard}: no column '{name}'{did_you_mean(name, list(known))}")
    return {name: known[name] for name in columns or known}


def _select(schema: pa.Schema, column_of: dict[str, str]) -> pa.Schema:
    return pa.schema([field for field in schema if field.name in set(column_of.values())])


def _head(file: pq.ParquetFile, count: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in file.iter_batches(batch_size=max(count, 1), columns=columns):
        if count <= 0:
            return
        yield batch.slice(0, count)
        count -= batch.num_rows


def _in_words(value: object, layout: Layout) -> str:
    if layout.kind == "tensor":
        flat = np.asarray(value).ravel()
        return f"{layout.dtype} {'×'.join(map(str, layout.shape))}: {_some(flat.tolist())}"
    if layout.kind == "ragged":
        assert isinstance(value, list)
        return f"{len(value)} × {layout.dtype}: {_some(value)}"
    if isinstance(value, bytes):
        return _bytes_in_words(value)
    if isinstance(value, float):
        return f"{value:.7g}"
    return str(value)


def _some(values: list[float]) -> str:
    shown = ", ".join(f"{value:.6g}" if isinstance(value, float) else str(value) for value in values[:FIRST])
    return f"[{shown}, …]" if len(values) > FIRST else f"[{shown}]"


def _bytes_in_words(data: bytes) -> str:
    size = f"{len(data)} bytes" if len(data) < 1000 else f"{len(data) / 1000:.0f} kB"
    width, height = size_of(data)
    if width:
        return f"{'PNG' if data.startswith(PNG) else 'JPEG'} {width}×{height}, {size}"
    return f"{size}: {data[:8].hex(' ')}{' …' if len(data) > 8 else ''}"
