"""The command that runs a night again: what a manifest notes in its `run` block and the report prints for a shell.

Made of what the user gave: the pipeline's path, every `--set`, the root. It stands outside every identity, for the same night may be
run from anywhere. What `--set` gives to a key that sounds like a secret is masked; `${NAME}` stays as it was written.
"""

import datetime
import re
from collections.abc import Sequence
from pathlib import Path

MASK = "***"
_SECRET = r"(?:password|passwd|passphrase|secret|token(?!s|iz)|credential|api[._-]?key|access[._-]?key|account[._-]?key|private[._-]?key)"
_KEY = re.compile(_SECRET, re.IGNORECASE)
_INSIDE = re.compile(rf"""([\w.-]*{_SECRET}[\w.-]*["']?\s*[:=]\s*)(\$\{{\w+\}}|"[^"]*"|'[^']*'|[^\s,}}\]]+)""", re.IGNORECASE)
_NAMED = re.compile(r"\$\{\w+\}")


def words(pipeline: Path, date: datetime.date, overrides: Sequence[str], root: Path) -> list[str]:
    """`lsml run …` as a list of words; the root is left out where it is `runs` in the current folder."""
    sets = [word for override in overrides for word in ("--set", masked(override))]
    where = [] if root == Path("runs").resolve() else ["--root", _near(root)]
    return ["lsml", "run", str(pipeline), "--date", date.isoformat(), *sets, *where]


def masked(override: str) -> str:
    """`key=value` with the value of a secret as ***, also of one inside a mapping: `raw={token: abc}`."""
    key, sign, value = override.partition("=")
    if not sign or _NAMED.fullmatch(value):
        return override
    return f"{key}={MASK}" if _KEY.search(key) else f"{key}={_INSIDE.sub(_hidden, value)}"


def _hidden(match: re.Match[str]) -> str:
    return match[0] if _NAMED.fullmatch(match[2].strip("\"'")) else f"{match[1]}{MASK}"


def _near(folder: Path) -> str:
    """Relative to the current folder where it lies in it."""
    try:
        return str(folder.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(folder)
