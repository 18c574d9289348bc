"""The command that runs a night again: what a manifest notes in its `run` block and the report prints for a shell.

Made of what the user gave: the pipeline's path, every `--set`, the root. It stands outside every identity, for the same night may be
run from anywhere. What `--set` gives to a key that sounds like a secret is masked; `${NAME}` stays as it was written.
"""

import datetime
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from lsml_spark.core.command import command_line
from lsml_spark.core.variables import mask

MASK = "***"
_SECRET = r"(?:password|passwd|passphrase|secret|token(?!s|iz)|credential|api[._-]?key|access[._-]?key|account[._-]?key|private[._-]?key)"
_KEY = re.compile(_SECRET, re.IGNORECASE)
_INSIDE = re.compile(rf"""([\w.-]*{_SECRET}[\w.-]*["']?\s*[:=]\s*)(\$\{{\w+\}}|"[^"]*"|'[^']*'|[^\s,}}\]]+)""", re.IGNORECASE)
_NAMED = re.compile(r"\$\{\w+\}")


def words(pipeline: Path, date: datetime.date, overrides: Sequence[str], root: Path) -> list[str]:
    """`lsml run …` as a list of words; the root is left out where it is `runs` in the current folder."""
    said = command_line("run", pipeline, "--date", date.isoformat(), overrides=[masked(override) for override in overrides], root=root)
    return [mask(word) for word in shlex.split(said)]


def masked(override: str) -> str:
    """`key=value` with the value of a secret as ***, also of one inside a mapping: `raw={token: abc}`."""
    key, sign, value = override.partition("=")
    if not sign or _NAMED.fullmatch(value):
        return override
    return f"{key}={MASK}" if _KEY.search(key) else f"{key}={_INSIDE.sub(_hidden, value)}"


def _hidden(match: re.Match[str]) -> str:
    return match[0] if _NAMED.fullmatch(match[2].strip("\"'")) else f"{match[1]}{MASK}"
