"""What a path means: the stage folder of shards, one of its tables, or any Parquet files without a
manifest.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from lsml_spark.core.config import did_you_mean, digest
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.manifest import Manifest
from lsml_spark.data.parquet.files import Group, Opened
from lsml_spark.data.parquet.footers import row_groups_of
from lsml_spark.data.parquet.schema import Schema, of_files
from lsml_spark.data.parquet.shards import Filter, Shards, groups_of
from lsml_spark.data.parquet.store import Patience, Store

AT_ONCE = 16  # footers (or filter columns) read at the same time
Paths = str | Path | Sequence[str | Path]


def find(
    path: Paths, table: str, filesystem: fs.FileSystem | None, patience: Patience
) -> tuple[Shards, str, bool]:
    """The row groups at `path`, in order, a name of their content that outlives a move to another folder, and
    whether a manifest told.

    A manifest tells all; without one the footers of all files are read, by threads. ConfigError where there
    is nothing to read.
    """
    paths = _paths(path)
    store, root = Store.of(paths[0], filesystem, patience)
    if len(paths) == 1:
        for folder, name in ((root, table), _parent(root)):
            made = store.manifest(folder) if folder else None
            if made is not None and (folder == root or name in made.tables):
                return *_told(store, folder, made, name, str(path)), True
    files = [file for one in paths for file in _files(store, Store.of(one, filesystem, patience)[1])]
    if not files:
        raise ConfigError(f"{path}: no Parquet file there, nor a manifest.json")
    if twice := next((file for file, count in Counter(files).items() if count > 1), None):
        raise ConfigError(
            f"path: {twice} is named twice, and each of its rows would come twice; name it once"
        )
    return *_looked_up(store, files, str(path) if len(paths) == 1 else f"{paths[0]} …"), False


def filtered(shards: Shards, filters: Any) -> Shards:
    """The same with only the rows that a predicate keeps: a pyarrow expression, or tuples as in
    `pyarrow.parquet.read_table`.

    The columns that it names are read here once, to count the rows that are left in each row group.
    ConfigError for what is no predicate.
    """
    try:
        expression = filters if isinstance(filters, pc.Expression) else pq.filters_to_expression(filters)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"filters: {' '.join(str(error).split())}; give a pyarrow expression or tuples (column, "
            "operator, value)"
        ) from error
    if not shards.groups:
        return shards
    schema = shards.schema()
    words = set(re.findall(r"\w+", str(expression)))
    known = schema.names
    names = tuple(
        name for name in known if name in words or (not name.isidentifier() and name in str(expression))
    )
    if not names:
        raise ConfigError(f"filters: {expression} names no column{did_you_mean(str(expression), known)}")
    try:
        pa.table({name: pa.array([], _type(schema, name)) for name in names}).filter(expression)
    except (ValueError, TypeError, pa.ArrowException) as error:
        raise ConfigError(
            f"filters: {expression} cannot be asked of these columns ({' '.join(str(error).split())})"
        ) from error
    kept = replace(shards, filter=Filter(expression, names))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="filter") as pool:
        rows_G = list(pool.map(lambda group: len(kept.files.passing(group, expression, names)), kept.groups))
    return replace(
        kept, groups=tuple(replace(group, rows=rows) for group, rows in zip(kept.groups, rows_G, strict=True))
    )


def _type(schema: Schema, name: str) -> pa.DataType:
    """Of the values that a predicate sees. ValueError for a column of lists or tensors."""
    stored, place = schema.source(name)
    column = schema.columns[stored]
    if column.layout.kind in ("tensor", "ragged") or (column.layout.kind == "record" and place is None):
        raise ValueError(f"'{name}' holds more than one value a row")
    return column.type if place is None else pa.from_numpy_dtype(np.dtype(column.layout.dtype))


def _parent(root: str) -> tuple[str, str]:
    folder, _, name = root.rstrip("/").rpartition("/")
    return folder, name


def _told(store: Store, folder: str, manifest: Manifest, table: str, path: str) -> tuple[Shards, str]:
    if table not in manifest.tables:
        raise ConfigError(
            f"{path}: its manifest has no table '{table}'{did_you_mean(table, list(manifest.tables))}"
        )
    rows_by_file = row_groups_of(folder, manifest.tables[table].files, manifest.tables[table].rows)
    return Shards(
        groups_of(rows_by_file), (), store=store, row_groups=rows_by_file
    ), f"{manifest.identity}/{table}"


def _paths(path: Paths) -> list[str | Path]:
    """One or more paths. ConfigError for what is none."""
    paths = [path] if isinstance(path, str | Path) else list(path) if isinstance(path, Iterable) else []
    if not paths:
        raise ConfigError(f"path: {path!r}, expected a folder, a file, or a list of files with at least one")
    for one in paths:
        if not isinstance(one, str | Path) or not str(one) or "\0" in str(one):
            raise ConfigError(f"path: {one!r} is not the path of a file or a folder")
    return paths


def _files(store: Store, path: str) -> list[str]:
    """The files that a path names: what is there under this very name; else, where it has wildcards, those
    that fit the pattern.
    """
    kind = store.kind(path)
    if kind is not None:
        return store.list(path) if kind == "folder" else [path]
    parts = path.split("/")
    plain = next((place for place, part in enumerate(parts) if re.search(r"[*?\[]", part)), None)
    if plain is None:
        raise ConfigError(f"{path}: there is no such file or folder")
    while store.kind("/".join(parts[: plain + 1])) == "folder":  # a folder whose own name has brackets
        plain += 1
    folder, pattern = (
        "/".join(parts[:plain]) or ("/" if path.startswith("/") else "."),
        "/".join(parts[plain:]),
    )
    if store.kind(folder) != "folder":
        raise ConfigError(f"{path}: there is no folder {folder}")
    below = 0 if folder == "." else len(folder.rstrip("/")) + 1
    return [file for file in store.list(folder) if fnmatchcase(file[below:], pattern)]


def _looked_up(store: Store, files: list[str], where: str) -> tuple[Shards, str]:
    """Without a manifest: rows and columns from all the footers. IntegrityError for a file that cannot be
    opened.
    """
    shards = Shards((), (), store=store)
    rows_by_file: dict[str, tuple[int, ...]] = {}

    # one after the other, so that few maps of files are open at once
    def opened() -> Iterator[tuple[str, Opened]]:
        for file, footer in zip(
            files, pool.map(lambda file: shards.files.schema_of(Group(file, 0, 0)), files), strict=True
        ):
            rows_by_file[file] = footer.row_groups
            yield file, footer

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="footers") as pool:
        seen = of_files(where, opened())
    name = digest([[Path(file).name, list(rows)] for file, rows in rows_by_file.items()])
    return replace(shards, groups=groups_of(rows_by_file), seen=seen), name
