"""From exceptions to exit codes: one line on the screen, the traceback of a bug in a file."""

import errno
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from lsml_spark.core.errors import EnvironmentProblem, LsmlError, Stopped
from lsml_spark.core.terminal import plain
from lsml_spark.flow import bug

NO_SPACE = ("No space left on device", f"[Errno {errno.ENOSPC}]", "Disk quota exceeded")


@contextmanager
def guarded() -> Iterator[None]:
    """End the process with the documented exit code if the body fails; 1, and `a bug`, for what no one foresaw.

    SIGTERM ends it with exit code 143; the training ranks take it for themselves and finish their step first.
    """
    try:
        with _stoppable():
            yield
    except Exception as error:
        known = translate(error)
        if known is None:
            where = bug.keep(traceback.format_exc()) or "could not be kept, no folder for it can be written"
            print(f"error: this is a bug of lsml: {type(error).__name__}: {_one_line(error)[:300]} (traceback: {where})", file=sys.stderr)
            sys.exit(1)
        print(f"error: {_one_line(known)}", file=sys.stderr)
        sys.exit(known.exit_code)
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)


@contextmanager
def _stoppable() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(*_: object) -> NoReturn:
    """Not an Exception, which py4j and logging would take for one of their own."""
    print("error: stopped by SIGTERM; run the same command again to go on", file=sys.stderr)
    sys.exit(Stopped.exit_code)


def _one_line(error: BaseException) -> str:
    return plain(" ".join(str(error).split()))


def translate(error: BaseException) -> LsmlError | None:
    """The LsmlError that an exception means, or None for a bug. Errors from Spark tasks are known by their text."""
    if isinstance(error, LsmlError):
        return error
    text = str(error)
    if any(sign in text for sign in NO_SPACE) or getattr(error, "errno", None) == errno.ENOSPC:
        return EnvironmentProblem(
            "no space left on the disk of the runs or of Spark's temporary files; free some and run again, nothing is lost"
        )
    if isinstance(error, PermissionError):
        return EnvironmentProblem(f"{error.filename}: no permission to read or write it")
    return None
