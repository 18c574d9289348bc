"""From exceptions to exit codes: one line on the screen, the traceback in the log."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lsml_spark.core.errors import EnvironmentProblem, LsmlError

NO_SPACE = ("No space left on device", f"[Errno {errno.ENOSPC}]", "Disk quota exceeded")


@contextmanager
def guarded() -> Iterator[None]:
    """End the process with the documented exit code if the body fails; 1, and `a bug`, for what no one foresaw."""
    try:
        yield
    except Exception as error:
        known = translate(error)
        line = " ".join(str(known or error).split())
        if known is None:
            where = f"{type(error).__name__}: " if not isinstance(error, LsmlError) else ""
            print(f"error: this is a bug of lsml: {where}{line[:500]} (traceback in lsml.log)", file=sys.stderr)
            sys.exit(1)
        print(f"error: {line}", file=sys.stderr)
        sys.exit(known.exit_code)
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)


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
