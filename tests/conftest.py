"""What the whole suite shares: one Spark session, and the folders of a night as `flow` would lay them out."""

import datetime
import gzip
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lsml_spark.core import manifest
from lsml_spark.core.config import digest
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import Manifest
from lsml_spark.core.work import Outcome, Source, Work

with suppress(ImportError):  # petastorm's environment has none
    import hypothesis

    # how long an example takes is the machine's affair
    hypothesis.settings.register_profile("shared machine", deadline=None)
    hypothesis.settings.load_profile("shared machine")

PROJECT = Path(__file__).parents[1]
DATE = datetime.date(2011, 2, 1)


@pytest.fixture(scope="session")
def spark():
    """The one session of the suite. Starting a JVM costs more than most tests, so nobody stops it."""
    from lsml_spark.spark.session import session

    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "3"}
    return session(settings, master="local[2]")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no process is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


class Night:
    """One logical date below a root folder: stages get their Work here, and become the Source of later
    ones.
    """

    def __init__(self, root: Path, date: datetime.date = DATE, seed: int = 7):
        self.root, self.date, self.seed = root, date, seed

    def on(self, date: str) -> "Night":
        """Another date below the same root."""
        return Night(self.root, datetime.date.fromisoformat(date), self.seed)

    def work(
        self, stage: str, inputs: Mapping[str, Source] | None = None, raw: tuple[Path, ...] = ()
    ) -> Work:
        """An empty stage folder; each call gives another one, so that a stage can run twice and be
        compared.
        """
        number = len(list(self.root.glob(f"{self.date}.{stage}.*")))
        folder = self.root / f"{self.date}.{stage}.{number}"
        folder.mkdir(parents=True)
        return Work("test", stage, self.date, self.seed, folder, inputs or {}, raw)

    def finish(self, work: Work, outcome: Outcome, config: Mapping[str, Any] | None = None) -> Source:
        """Check the ledger, write the manifest and read it back."""
        outcome.ledger.check(work.stage)
        inputs = {
            name: manifest.Input(str(source.folder), source.manifest.identity)
            for name, source in work.inputs.items()
        }
        Manifest(
            stage=work.stage,
            pipeline=work.pipeline,
            date=work.date.isoformat(),
            seed=work.seed,
            config=config or {},
            fingerprint=digest([work.stage, config or {}]),
            inputs=inputs,
            tables=outcome.tables,
            files=outcome.files,
            ledger=outcome.ledger,
            metrics=outcome.metrics,
            run={},
        ).write(work.folder)
        found = manifest.read(work.folder)
        assert found is not None
        return Source(work.folder, found)

    def source(self, stage: str, **frames: Any) -> Source:
        """A finished stage folder whose tables hold the rows of these DataFrames."""
        from lsml_spark.spark import tables

        work = self.work(stage)
        written = {}
        for name, frame in frames.items():
            written |= tables.write(frame, work.folder, {name: frame.columns}).tables
        rows = sum(table.rows for table in written.values())
        return self.finish(work, Outcome(Ledger(rows, rows), written))


@pytest.fixture
def night(tmp_path) -> Night:
    return Night(tmp_path / "runs")


@pytest.fixture(scope="module")
def module_night(tmp_path_factory) -> Night:
    """For a stage that runs once and that many tests of a module look at."""
    return Night(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def retail() -> Path:
    """The trading days that ship with the project: one gzipped CSV each."""
    return PROJECT / "pipelines" / "data" / "retail"


@pytest.fixture(scope="session")
def retail_sections() -> dict[str, Any]:
    """The sections of pipelines/retail.yaml."""
    from lsml_spark.core.config import read_yaml

    return read_yaml(PROJECT / "pipelines" / "retail.yaml")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of larger public data sets beside the checkout; tests that want one of them skip where it is
    not there.
    """
    return PROJECT.parent / "shared" / "data"


@pytest.fixture
def raw_day(tmp_path):
    """Write the bytes (or lines) of a raw file, gzipped where its name says so."""

    def write(content: bytes | str | list[str], name: str = "day.csv") -> Path:
        if isinstance(content, list):
            content = "".join(f"{line}\n" for line in content)
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write
