"""Local paths as Hadoop and Spark take them: every path that Spark is handed goes through `literal`.

Python opens the file of that name. Hadoop takes the same text for a pattern (`*`, `?`, `[12]`, `{a,b}`, a
backslash), passes over files whose name begins with `_` or `.`, and cannot spell some names at all. What
cannot be read under its own name is refused here, for another file read in its place is worse than none.
"""

import os
import re
from pathlib import Path

from lsml_spark.core.errors import ConfigError

PATTERN = re.compile(r"([*?\[\]{}\\])")
RENAME = "rename it, or name a link to it in its place"


def literal(path: Path | str) -> str:
    """The text under which Spark reads exactly this file or folder. ConfigError where there is none."""
    if reason := unspeakable(Path(path)):
        raise ConfigError(f"{shown(path)}: {reason}")
    return PATTERN.sub(r"\\\1", os.path.abspath(path))  # Java's working folder may be another


def unspeakable(path: Path) -> str | None:
    """Why Spark cannot be handed this path, if it cannot."""
    name = path.name
    if not path.is_dir() and hidden(name):
        return f"Spark passes over files whose names begin with '_' or '.' or end in '._COPYING_'; {RENAME}"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return f"its name is no UTF-8, and Java cannot spell it; {RENAME}"
    if ":" in name and not path.is_dir():
        return f"Hadoop reads no file with a ':' in its name; {RENAME}"
    if ":" in str(path) and PATTERN.search(str(path)):
        return f"Hadoop reads no path with both a ':' and one of * ? [ ] {{ }} \\ in it; {RENAME}"
    return None


def hidden(name: str) -> bool:
    """Whether Hadoop's listings leave a file of this name out."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")


def shown(path: Path | str) -> str:
    """A path for an error message: bytes that are no UTF-8 as escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")
