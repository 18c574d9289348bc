"""What a manifest says of the row groups of its files, against what their footers say.

The plan of an epoch is made of the manifest's numbers alone. One row group left out there, or counted
otherwise, would be rows that training never sees, and nobody would be told.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import NAME, File, Table


def row_groups_of(
    folder: Path | str, files: Iterable[File], rows: int | None = None
) -> dict[str, tuple[int, ...]]:
    """Rows of the row groups of each file, by its path. IntegrityError, naming the manifest, for counts that
    there cannot be.

    `rows`: of the table, where `files` are all of it.
    """
    rows_by_file: dict[str, tuple[int, ...]] = {}
    for file in files:
        if wrong := _wrong(file) or (
            "is named twice" if f"{str(folder).rstrip('/')}/{file.path}" in rows_by_file else ""
        ):
            raise IntegrityError(f"{folder}/{NAME}: {file.path} {wrong}; run the stage again")
        rows_by_file[f"{str(folder).rstrip('/')}/{file.path}"] = tuple(file.row_groups)
    if rows is not None and (counted := sum(map(sum, rows_by_file.values()))) != rows:
        raise IntegrityError(
            f"{folder}/{NAME}: its files have {counted:,} rows together, the table {rows:,}; run the stage "
            "again"
        )
    return rows_by_file


def differ(manifest_rows: Sequence[int], footer_rows: Sequence[int]) -> str:
    """How a footer's row groups differ from what a manifest tells, in words."""
    if len(manifest_rows) != len(footer_rows):
        return f"its footer has {len(footer_rows)} row groups, its manifest says {len(manifest_rows)}"
    place = next(place for place, (a, b) in enumerate(zip(manifest_rows, footer_rows, strict=True)) if a != b)
    return (
        f"its row group {place} has {footer_rows[place]:,} rows, its manifest says {manifest_rows[place]:,}"
    )


def row_groups_differ(folder: Path, table: Table) -> Iterator[str]:
    """What is wrong with the counts of a table, a problem a file: row groups against footers, rows of files
    and their sum.
    """
    for file in table.files:
        path = folder / file.path
        if wrong := _wrong(file):
            yield f"{folder / NAME}: {file.path} {wrong}"
            continue
        if not path.is_file():
            continue  # said where bytes are looked at
        try:
            footer = pq.read_metadata(path)
            actual = [footer.row_group(index).num_rows for index in range(footer.num_row_groups)]
        except (OSError, ValueError, pa.ArrowException) as error:
            yield f"{path}: cannot be read ({' '.join(str(error).split())})"
            continue
        if file.row_groups != actual:
            yield f"{path}: {differ(file.row_groups, actual)}"
    if (rows := sum(file.rows or 0 for file in table.files)) != table.rows:
        yield f"{folder / NAME}: its files have {rows:,} rows together, the table {table.rows:,}"


def _wrong(file: File) -> str:
    """Why the counts of a file's entry cannot be."""
    counts = file.row_groups
    if not isinstance(counts, list) or any(
        not isinstance(count, int) or isinstance(count, bool) or count < 0 for count in counts
    ):
        return f"has row groups of {str(counts)[:80]} rows, which are no counts"
    if sum(counts) != file.rows:
        return f"has row groups of {sum(counts):,} rows together, and {str(file.rows)[:20]} rows"
    return ""
