"""Command lines as a person would type them: in hints, and in a manifest's `run` block for the report to
print.

Made of what the user gave: the pipeline's path, every `--set`, the root; quoted, so that they run where they
are pasted. What `--set` gives to a key that sounds like a secret is masked; `${NAME}` stays as it was
written.
"""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

RUNS = Path("runs")  # where `--root` points unless it is given
MASK = "***"
_SECRET = (
    r"(?:password|passwd|passphrase|secret|token(?!s|iz)|credential|"
    r"api[._-]?key|access[._-]?key|account[._-]?key|private[._-]?key)"
)
_KEY = re.compile(_SECRET, re.IGNORECASE)
_INSIDE = re.compile(
    rf"""([\w.-]*{_SECRET}[\w.-]*["']?\s*[:=]\s*)(\$\{{\w+\}}|"[^"]*"|'[^']*'|[^\s,}}\]]+)""", re.IGNORECASE
)
_NAMED = re.compile(r"\$\{\w+\}")


def command_words(
    verb: str, pipeline: Path, *words: str, overrides: Sequence[str] = (), root: Path = RUNS
) -> list[str]:
    """`lsml VERB PIPELINE WORDS --set … --root …` as a list of words; `--root` only where it is not the
    default one.

    Paths below the current folder are relative to it, as they were most likely typed.
    """
    sets = [word for override in overrides for word in ("--set", masked(override))]
    where = [] if root.resolve() == RUNS.resolve() else ["--root", _short(root)]
    return ["lsml", *verb.split(), _short(pipeline), *words, *sets, *where]


def command_line(
    verb: str, pipeline: Path, *words: str, overrides: Sequence[str] = (), root: Path = RUNS
) -> str:
    """The same, quoted for a POSIX shell."""
    return shlex.join(command_words(verb, pipeline, *words, overrides=overrides, root=root))


def masked(override: str) -> str:
    """`key=value` with the value of a secret as ***, also of one inside a mapping: `raw={token: abc}`."""
    key, sign, value = override.partition("=")
    if not sign or _NAMED.fullmatch(value):
        return override
    return f"{key}={MASK}" if _KEY.search(key) else f"{key}={_INSIDE.sub(_hidden, value)}"


def _hidden(match: re.Match[str]) -> str:
    return match[0] if _NAMED.fullmatch(match[2].strip("\"'")) else f"{match[1]}{MASK}"


def _short(path: Path) -> str:
    whole, here = os.path.abspath(path), os.getcwd()
    inside = os.path.commonpath([whole, here]) == here
    short = os.path.relpath(whole, here) if inside else str(path)
    return f"./{short}" if short.startswith("-") else short
