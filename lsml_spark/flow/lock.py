"""One run at a time per pipeline."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from lsml_spark.core.errors import LockedError
from lsml_spark.flow import log
from lsml_spark.flow.layout import Runs


@contextmanager
def writing(runs: Runs) -> Iterator[None]:
    """Hold the pipeline's lock, and write its log, while the body changes the runs; LockedError at once where it is held.

    The kernel lets go of the lock when the holder dies.
    """
    runs.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(f"another run of '{runs.pipeline}' holds {lock.lock_file}; wait for it, or run with another --root") from None
    try:
        with log.to_file(runs.folder / "lsml.log"):
            yield
    finally:
        lock.release()
