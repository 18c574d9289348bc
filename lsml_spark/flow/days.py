"""Which raw files belong to which day, told from their names: for `lsml init`, which knows a folder and
nothing else.
"""

import datetime
import itertools
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsml_spark.core.errors import ConfigError

DATE = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")


@dataclass(frozen=True)
class Days:
    """Raw files by the day in their names, and the glob pattern that finds them with `{{ date }}` in it."""

    files: Mapping[str, Sequence[Path]]
    pattern: str

    def window(self, most: int = 60) -> int:
        """Days of history that take in up to `most` of the earlier days."""
        dates = [datetime.date.fromisoformat(date) for date in sorted(self.files)][-most - 1 :]
        return max(1, (dates[-1] - dates[0]).days)


def days_of(folder: Path, endings: Sequence[str]) -> Days:
    """Sort the raw files below a folder by the date in their names or folders. ConfigError where that cannot
    be done.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is no such folder; name the folder in which your raw days lie")
    inside = sorted(
        path for path in folder.rglob("*") if path.is_file() and not _hidden(path.relative_to(folder))
    )
    known = [path for path in inside if path.name.endswith(tuple(endings))]
    if not known:
        what = f"; it holds {', '.join(path.name for path in inside[:3])}" if inside else "; it is empty"
        raise ConfigError(f"{folder}: no files that end in {', '.join(endings)}{what}")
    files, patterns = defaultdict(list), []
    for path in known:
        inner = path.relative_to(folder).as_posix()
        if found_date := DATE.search(inner):
            files[found_date.group()].append(path)
            patterns.append(_escaped(inner).replace(found_date.group(), "{{ date }}"))
    if not files:
        raise ConfigError(
            f"{known[0]}: a raw file says its day in its name or folder, such as 2024-03-04.csv; rename them"
        )
    return Days(dict(files), _common(folder, sorted(set(patterns))))


def _hidden(path: Path) -> bool:
    """Whether Spark would pass it over: names that begin with a dot or an underscore."""
    return any(part.startswith((".", "_")) for part in path.parts)


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _common(folder: Path, patterns: Sequence[str]) -> str:
    """One pattern for all: part by part what they share, with a star between beginning and end."""
    parts = [pattern.split("/") for pattern in patterns]
    if len({len(some) for some in parts}) > 1:
        raise ConfigError(
            f"{folder}: files lie at different depths ({patterns[0]}, {patterns[-1]}); name one of its "
            "folders"
        )
    return "/".join(_shared(column) for column in zip(*parts, strict=True))


def _shared(words: Sequence[str]) -> str:
    if len(set(words)) == 1:
        return words[0]
    if any("{{ date }}" in word for word in words):
        begins = {word.split("{{ date }}")[0] for word in words}
        ends = [word.split("{{ date }}", 1)[-1] for word in words]
        return f"{begins.pop() if len(begins) == 1 else '*'}{{{{ date }}}}{_shared(ends)}"
    first, last = _beginning(words), _beginning([word[::-1] for word in words])[::-1]
    return f"{first}*{last if len(first) + len(last) <= min(map(len, words)) else ''}"


def _beginning(words: Sequence[str]) -> str:
    """The letters that all words begin with."""
    return "".join(
        letters[0]
        for letters in itertools.takewhile(lambda some: len(set(some)) == 1, zip(*words, strict=False))
    )


def name_of(folder: Path) -> str:
    """A pipeline's name from the folder's: small letters, digits, - and _."""
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_")
    return name or "mine"
