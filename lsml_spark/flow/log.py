"""Log lines with date and stage: short on standard error, and with time and tracebacks in runs/<pipeline>/lsml.log."""

import datetime
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lsml_spark.core import stopping
from lsml_spark.core.variables import mask

LOG = logging.getLogger("lsml")
UNSAID = {"date": "-", "stage": "-"}


class _Masked(logging.Formatter):
    """Values of variables are written nowhere, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class _Console(logging.StreamHandler):
    """Writes to what standard error is now, not to what it was when the handler was made."""

    def __init__(self) -> None:
        logging.Handler.__init__(self, logging.INFO)
        self.setFormatter(_Masked("%(date)s %(stage)-8s %(message)s", defaults=UNSAID))

    @property
    def stream(self):  # type: ignore[no-untyped-def]
        return sys.stderr


def say(date: datetime.date, stage: str, message: str, level: int = logging.INFO) -> None:
    """One structured line; DEBUG goes to the file alone."""
    LOG.log(level, message, extra={"date": date.isoformat(), "stage": stage})


def to_console() -> None:
    """Show lines on standard error."""
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    if not any(isinstance(handler, _Console) for handler in LOG.handlers):
        LOG.addHandler(_Console())


@contextmanager
def to_file(path: Path) -> Iterator[None]:
    """Also append lines to a file while the body runs; an exception that leaves the body is written with its traceback."""
    handler = logging.FileHandler(path, delay=True)
    form = "%(asctime)s %(levelname)s date=%(date)s stage=%(stage)s %(message)s"
    handler.setFormatter(_Masked(form, defaults=UNSAID))
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
