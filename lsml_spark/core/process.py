"""What processes of ours agree upon: how a child dies with its parent, which exit codes may be tried again,
how it leaves.
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

PARENT = "LSML_PARENT"  # the process id of who started this one, where that must outlive it
PROGRESS = "progress: "  # lines of a rank that are for the screen begin with it
RETRY = 1  # the exit code of what a launcher may try again
ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# Of a rank: nothing to try again (core/errors.py).
FINAL = {*range(2, 9), *(128 + one for one in ASKED), *(-one for one in ASKED)}
_PR_SET_PDEATHSIG = 1  # of prctl(2)


def die_with_parent() -> None:
    """On Linux, be killed when the parent dies (even by SIGKILL), so that no orphan trains on; end now where
    it is dead already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if int(os.environ.get(PARENT, os.getppid())) != os.getppid():
            os._exit(1)


def meaning(codes: list[int]) -> int:
    """The exit code of a launcher, from those of its ranks: what may not be tried again first."""
    final = [128 - code if code < 0 else code for code in codes if code in FINAL]
    return final[0] if final else int(any(codes))


def leave(code: int) -> NoReturn:
    """End a rank without tearing the interpreter down: torch keeps the process group's threads alive, and now
    and then they abort a process that has done all its work."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
