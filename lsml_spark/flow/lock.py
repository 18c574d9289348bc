"""One run at a time per pipeline."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lsml_spark.core.errors import LockedError
from lsml_spark.flow import log
from lsml_spark.flow.layout import Runs

LOCK, LOG = ".lock", "lsml.log"


@contextmanager
def writing(runs: Runs) -> Iterator[None]:
    """Hold the pipeline's lock, and write its log, while the body changes the runs; LockedError at once where
    it is held.

    The kernel lets go of the lock when the holder dies. A body that was refused leaves no folder where there
    was none.
    """
    made = [folder for folder in (runs.folder, *runs.folder.parents) if not folder.exists()]
    runs.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs.folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(
            f"another run of '{runs.pipeline}' holds {lock.lock_file}; wait for it, or run with another "
            "--root"
        ) from None
    try:
        with log.to_file(runs.folder / LOG):
            yield
    except Exception:
        if made and {path.name for path in runs.folder.iterdir()} <= {LOCK, LOG}:
            with suppress(OSError):
                shutil.rmtree(runs.folder)
                for folder in made[1:]:
                    folder.rmdir()
        raise
    finally:
        lock.release()


def held(runs: Runs) -> bool:
    """Whether a run goes on beside this process, as far as the kernel's table of locks tells (Linux); the
    lock is not touched.
    """
    try:
        status = os.stat(runs.folder / LOCK)
        table = Path("/proc/locks").read_text()
    except OSError:
        return False
    locks = [line.split() for line in table.splitlines() if "FLOCK" in line]
    # devices are not named alike
    return any(words[5].rpartition(":")[2] == str(status.st_ino) for words in locks if len(words) > 5)
