"""Media where they lie: the bytes themselves, or files below a folder."""

from pathlib import Path


def load(value: bytes | str, folder: str) -> bytes | None:
    """The bytes of a value; None where its path leads out of the folder or to no file."""
    if isinstance(value, bytes):
        return value
    root = Path(folder).resolve()
    try:
        path = (root / value).resolve()
        return path.read_bytes() if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name too long, with a NUL in it, or a ring of links
        return None
