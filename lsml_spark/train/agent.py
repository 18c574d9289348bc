"""torchrun as a child that does not outlive its parent: `python -m lsml_spark.train.agent --standalone … -m MODULE ARGUMENT`."""

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """On Linux, be killed when the parent dies (even by SIGKILL), so that no orphan trains on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent()
    from torch.distributed.run import main

    main(sys.argv[1:])
