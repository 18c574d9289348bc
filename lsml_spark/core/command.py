"""The command line of a hint: complete and quoted, so that it runs where it is pasted."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

RUNS = Path("runs")  # where `--root` points unless it is given


def command_line(verb: str, pipeline: Path, *words: str, overrides: Sequence[str] = (), root: Path = RUNS) -> str:
    """`lsml VERB PIPELINE WORDS --set … --root …`, quoted for a POSIX shell; `--root` only where it is not the default one.

    Paths below the current folder are shown relative to it, as they were most likely typed.
    """
    said = ["lsml", *verb.split(), _short(pipeline), *words]
    for override in overrides:
        said += ["--set", override]
    if root.resolve() != RUNS.resolve():
        said += ["--root", _short(root)]
    return shlex.join(said)


def _short(path: Path) -> str:
    whole, here = os.path.abspath(path), os.getcwd()
    inside = os.path.commonpath([whole, here]) == here
    short = os.path.relpath(whole, here) if inside else str(path)
    return f"./{short}" if short.startswith("-") else short
