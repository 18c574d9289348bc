"""Which launcher starts the training workers, and what the ranks do that torchrun started beside the first.

The worker does not know its launcher: the train stage itself starts torchrun on this host, or is a rank already; a Spark
job seats the ranks in a barrier stage of its own cluster.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from lsml_spark.core.errors import ConfigError

Launcher = Callable[[Path, int, Path], None]


def under_torchrun() -> bool:
    """Whether this process is a rank that torchrun has started."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def first_rank() -> bool:
    return os.environ.get("RANK", "0") == "0"


def follow() -> None:
    """Join the ranks that torchrun started, and do what the first rank says; where it says nothing, go."""
    from lsml_spark.train import launch

    launch.in_process(None)


def leave() -> NoReturn:
    """End a rank that is done, as the workers of the other launchers end."""
    from lsml_spark.train import worker

    worker.leave(0)


def choose(wanted: str, spark_settings: Mapping[str, str]) -> tuple[str, Launcher | None]:
    """The launcher's name, and a function where it is not the train stage's own; `auto` looks at who started this process."""
    if wanted == "auto":
        wanted = "torchrun" if under_torchrun() else "spark" if "PYSPARK_GATEWAY_PORT" in os.environ else "local"
    if wanted == "torchrun" and not under_torchrun():
        raise ConfigError("train.launcher=torchrun, but torchrun did not start this process: `torchrun --nproc-per-node 2 jobs/train.py …`")
    return wanted, _in_barrier_stage(dict(spark_settings)) if wanted == "spark" else None


def _in_barrier_stage(settings: dict[str, str]) -> Launcher:
    def spark(spec_path: Path, ranks: int, log_path: Path) -> None:
        from lsml_spark.spark import gang
        from lsml_spark.spark.session import session
        from lsml_spark.train import launch

        gang.launch(session(settings), launch.command(spec_path)[1:], launch.environment(), ranks)

    return spark
