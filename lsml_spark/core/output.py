"""Standard output that never decides how a command ends: who reads may go away (`lsml status | head`), and
may know few letters.
"""

import io
import os
import sys
from typing import Any


class _Output(io.FileIO):
    """Standard output; once nobody reads it any more, what is written goes nowhere."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return super().write(data)


def forgiving() -> None:
    """Make `sys.stdout` so, where it is the process's own. A letter that it cannot write is written as its
    escape.

    Where a stream was closed by who started us (`>&-`), what is written to it goes nowhere.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    found = sys.stdout
    if not isinstance(found, io.TextIOWrapper) or found is not sys.__stdout__:
        return
    found.flush()
    raw = io.BufferedWriter(_Output(found.fileno(), "w", closefd=False))
    lines = found.line_buffering
    sys.stdout = io.TextIOWrapper(
        raw,
        found.encoding,
        errors="backslashreplace",
        line_buffering=lines,
        write_through=found.write_through,
    )
