"""torchrun, with three things it lacks: it dies with its parent, does not retry what a retry cannot mend, and its exit code says which.

`python -m lsml_spark.train.agent` takes torchrun's options: `--nnodes 2 --nproc-per-node 4 --rdzv-endpoint … -m MODULE ARGUMENT`.
Exit codes: 0; a rank's own where that says that the input or the machine is at fault (2 to 7); 143 after SIGTERM, to it or to a
rank; else 1.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from lsml_spark.core.errors import Stopped

PR_SET_PDEATHSIG = 1
PARENT = "LSML_PARENT"  # the process id of who started this one, where that must outlive it
GRACE = 5.0  # seconds in which the ranks that lost one may end by themselves and say what they saw
FINAL = {*range(2, 8), Stopped.exit_code, -signal.SIGTERM}  # of a rank: nothing to try again (core/errors.py)


def die_with_parent() -> None:
    """On Linux, be killed when the parent dies (even by SIGKILL), so that no orphan trains on; end now where it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if int(os.environ.get(PARENT, os.getppid())) != os.getppid():
            os._exit(1)


def meaning(codes: list[int]) -> int:
    """The exit code of a launcher, from those of its ranks."""
    final = [code for code in codes if code in FINAL]
    if final:
        return Stopped.exit_code if -signal.SIGTERM in final else final[0]
    return int(any(codes))


def main(arguments: list[str]) -> int:
    """Run torchrun; the process's exit code."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher import api

    api.LocalElasticAgent = _agent()  # type: ignore[misc, assignment]
    try:
        run.main(arguments)
    except SignalException as error:
        return 128 + error.sigval
    except ChildFailedError as error:
        return meaning([failure.exitcode for failure in error.failures.values()])
    return 0


def _agent() -> type:
    from torch.distributed.elastic.agent.server.api import RunResult, WorkerGroup, WorkerState
    from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent

    from lsml_spark.train.launch import PROGRESS
    from lsml_spark.train.watch import obituary

    class Agent(LocalElasticAgent):
        """torch's agent, which looks at exit codes before it starts ranks again."""

        def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
            codes = self._ended(worker_group)
            result = super()._monitor_workers(worker_group)
            if result.state == WorkerState.FAILED:
                said = list(dict.fromkeys(self._obituary(worker_group, rank, code) for rank, code in sorted(codes.items())))
                left, most = self._remaining_restarts, worker_group.spec.max_restarts
                if FINAL & set(codes.values()):
                    self._remaining_restarts = 0  # as torch itself forbids more
                elif left:
                    print(f"{PROGRESS}{'; '.join(said)}: restart {most - left + 1} of {most}", flush=True)
            return result

        def _ended(self, worker_group: WorkerGroup) -> dict[int, int]:
            """Exit codes by rank of those that ended by themselves; where one failed, the others are given time, then killed.

            torch would send SIGTERM, which here means: write a checkpoint.
            """
            processes: Any = self._pcontext
            handlers = processes.subprocess_handlers
            rank_of = {worker.local_rank: worker.global_rank for worker in worker_group.workers}

            def codes() -> dict[int, int]:
                return {rank_of[local]: handler.proc.poll() for local, handler in handlers.items() if handler.proc.poll() is not None}

            if any(codes().values()):
                end = time.monotonic() + GRACE
                while len(codes()) < len(handlers) and time.monotonic() < end:
                    time.sleep(0.05)
            ended = codes()
            if any(ended.values()):
                for handler in handlers.values():
                    if handler.proc.poll() is None:
                        handler.close(signal.SIGKILL)
            return ended

        def _obituary(self, worker_group: WorkerGroup, rank: int, code: int) -> str:
            spec = Path(str(worker_group.spec.args[-1]))
            if spec.name != "spec.json":
                return f"rank {rank} ended with exit code {code}"
            return obituary(spec.parent, rank, code)

    return Agent


if __name__ == "__main__":
    die_with_parent()
    os.environ[PARENT] = str(os.getpid())  # of the ranks
    sys.exit(main(sys.argv[1:]))
