"""Launch training workers in a Spark barrier stage: all at once or not at all, one process per slot.

The form that Spark retries after a lost rank or executor: a barrier mapInArrow behind a shuffle boundary (a
barrier *result* stage is never retried, which is what TorchDistributor uses). This file starts processes; it
knows no torch.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from pyspark import BarrierTaskContext
from pyspark.resource import ResourceProfile, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import DataFrame, Row, SparkSession

from lsml_spark.core import addresses
from lsml_spark.core.errors import EnvironmentProblem, Stopped, TrainingError
from lsml_spark.core.process import PARENT

# Exit codes of the worker that no retry changes: its input is at fault; it was asked to stop.
USER_ERROR, STOPPED = 4, 143
NO_FOLDER, TOO_OFTEN = -1001, -1002  # no exit codes: what the seats themselves find out
TAIL = 4000  # bytes of a worker's output that are searched for its last line
# seconds in which all workers end after one has failed, before those that do not are Spark's to kill
GRACE = 10.0
WAITING = 20.0  # seconds without free slots after which it is said
# seconds in which a cluster's executors may come that hold the slots which there are too few of
SEATING = 15.0
ATTEMPT = "attempt"  # a file in the job's folder: how often the gang was started; Spark does not tell

Died = Callable[[int, int], str]


def launch(
    spark: SparkSession,
    command: Sequence[str],
    environment: Mapping[str, str],
    ranks: int,
    folder: Path,
    *,
    restarts: int = 3,
    heard: Callable[[str], None] = print,
    died: Died | None = None,
) -> None:
    """Run `python command…` once per rank with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT set;
    wait for all.

    `folder`, which all hosts see, gets each worker's output as worker-<rank>.log. `heard` is called with
    every line of rank 0, as it comes. `died` (rank, exit code), called on the executor, says what became of a
    worker that failed. Spark starts a stage four times at most, `restarts` can only make it fewer. Where
    Spark hands out GPUs, each worker sees its own alone.

    Raises:
        TrainingError: a worker says that its input is at fault, or workers died too often.
        Stopped: workers were asked to stop.
        EnvironmentProblem: fewer slots than ranks, or a host that does not see the folder.
    """
    (folder / ATTEMPT).unlink(missing_ok=True)
    task = _task(list(command), dict(environment), ranks, folder, restarts, died or _plainly)
    seats = spark.range(0, ranks, 1, ranks)
    with _listening(folder, ranks, heard):
        try:
            columns, profile = "rank long, code long, said string", _profile(spark)
            rows = _seated(
                spark, lambda: seats.mapInArrow(task, columns, barrier=True, profile=profile).repartition(1)
            )
        except Exception as error:
            raise _translated(error, ranks) from error
    for code, kind in (
        (NO_FOLDER, EnvironmentProblem),
        (USER_ERROR, TrainingError),
        (TOO_OFTEN, TrainingError),
        (STOPPED, Stopped),
    ):
        for row in rows:
            if row.code == code:
                raise kind(row.said)
    if sorted(row.rank for row in rows) != list(range(ranks)):
        raise TrainingError(
            f"ranks {sorted(row.rank for row in rows)} reported, 0 to {ranks - 1} were started"
        )


def _seated(spark: SparkSession, gang: Callable[[], DataFrame]) -> list[Row]:
    """The rows. Spark refuses at once a gang for which too few executors have come yet, as at the start of a
    session; and it remembers that it has refused a frame, so each attempt takes a new one."""
    alone = str(spark.sparkContext.master).partition("[")[0] == "local"  # no executor will ever come
    until = time.monotonic() + (0 if alone else SEATING)
    while True:
        try:
            return gang().collect()
        except Exception as error:
            if not _lacks_slots(str(error)) or time.monotonic() > until:
                raise
            time.sleep(0.5)


def _lacks_slots(text: str) -> bool:
    return "SPARK-24819" in text or "BARRIER_STAGE" in text or "requires more slots" in text


def _translated(error: Exception, ranks: int) -> Exception:
    text = str(error)
    if "SPARK-24942" in text:
        return EnvironmentProblem(
            "Spark seats no gang where executors come and go; set spark.dynamicAllocation.enabled=false"
        )
    if _lacks_slots(text):
        return EnvironmentProblem(
            f"the Spark cluster has fewer free slots than train.workers={ranks}; lower it, or add executors"
        )
    if cancelled := re.search(r"Job \d+ cancelled[^\n]*", text):
        return TrainingError(f"Spark's {cancelled[0]}; its workers are ended")
    messages = [line for line in text.splitlines() if line.startswith("worker ")]
    last = (messages or text.strip().splitlines() or ["?"])[-1]
    return TrainingError(f"a worker failed more often than Spark retries a stage: {last}")


def _profile(spark: SparkSession) -> ResourceProfile | None:
    """One GPU for each worker where executors have some and the session's tasks ask for none; else what all
    tasks ask for.
    """
    if not spark.conf.get("spark.executor.resource.gpu.amount", None) or spark.conf.get(
        "spark.task.resource.gpu.amount", None
    ):
        return None
    return ResourceProfileBuilder().require(TaskResourceRequests().cpus(1).resource("gpu", 1)).build


def _plainly(_rank: int, code: int) -> str:
    return f"ended with code {code}"


def _task(
    command: list[str], environment: dict[str, str], ranks: int, folder: Path, restarts: int, died: Died
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        context = BarrierTaskContext.get()
        rank = context.partitionId()
        hosts = [info.address.rsplit(":", 1)[0].strip("[]") for info in context.getTaskInfos()]
        own = [folder.is_dir(), *((_free_port(hosts[0]), _attempt(folder)) if rank == 0 else ("", 0))]
        answers = [json.loads(text) for text in context.allGather(json.dumps(own))]
        _, meeting, attempt = answers[0]
        code, message = 0, ""
        if blind := sorted({host for host, (sees, *_) in zip(hosts, answers, strict=True) if not sees}):
            code, message = (
                NO_FOLDER,
                f"{folder} is not to be seen on {', '.join(blind)}; --root must be a folder that all hosts "
                "share",
            )
        elif attempt > restarts:
            code, message = TOO_OFTEN, f"workers failed {attempt} times; see the logs in {folder}"
        else:
            address, _, port = meeting.rpartition(":")
            seat = {
                "RANK": str(rank),
                "WORLD_SIZE": str(ranks),
                "LOCAL_RANK": str(hosts[:rank].count(hosts[rank])),
                "LOCAL_WORLD_SIZE": str(hosts.count(hosts[rank])),
                "MASTER_ADDR": address,
                "MASTER_PORT": port,
                "TORCHELASTIC_RESTART_COUNT": str(attempt),
                # the worker dies with this process, which Spark kills with the task
                PARENT: str(os.getpid()),
            }
            if "gpu" in (resources := context.resources()):
                seat |= {"CUDA_VISIBLE_DEVICES": ",".join(resources["gpu"].addresses), "LOCAL_RANK": "0"}
            log = _log(folder, rank)
            code = _run([sys.executable, *command], {**os.environ, **environment, **seat}, log, attempt)
            message = _end(context, rank, code, log, died)
        columns = [
            pa.array([rank], pa.int64()),
            pa.array([code], pa.int64()),
            pa.array([message], pa.string()),
        ]
        yield pa.RecordBatch.from_arrays(columns, names=["rank", "code", "said"])

    return work


def _end(context: BarrierTaskContext, rank: int, code: int, log: Path, died: Died) -> str:
    """What to say of a worker that ended; RuntimeError, which makes Spark start all of them again, where one
    of them failed.

    No seat is left before all workers have ended: Spark counts the output of one that left early when it
    starts the stage again, and then waits for ever for a peer that it does not start. But who has failed
    waits for the others only so long: one that hangs is killed by Spark.
    """
    final = code in (0, USER_ERROR, STOPPED)
    message = f"{died(rank, code)}: {_last_line(log)}" if code else ""
    ended = _gathered(context, json.dumps([code, socket.gethostname(), message]), None if final else GRACE)
    codes = [code for code, _, _ in ended]
    if not ended:
        raise RuntimeError(
            f"\nworker {rank} on {socket.gethostname()} {message or 'was done'}, "
            "but the others have not ended"
        )
    if any(codes) and not {USER_ERROR, STOPPED} & set(codes):
        # killed ones before victims
        culprit = min((rank for rank, code in enumerate(codes) if code), key=lambda rank: codes[rank])
        raise RuntimeError(f"\nworker {culprit} on {ended[culprit][1]} {ended[culprit][2]}")
    return _last_line(log).removeprefix("error: ") if code else ""


def _gathered(context: BarrierTaskContext, message: str, patience: float | None) -> list[list]:
    """What all seats say; nothing where that takes too long."""
    answers: list[list] = []
    thread = threading.Thread(
        target=lambda: answers.extend(json.loads(text) for text in context.allGather(message)), daemon=True
    )
    thread.start()
    thread.join(patience)
    return answers


def _run(words: list[str], environment: dict[str, str], log: Path, attempt: int) -> int:
    """A process's exit code. What it says goes to the log."""
    with log.open("ab") as output:
        output.write(f"attempt {attempt + 1} on {socket.gethostname()}\n".encode())
        output.flush()
        code = subprocess.call(words, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    return STOPPED if code == -signal.SIGTERM else code


def _log(folder: Path, rank: int) -> Path:
    return folder / f"worker-{rank}.log"


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"


def _attempt(folder: Path) -> int:
    """How often the gang was started before."""
    path = folder / ATTEMPT
    before = int(path.read_text()) if path.exists() else 0
    with contextlib.suppress(OSError):  # no folder: another seat says so
        path.write_text(str(before + 1))
    return before


@contextlib.contextmanager
def _listening(folder: Path, ranks: int, heard: Callable[[str], None]) -> Iterator[None]:
    """Within it, lines of rank 0 are passed on, and a long wait for slots is told."""
    path, done = _log(folder, 0), threading.Event()
    start = path.stat().st_size if path.exists() else 0

    def listen() -> None:
        begun, at, warned, last = time.monotonic(), start, False, False
        while not last:
            last = done.wait(0.5)  # and then once more
            if not warned and not (folder / ATTEMPT).exists() and time.monotonic() - begun > WAITING:
                warned = True
                heard(f"waiting for {ranks} free slots of the Spark cluster, which other jobs hold")
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                file.seek(at)
                for line in file:
                    if line.endswith(b"\n"):
                        at += len(line)
                        heard(line.decode(errors="replace").rstrip())

    thread = threading.Thread(target=listen, name="listen", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _free_port(host: str) -> str:
    """host:port for the ranks to meet at. Free now; if another process takes it first, the stage fails and is
    retried.
    """
    with addresses.listen(host, 0) as probe:
        return f"{host}:{probe.getsockname()[1]}"
