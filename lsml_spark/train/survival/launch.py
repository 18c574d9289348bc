"""Start the ranks of a job. A launcher is a function (spec path, ranks, log path) that returns when all ranks
are done.

`local` runs them on this host under `agent.py`; flow brings another one that gang-launches `command` in a
Spark barrier stage. Imports no torch. A launcher raises TrainingError when a rank fails; which one and why is
read from the ranks' result files.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from lsml_spark.core import stopping
from lsml_spark.core.errors import Stopped, TrainingError
from lsml_spark.core.process import FINAL, PARENT, PROGRESS
from lsml_spark.train.survival import agent, boot, watch

Launcher = Callable[[Path, int, Path], None]
STOPPED = {code for one in agent.ASKED for code in (128 + one, -one)}
# a world that is not this one
OTHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# glibc hands large blocks back to the kernel at once, and each step's first touch of them is a page fault: up
# to half of its time.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(8 << 30), "MALLOC_TOP_PAD_": str(64 << 20)}


def command(spec_path: Path) -> list[str]:
    """The command line of one rank; RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT are the
    launcher's to set.
    """
    return boot.module("lsml_spark.train.worker", str(spec_path))


def environment() -> dict[str, str]:
    """Variables that every rank needs beside its place in the world."""
    fixed = {
        "OMP_NUM_THREADS": "1",  # a sum over threads changes with their number, and ranks share the cores
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # what deterministic cuBLAS asks for
    }
    malloc = {name: os.environ.get(name, value) for name, value in MALLOC.items()}
    return malloc | fixed | boot.environment()


def local(
    spec_path: Path, ranks: int, log_path: Path, say: Callable[[str], None] = print, restarts: int = 3
) -> None:
    """`ranks` processes on this host; one rank needs no agent. Output goes to the log, progress lines also to
    `say`.

    When a rank dies all are started again, from the last checkpoint, at most `restarts` times. On SIGTERM the
    ranks stop at the end of their step and write a checkpoint.

    Raises:
        TrainingError: a rank says that its input is at fault, or ranks died more often than that.
        Stopped: after SIGTERM.
    """
    one = command(spec_path)
    counts = (f"--nproc-per-node={ranks}", f"--max-restarts={restarts}")
    many = boot.module(
        "lsml_spark.train.survival.agent", *counts, "-m", "lsml_spark.train.worker", str(spec_path)
    )
    attempts = 1 if ranks > 1 else restarts + 1
    for attempt in range(attempts):
        code = _run(one if ranks == 1 else many, attempt, log_path, say)
        if code == 0:
            return
        if code in STOPPED or stopping.came():
            raise Stopped("stopped by SIGTERM; run the same command again to go on")
        message = (
            watch.obituary(spec_path.parent, 0, code)
            if ranks == 1
            else f"training ended with exit code {code}"
        )
        if code in FINAL:
            break
        if attempt + 1 < attempts:
            say(f"{message}: restart {attempt + 1} of {restarts}")
    raise TrainingError(f"{message}; log: {log_path}")


def _run(words: list[str], attempt: int, log_path: Path, say: Callable[[str], None]) -> int:
    """A process's exit code. SIGTERM is passed on to it while it runs."""
    inherited = {key: value for key, value in os.environ.items() if key not in OTHERS}
    place = {"TORCHELASTIC_RESTART_COUNT": str(attempt), PARENT: str(os.getpid())}
    process = subprocess.Popen(
        words,
        env={**inherited, **environment(), **place},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # Ctrl-C and `timeout` signal the whole group: the ranks are to hear it from us, and once
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        with watch.on_sigterm(process.terminate), process.stdout, log_path.open("a") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if line.startswith(PROGRESS):
                    say(line.removeprefix(PROGRESS).rstrip())
            return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
