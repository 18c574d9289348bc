"""Stage folders with a manifest and nothing else, for screens that only read manifests; no Spark."""

import datetime
from pathlib import Path
from typing import Any

from lsml_spark.core import manifest
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import Manifest
from lsml_spark.flow.layout import Runs

YAML = """
name: toy
raw: {folder: days, files: "{{ date }}.csv"}
quality: {contract: {a: int}}
"""


def pipeline(folder: Path, name: str = "toy.yaml") -> Path:
    """A pipeline's YAML, and its folder of raw days."""
    (folder / "days").mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(YAML)
    return path


def stage(
    root: Path,
    date: str,
    name: str,
    ledger: Ledger | None = None,
    files: dict[str, Any] | None = None,
    **metrics: Any,
) -> None:
    """A finished stage of a night of `toy`; `files` are JSON files by name."""
    folder = Runs(root.resolve(), "toy").stage(datetime.date.fromisoformat(date), name)
    folder.mkdir(parents=True)
    made = [manifest.write_json(folder, file, value) for file, value in (files or {}).items()]
    Manifest(name, "toy", date, 0, {}, "f", {}, {}, made, ledger or Ledger(10, 10), metrics, {}).write(folder)


def scored(root: Path, date: str, model: float, popularity: float, promoted: bool) -> None:
    """evaluate and promote of a night; the two numbers are log losses, recall goes the other way."""
    systems = {
        name: {"log_loss": loss, "recall": 1 / (1 + loss), "breadth": 3}
        for name, loss in (("model", model), ("popularity", popularity))
    }
    stage(root, date, "evaluate", files={"metrics.json": {"k": 20, "rows": 10, "systems": systems}})
    stage(root, date, "promote", files={"decision.json": {"promoted": promoted}})
