"""What the two benchmarks of selection share: stage folders without a night around them, and a session with
settings for hours.
"""

import datetime
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lsml_spark.core import manifest
from lsml_spark.core.config import digest
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import Manifest
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.spark import tables
from lsml_spark.spark.session import session

DATE = datetime.date(2000, 12, 31)
SEED = 1990


def start(memory: str, settings: Mapping[str, str] | None = None, master: str = "local[2]") -> SparkSession:
    """Two cores; the optimising compiler and the parallel collector, as anybody would for minutes of work."""
    ours = {
        "spark.driver.memory": memory,
        "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
        "spark.sql.files.maxPartitionBytes": "32m",  # some twenty tasks, so that a slow one shows
    }
    spark = session(ours | dict(settings or {}), master=master)
    spark.sparkContext.setLogLevel("ERROR")
    return spark


class CpuClock:
    """CPU seconds of this process and all below it, the JVM and its Python workers too: what a busy machine
    changes least.

    A process that has ended counts with what it had used when last looked at: Spark ends workers only once
    they are idle.
    """

    def __init__(self) -> None:
        self.used: dict[str, float] = {}

    def __call__(self) -> float:
        parent, ticks = {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parent[path.parent.name], ticks[path.parent.name] = fields[1], int(fields[11]) + int(fields[12])
        for process in parent:
            above = process
            while above in parent and above != str(os.getpid()):
                above = parent[above]
            if above == str(os.getpid()):
                self.used[process] = ticks[process] / os.sysconf("SC_CLK_TCK")
        return sum(self.used.values())


def fresh(folder: Path, stage: str, inputs: Mapping[str, Source]) -> Work:
    """An empty folder to run a stage in; what was there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Work("benchmark", stage, DATE, SEED, folder, inputs)


def finished(work: Work, outcome: Outcome, config: Mapping[str, Any] | None = None) -> Source:
    """The stage folder as later stages see it, its ledger checked."""
    outcome.ledger.check(work.stage)
    inputs = {
        name: manifest.Input(str(source.folder), source.manifest.identity)
        for name, source in work.inputs.items()
    }
    fields = {
        "tables": outcome.tables,
        "files": outcome.files,
        "ledger": outcome.ledger,
        "metrics": outcome.metrics,
    }
    Manifest(
        stage=work.stage,
        pipeline=work.pipeline,
        date=work.date.isoformat(),
        seed=work.seed,
        config=config or {},
        fingerprint=digest([work.stage]),
        inputs=inputs,
        run={},
        **fields,
    ).write(work.folder)
    found = manifest.read(work.folder)
    assert found is not None
    return Source(work.folder, found)


def prepared(frame: DataFrame, folder: Path) -> Source:
    """A prepare stage whose training samples are these."""
    work = fresh(folder, "prepare", {})
    written = tables.write(frame, work.folder, {"train": frame.columns})
    rows = written.tables["train"].rows
    return finished(work, Outcome(Ledger(rows, rows), written.tables))
