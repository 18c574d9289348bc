"""Folders whose Parquet files are not the rows of a table: which of them count, a log beside them says."""

from pathlib import Path


def table_format(folder: Path) -> str | None:
    """The name of the format whose log lies in this folder, if there is one."""
    if (folder / "_delta_log").is_dir():
        return "Delta"
    if (folder / ".hoodie").is_dir():
        return "Hudi"
    metadata = folder / "metadata"
    if metadata.is_dir() and (
        any(metadata.glob("*.metadata.json")) or (metadata / "version-hint.text").is_file()
    ):
        return "Iceberg"
    return None
