"""Where the traceback of a bug goes: a new file that nobody could foresee or read, and no second error where
there is no room for it.
"""

import os
import tempfile
from pathlib import Path


def keep(traceback: str) -> Path | None:
    """Write it to a file of the temporary folder, else of the home or working folder; None where none of them
    can be written.

    `mkstemp` makes a file that was not there (a link laid out for it is not followed), for this user's eyes
    alone (0600).
    """
    for folder in (_temporary(), Path.home() if os.environ.get("HOME") else None, Path()):
        if folder is None:
            continue
        try:
            number, name = tempfile.mkstemp(prefix="lsml-bug-", suffix=".log", dir=folder)
            with open(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(traceback)
            return Path(name)
        except OSError:
            continue
    return None


def _temporary() -> Path | None:
    try:
        return Path(tempfile.gettempdir())
    except OSError:  # not one folder that can be written
        return None
