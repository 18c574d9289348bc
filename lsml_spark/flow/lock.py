"""One run at a time per pipeline."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from lsml_spark.core.errors import LockedError
from lsml_spark.flow.layout import Runs


@contextmanager
def locked(runs: Runs) -> Iterator[None]:
    """Hold the pipeline's lock, or raise LockedError at once. The kernel lets go of it when the holder dies."""
    runs.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(f"another run of '{runs.pipeline}' holds {lock.lock_file}; wait for it, or run with another --root") from None
    try:
        yield
    finally:
        lock.release()
