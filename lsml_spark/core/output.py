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
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper) or stream is not sys.__stdout__:
        return
    stream.flush()
    raw = io.BufferedWriter(_Output(stream.fileno(), "w", closefd=False))
    lines = stream.line_buffering
    sys.stdout = io.TextIOWrapper(
        raw,
        stream.encoding,
        errors="backslashreplace",
        line_buffering=lines,
        write_through=stream.write_through,
    )
