"""The quality stage over planted defects: which wrong lines it names, or whether it speaks up about the
day.
"""

import datetime
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from defects import Corrupted, Raw, Roles
from pyspark.sql import SparkSession

from lsml_spark.core import manifest
from lsml_spark.core.config import digest, read_yaml, render, validate
from lsml_spark.core.manifest import Manifest
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.quality import run as quality

PARTS = {
    "retail": {
        "amount": "UnitPrice",
        "count": "Quantity",
        "text": "Description",
        "category": "Country",
        "id": "InvoiceNo",
        "key": "StockCode",
        "meaning": "Description",
        "time": "InvoiceDate",
        "swap": ("CustomerID", "Country"),
    },
    "taxi": {
        "amount": "fare_amount",
        "count": "passenger_count",
        "category": "store_and_fwd_flag",
        "key": "pickup_location_id",
        "time": "pickup_datetime",
        "swap": ("pickup_datetime", "dropoff_datetime"),
    },
}


@dataclass(frozen=True)
class Found:
    """What a run said: numbers of the lines that a row check names, findings that are not ok, and the reason
    it failed, if it did.
    """

    rows: int
    lines: Mapping[int, Sequence[str]]
    broken: frozenset[str]
    failed: str | None

    def recall(self, truth: Corrupted) -> float:
        """Of the wrong lines, the share that is named; all of them where the stage refused the day."""
        if self.failed is not None and not self.lines:
            return 1.0
        assert truth.lines
        return len(truth.lines & self.lines.keys()) / len(truth.lines)

    def news(self, usual: "Found") -> frozenset[str]:
        """What is said of this day that is not said of it when it is clean."""
        return self.broken - usual.broken | ({"failed"} if self.failed and not usual.failed else set())


class Bench:
    """A history of clean days of one data set below `root`, and further days that are judged against it."""

    def __init__(self, spark: SparkSession, root: Path, checks: Mapping[str, Any]):
        self.spark, self.root, self.checks = spark, root, checks
        self.history: dict[str, Source] = {}
        self.seen = 0

    def remember(self, date: datetime.date, data: bytes) -> Found:
        """Judge a clean day with the checks as they are written, and let later days look back at it."""
        work, outcome = self._run(date, data, self.checks)
        if outcome.failed is None:
            fields = {
                "stage": "quality",
                "pipeline": "planted",
                "date": date.isoformat(),
                "seed": 0,
                "config": {},
                "inputs": {},
                "run": {},
            }
            Manifest(
                **fields,
                fingerprint=digest([date.isoformat()]),
                tables=outcome.tables,
                files=outcome.files,
                ledger=outcome.ledger,
                metrics=outcome.metrics,
            ).write(work.folder)
            stored = manifest.read(work.folder)
            assert stored is not None
            self.history[f"history/{date}"] = Source(work.folder, stored)
        return _found(work, outcome)

    def judge(self, date: datetime.date, data: bytes) -> Found:
        """Judge a day with all row checks set to quarantine, so that each row they name is written down."""
        return _found(*self._run(date, data, naming(self.checks)))

    def _run(self, date: datetime.date, data: bytes, checks: Mapping[str, Any]) -> tuple[Work, Outcome]:
        self.seen += 1
        folder = self.root / f"{self.seen}"
        (folder / "quality").mkdir(parents=True)
        raw = folder / f"{date}.csv"
        raw.write_bytes(data)
        work = Work("planted", "quality", date, 0, folder / "quality", dict(self.history), (raw,))
        config = validate(quality.Config, render(dict(checks), date=date.isoformat()), "planted.yaml")
        return work, quality.run(work, config, self.spark)


def naming(checks: Mapping[str, Any]) -> dict[str, Any]:
    """The same checks; every row check quarantines what breaks it, but for `complete` where it allows that
    many values are missing.
    """

    def quarantining(item: Any) -> dict[str, Any]:
        item = dict(item) if isinstance(item, Mapping) else {item: {}}
        return item if item.get("complete", 1.0) != 1.0 else item | {"on_bad": "quarantine"}

    columns = {
        name: [quarantining(item) for item in items] for name, items in checks.get("columns", {}).items()
    }
    return {**checks, "columns": columns, "rows": [quarantining(item) for item in checks.get("rows", [])]}


def _found(work: Work, outcome: Outcome) -> Found:
    lines: dict[int, Sequence[str]] = {}
    if "quarantine" in outcome.tables:
        for file in outcome.tables["quarantine"].files:
            table = pq.ParquetFile(work.folder / file.path).read(columns=["_line", "reasons"]).to_pydict()
            lines |= dict(zip(table["_line"], table["reasons"], strict=True))
    findings = outcome.metrics["findings"]
    broken = {finding["check"] for finding in findings if not finding["ok"]}
    if outcome.metrics["schema_drift"]:
        broken.add("schema drift")
    return Found(outcome.ledger.rows_in, lines, frozenset(broken), outcome.failed)


def without_named(day: Raw, found: Found) -> Raw:
    """The day without the lines that are named before anything is planted: those must not count as found."""
    return Raw(day.header, [row for i, row in enumerate(day.rows) if i + 2 not in found.lines])


def days_of(folder: Path, name: str) -> dict[datetime.date, Raw]:
    """Days of a data set by date; a taxi month counts as its last day."""
    found = {}
    for path in sorted(folder.glob("*.csv*")):
        text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode(
            "utf-8-sig"
        )
        if name == "retail":
            date = datetime.date.fromisoformat(path.name[:10])
        else:
            first = datetime.date.fromisoformat(f"{path.stem[-7:]}-01")
            date = (first + datetime.timedelta(days=32)).replace(day=1) - datetime.timedelta(days=1)
        found[date] = Raw.read(text)
    return found


def roles_of(name: str, before: Raw) -> Roles:
    return Roles(before, **PARTS[name])  # type: ignore[arg-type]


def checks_of(name: str, known: Path) -> dict[str, Any]:
    """The hand-written checks; `known` is a CSV of what earlier days had, for `references`."""
    sections: dict[str, Any] = read_yaml(Path(__file__).with_name("planted.yaml"))[name]
    return json.loads(json.dumps(sections).replace("{{ known }}", str(known)))  # type: ignore[no-any-return]
