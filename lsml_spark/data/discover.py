"""What a path means: the stage folder of shards, one of its tables, or any Parquet files without a manifest."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from lsml_spark.core.config import did_you_mean, digest
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.manifest import Manifest
from lsml_spark.data.files import Group
from lsml_spark.data.shards import Filter, Shards
from lsml_spark.data.store import Patience, Store

AT_ONCE = 16  # footers (or filter columns) read at the same time
Paths = str | Path | Sequence[str | Path]


def find(path: Paths, table: str, filesystem: fs.FileSystem | None, patience: Patience) -> tuple[Shards, str, bool]:
    """The row groups at `path`, in order, a name of their content that outlives a move to another folder, and whether a manifest told.

    A manifest tells all; without one the footers of all files are read, by threads. ConfigError where there is nothing to read.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    if not paths:
        raise ConfigError("path: an empty list of files")
    store, root = Store.of(paths[0], filesystem, patience)
    if len(paths) == 1:
        for folder, name in ((root, table), _parent(root)):
            found = store.manifest(folder) if folder else None
            if found is not None and (folder == root or name in found.tables):
                return *_told(store, folder, found, name, str(path)), True
    files = [file for one in paths for file in _files(store, Store.of(one, filesystem, patience)[1])]
    if not files:
        raise ConfigError(f"{path}: no Parquet file there, nor a manifest.json")
    return *_looked_up(store, files), False


def filtered(shards: Shards, filters: Any) -> Shards:
    """The same with only the rows that a predicate keeps: a pyarrow expression, or tuples as in `pyarrow.parquet.read_table`.

    The columns that it names are read here once, to count the rows that are left in each row group. ConfigError for what is no predicate.
    """
    try:
        expression = filters if isinstance(filters, pc.Expression) else pq.filters_to_expression(filters)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"filters: {' '.join(str(error).split())}; give a pyarrow expression or tuples (column, operator, value)"
        ) from error
    if not shards.groups:
        return shards
    opened = shards.files.schema_of(shards.groups[0])
    words = set(re.findall(r"\w+", str(expression)))
    known = [*opened.layouts, *opened.packed]
    names = tuple(name for name in known if name in words or (not name.isidentifier() and name in str(expression)))
    if not names:
        raise ConfigError(f"filters: {expression} names no column{did_you_mean(str(expression), known)}")
    kept = replace(shards, filter=Filter(expression, names))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="filter") as pool:
        rows_G = list(pool.map(lambda group: len(kept.files.passing(group, expression, names)), kept.groups))
    return replace(kept, groups=tuple(replace(group, rows=rows) for group, rows in zip(kept.groups, rows_G, strict=True)))


def _parent(root: str) -> tuple[str, str]:
    folder, _, name = root.rstrip("/").rpartition("/")
    return folder, name


def _told(store: Store, folder: str, manifest: Manifest, table: str, path: str) -> tuple[Shards, str]:
    if table not in manifest.tables:
        raise ConfigError(f"{path}: its manifest has no table '{table}'{did_you_mean(table, list(manifest.tables))}")
    paths = [(f"{folder.rstrip('/')}/{file.path}", file.row_groups) for file in manifest.tables[table].files]
    groups = [Group(path, index, rows) for path, row_groups in paths for index, rows in enumerate(row_groups)]
    return Shards(tuple(groups), (), store=store), f"{manifest.identity}/{table}"


def _files(store: Store, path: str) -> list[str]:
    if wild := re.search(r"[*?\[]", path):
        folder = path[: wild.start()].rpartition("/")[0]
        return [file for file in store.list(folder or ".") if fnmatch(file, path)]
    return store.list(path) if store.is_folder(path) else [path]


def _looked_up(store: Store, files: list[str]) -> tuple[Shards, str]:
    shards = Shards((), (), store=store)

    def rows_of(file: str) -> list[int]:
        footer = shards.files.schema_of(Group(file, 0, 0)).footer
        return [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="footers") as pool:
        rows = list(pool.map(rows_of, files))
    groups = [Group(file, index, count) for file, counts in zip(files, rows, strict=True) for index, count in enumerate(counts)]
    return replace(shards, groups=tuple(groups)), digest([[Path(file).name, counts] for file, counts in zip(files, rows, strict=True)])
