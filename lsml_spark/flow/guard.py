"""From exceptions to exit codes: one line on the screen, the traceback of a bug in a file."""

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from lsml_spark.core import stopping
from lsml_spark.core.terminal import plain
from lsml_spark.core.variables import mask
from lsml_spark.flow import bug
from lsml_spark.flow.translate import java_is_gone, translate


@contextmanager
def guarded() -> Iterator[None]:
    """End the process with the documented exit code if the body fails; 1, and `a bug`, for what no one
    foresaw.

    A signal ends it with 143, 130 or 129, whatever else then goes wrong (`core/stopping.py`).
    """
    with stopping.guarding():
        try:
            yield
        except KeyboardInterrupt:  # of a handler that is not ours
            print("error: interrupted; run the same command again to go on", file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and not java_is_gone(error):
                _leave_the_reader()
            if java_is_gone(error):
                # who stops all processes one by one may have reached Spark's Java first
                time.sleep(stopping.LATE)
            if stopping.came():
                stopping.end()
            _leave(error)


def _leave_the_reader() -> NoReturn:
    """`lsml status | head`: who reads has seen enough; the work was done before anything was printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer has nowhere to go
    sys.exit(0)


def _leave(error: Exception) -> None:
    known = translate(error)
    if known is None:
        where = bug.keep(mask(traceback.format_exc())) or "could not be kept, no folder for it can be written"
        print(
            f"error: this is a bug of lsml: {type(error).__name__}: {_one_line(error)[:300]} (traceback: "
            f"{where})",
            file=sys.stderr,
        )
        sys.exit(1)
    print(f"error: {_one_line(known)}", file=sys.stderr)
    sys.exit(known.exit_code)


def _one_line(error: BaseException) -> str:
    return plain(mask(" ".join(str(error).split())))
