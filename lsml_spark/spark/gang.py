"""Launch training workers in a Spark barrier stage: all at once or not at all, one process per slot.

The form that Spark retries after a lost rank or executor: a barrier mapInArrow behind a shuffle boundary (a barrier
*result* stage is never retried, which is what TorchDistributor uses). This file starts processes; it knows no torch.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
from pyspark import BarrierTaskContext
from pyspark.sql import SparkSession

from lsml_spark.core.errors import EnvironmentProblem, TrainingError

USER_ERROR = 4  # the worker's exit code for errors that a retry cannot mend
TAIL = 4000  # characters of a worker's output that are brought back


def launch(spark: SparkSession, command: Sequence[str], environment: Mapping[str, str], ranks: int) -> None:
    """Run `python command…` once per rank with RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT set; wait for all.

    Raises:
        TrainingError: a worker says that its input is at fault, or the stage failed more often than Spark retries it.
        EnvironmentProblem: fewer slots than ranks.
    """
    task = _task(list(command), dict(environment), ranks)
    seats = spark.range(0, ranks, 1, ranks)
    try:
        results = seats.mapInArrow(task, "rank long, problem string", barrier=True).repartition(1).collect()
    except Exception as error:
        text = str(error)
        if "SPARK-24819" in text or "BARRIER_STAGE" in text or "requires more slots" in text:
            raise EnvironmentProblem(
                f"the Spark cluster has fewer free slots than train.workers={ranks}; lower it, or add executors"
            ) from error
        said = [line for line in text.splitlines() if line.startswith("worker ")]
        raise TrainingError(
            f"a worker failed more often than Spark retries a stage: {(said or text.strip().splitlines() or ['?'])[-1]}"
        ) from error
    problems = [row.problem for row in results if row.problem]
    if problems:
        raise TrainingError(problems[0])
    if sorted(row.rank for row in results) != list(range(ranks)):
        raise TrainingError(f"ranks {sorted(row.rank for row in results)} reported, 0 to {ranks - 1} were started")


def _task(command: list[str], environment: dict[str, str], ranks: int) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            pass
        context = BarrierTaskContext.get()
        rank = context.partitionId()
        hosts = [info.address.rsplit(":", 1)[0] for info in context.getTaskInfos()]
        meeting = context.allGather(_free_port(hosts[rank]) if rank == 0 else "")[0]
        address, _, port = meeting.rpartition(":")
        seat = {
            "RANK": str(rank),
            "WORLD_SIZE": str(ranks),
            "LOCAL_RANK": str(hosts[:rank].count(hosts[rank])),
            "MASTER_ADDR": address,
            "MASTER_PORT": port,
        }
        code, tail = _run([sys.executable, *command], {**os.environ, **environment, **seat})
        # No seat is left before all workers have ended: Spark counts the output of one that left early when it starts the
        # stage again, and then waits for ever for a peer that it does not start.
        last = tail.splitlines()[-1] if tail else "no output"
        ended = [json.loads(result) for result in context.allGather(json.dumps([code, socket.gethostname(), last]))]
        codes = [code for code, _, _ in ended]
        if any(codes) and USER_ERROR not in codes:
            culprit = next(rank for rank, code in enumerate(codes) if code)
            code, host, last = ended[culprit]
            raise RuntimeError(f"\nworker {culprit} on {host} ended with code {code}: {last}")
        problem = last if code == USER_ERROR else ""
        yield pa.RecordBatch.from_arrays([pa.array([rank], pa.int64()), pa.array([problem], pa.string())], names=["rank", "problem"])

    return work


def _run(words: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """A process's exit code, and the end of what it said."""
    with tempfile.TemporaryFile() as output:
        code = subprocess.call(words, env=environment, stdout=output, stderr=output)
        output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL))
        return code, output.read().decode(errors="replace").strip()


def _free_port(host: str) -> str:
    """host:port for the ranks to meet at. Free now; if another process takes it first, the stage fails and is retried."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return f"{host}:{probe.getsockname()[1]}"
