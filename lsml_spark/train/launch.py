"""Start the ranks of a job. A launcher is a function (spec path, ranks, log path) that returns when all ranks are done.

`local` runs them on this host with torchrun; flow brings another one that gang-launches `command` in a Spark barrier stage.
Imports no torch. A launcher raises TrainingError when a rank fails; which one and why is read from the ranks' result files.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lsml_spark
from lsml_spark.core.errors import TrainingError

Launcher = Callable[[Path, int, Path], None]
PROGRESS = "progress: "


def command(spec_path: Path) -> list[str]:
    """The command line of one rank; RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT are the launcher's to set."""
    return [sys.executable, "-m", "lsml_spark.train.worker", str(spec_path)]


def environment() -> dict[str, str]:
    """Variables that every rank needs beside its place in the world."""
    root = str(Path(lsml_spark.__file__).parent.parent)
    return {
        "OMP_NUM_THREADS": "1",  # a sum over threads changes with their number, and ranks share the cores
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # what deterministic cuBLAS asks for
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # restarted ranks on the agent's store hang (pytorch#135712)
        "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


def local(spec_path: Path, ranks: int, log_path: Path, say: Callable[[str], None] = print) -> None:
    """`ranks` processes on this host; one rank needs no torchrun. Output goes to the log, progress lines also to `say`."""
    one = command(spec_path)
    many = [sys.executable, "-m", "lsml_spark.train.agent", "--standalone", f"--nproc-per-node={ranks}", *one[1:]]
    inherited = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    process = subprocess.Popen(
        one if ranks == 1 else many,
        env={**inherited, **environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    try:
        with process.stdout, log_path.open("a") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                if line.startswith(PROGRESS):
                    say(line.removeprefix(PROGRESS).rstrip())
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code:
        raise TrainingError(f"training ended with exit code {code}; log: {log_path}")


def in_process(spec_path: Path | None, ranks: int = 0, log_path: Path | None = None) -> None:
    """Be a rank oneself: torchrun has started this process. Rank 0 passes the spec, the others None; `ranks` is torchrun's."""
    from lsml_spark.train.worker import train

    train(spec_path)
