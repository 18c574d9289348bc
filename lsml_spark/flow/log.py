"""Log lines with date and stage: short on standard error, and with time and tracebacks in
runs/<pipeline>/lsml.log.
"""

import datetime
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsml_spark.core import stopping
from lsml_spark.core.terminal import plain
from lsml_spark.core.variables import mask

LOG = logging.getLogger("lsml")
UNSAID = {"date": "-", "stage": "-"}


class _Plain(logging.Formatter):
    """What comes from data and file names is shown, not obeyed; values of variables are written nowhere.
    Tracebacks included.
    """

    def format(self, record: logging.LogRecord) -> str:
        return plain(mask(super().format(record)))


class _Console(logging.StreamHandler):
    """Writes to what standard error is now, not to what it was when the handler was made."""

    def __init__(self) -> None:
        logging.Handler.__init__(self, logging.INFO)
        self.standing = False  # a line without its end
        self.setFormatter(_Plain("%(date)s %(stage)-8s %(message)s", defaults=UNSAID))

    @property
    def stream(self):  # type: ignore[no-untyped-def]
        return sys.stderr

    def emit(self, record: logging.LogRecord) -> None:
        """On a terminal a line that the next makes old (`passing`) is drawn over the one before; elsewhere it
        is a line as any other.
        """
        passes = getattr(record, "passing", False) and self.stream.isatty()
        if passes:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be drawn over
            self.stream.write(f"\r\x1b[2K{self.format(record)[:width]}")
            self.stream.flush()
        else:
            self.end_line()
            super().emit(record)
        self.standing = passes

    def end_line(self) -> None:
        """Leave a line that was drawn over standing, and begin a new one."""
        if self.standing:
            self.standing = False
            self.stream.write("\n")
            self.stream.flush()


def say(
    date: datetime.date, stage: str, message: str, level: int = logging.INFO, passing: bool = False
) -> None:
    """One structured line; DEBUG goes to the file alone. `passing`: the next one makes it old."""
    LOG.log(level, message, extra={"date": date.isoformat(), "stage": stage, "passing": passing})


def end_line() -> None:
    """End the line that is being drawn over, before anything else is printed."""
    for handler in LOG.handlers:
        if isinstance(handler, _Console):
            handler.end_line()


def to_console() -> None:
    """Show lines on standard error."""
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    if not any(isinstance(handler, _Console) for handler in LOG.handlers):
        LOG.addHandler(_Console())


@contextmanager
def to_file(path: Path) -> Iterator[None]:
    """Also append lines to a file while the body runs; an exception that leaves the body is written with its
    traceback.
    """
    handler = logging.FileHandler(path, delay=True)
    form = "%(asctime)s %(levelname)s date=%(date)s stage=%(stage)s %(message)s"
    handler.setFormatter(_Plain(form, defaults=UNSAID))
    LOG.addHandler(handler)
    try:
        with stopping.logging_to(path.absolute()):
            yield
    except BaseException:
        LOG.debug("stopped", exc_info=True)
        raise
    finally:
        LOG.removeHandler(handler)
        handler.close()
