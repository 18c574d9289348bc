"""One line less on the screen: Java's notice that Spark asked for an incubator module, which no option of
Java turns off.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lsml_spark.core import stopping

NOTICE = b"WARNING: Using incubator modules: jdk.incubator.vector"


@contextmanager
def without_incubator_warning() -> Iterator[None]:
    """A process that is started within it has a standard error that passes on all other lines, for as long as
    it lives.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no standard error
        yield
        return
    read, write = os.pipe()
    os.dup2(write, 2)
    os.close(write)
    threading.Thread(target=_pass_on, args=(read, os.dup(kept)), name="stderr", daemon=True).start()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def _pass_on(read: int, write: int) -> None:
    with open(read, "rb") as lines, open(write, "wb", buffering=0) as screen, suppress(OSError):
        for line in lines:
            # what Java says of being stopped in the middle is no news
            if line.strip() != NOTICE and not stopping.came():
                screen.write(line)
