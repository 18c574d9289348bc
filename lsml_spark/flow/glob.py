"""Paths that a pattern names, as a shell finds them, except that what cannot be listed is an error, not
nothing.

`*`, `?` and `[…]` match within one name, `**` any number of folders. A name that begins with `.` or `_`
(Hadoop's hidden files: `_SUCCESS`, `.part-0.crc`) is matched only where the pattern itself begins with that
letter.
"""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lsml_spark.core.errors import ConfigError
from lsml_spark.spark.paths import hidden, shown

MAGIC = re.compile(r"[*?\[]")
MARKERS = re.compile(
    r"_(SUCCESS|metadata|common_metadata|temporary|delta_log|spark_metadata|committed_.*|started_.*)$"
)


def matches(folder: Path, pattern: str) -> Iterator[Path]:
    """What is there, dangling links included, each once. OSError where a folder on the way cannot be
    listed.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    yield from dict.fromkeys(_below(folder, parts))


def _below(folder: Path, parts: Sequence[str]) -> Iterator[Path]:
    if not parts:
        yield folder
        return
    part, *rest = parts
    if part == "**":
        yield from _below(folder, rest)
        for name in _names(folder):
            inner = folder / name
            if not hidden(name) and inner.is_dir() and not inner.is_symlink():  # a link may lead back up
                yield from _below(inner, parts)
    elif not MAGIC.search(part):
        path = folder / part
        if os.path.lexists(path) and (not rest or path.is_dir()):
            yield from _below(path, rest)
    else:
        for name in fnmatch.filter(_names(folder), part):
            path = folder / name
            if rest and not path.is_dir():
                continue
            if not hidden(name) or part[0] == name[0]:
                yield from _below(path, rest)
            elif name[0] == "_" and not MARKERS.match(name):
                raise ConfigError(
                    f"{shown(path)}: the pattern matches it, but names that begin with '_' are hidden from "
                    "Spark; rename it"
                )


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))
