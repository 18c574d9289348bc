"""Which launcher starts the training workers, and what the ranks do that torchrun started beside the first.

The worker does not know its launcher: the train stage itself starts them on this host, or is a rank already;
a Spark job seats the ranks in a barrier stage of its own cluster.
"""

import functools
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from lsml_spark.core.errors import ConfigError, Stopped, TrainingError
from lsml_spark.core.process import PROGRESS

Launcher = Callable[[Path, int, Path], None]
STOP_WITHIN = 30.0  # seconds after SIGTERM


def under_torchrun() -> bool:
    """Whether this process is a rank that torchrun has started."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def first_rank() -> bool:
    return os.environ.get("RANK", "0") == "0"


def follow() -> None:
    """Join the ranks that torchrun started, and do what the first rank says; where it says nothing, go."""
    from lsml_spark.train.worker import in_process

    in_process(None)


def choose(
    launcher: str, spark_settings: Mapping[str, str], say: Callable[[str], None]
) -> tuple[str, Launcher | None]:
    """The launcher's name, and a function where it is not the train stage's own; `auto` looks at who started
    this process.
    """
    if launcher == "auto":
        launcher = (
            "torchrun" if under_torchrun() else "spark" if "PYSPARK_GATEWAY_PORT" in os.environ else "local"
        )
    if launcher == "torchrun" and not under_torchrun():
        raise ConfigError(
            "train.launcher=torchrun, but torchrun did not start this process: `torchrun --nproc-per-node 2 "
            "jobs/train.py …`"
        )
    return launcher, _in_barrier_stage(dict(spark_settings), say) if launcher == "spark" else None


def _in_barrier_stage(settings: dict[str, str], say: Callable[[str], None]) -> Launcher:
    def spark(spec_path: Path, ranks: int, log_path: Path) -> None:
        from lsml_spark.spark import gang
        from lsml_spark.spark.session import session
        from lsml_spark.train import spec
        from lsml_spark.train.survival import launch, watch

        scratch, running = spec_path.parent, session(settings)
        stop = scratch / watch.STOP

        def ask_to_stop() -> None:
            """Workers stop at the end of their step; what is then still there is Spark's to kill."""
            stop.touch()
            cancel = threading.Timer(STOP_WITHIN, running.sparkContext.cancelAllJobs)
            cancel.daemon = True
            cancel.start()

        def hear(line: str) -> None:
            if line.startswith((PROGRESS, "waiting for")):
                say(line.removeprefix(PROGRESS))

        try:
            with watch.on_sigterm(ask_to_stop):
                gang.launch(
                    running,
                    launch.command(spec_path)[1:],
                    launch.environment(),
                    ranks,
                    scratch,
                    restarts=spec.read(spec_path).config.survival.restarts,
                    heard=hear,
                    died=functools.partial(watch.obituary, scratch),
                )
        except TrainingError as error:
            if stop.exists():
                raise Stopped("stopped by SIGTERM; run the same command again to go on") from error
            raise
        finally:
            with log_path.open("a") as log:
                for path in sorted(scratch.glob("worker-*.log")):
                    log.write(f"--- {path.name}\n{path.read_text(errors='replace')}")

    return spark
