"""What a finished train stage says of its time: a synthetic training that waited for the data of rank 1."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lsml_spark.core.manifest import describe

SECONDS = {"compute": 0.03, "data": 0.04, "all_reduce": 0.005, "checkpoint": 0.0, "other": 0.001}
TIME = {
    "steps": 479,
    "verdict": "data-bound",
    "seconds": {"data": 19.2, "compute": 14.4, "all_reduce": 2.4, "checkpoint": 0.3, "other": 0.5},
    "ranks": [
        {"data": 0.4, "compute": 14.3, "all_reduce": 21.2, "checkpoint": 0.3, "other": 0.5, "slowest": 9.0},
        {"data": 19.2, "compute": 14.4, "all_reduce": 2.4, "checkpoint": 0.0, "other": 0.5, "slowest": 470.0},
    ],
}


def training_run(
    folder: Path, steps: Sequence[Mapping[str, Any]], evil: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(`run` figures, config); writes metrics.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    records = [
        {**step, "rows": 512, "weight": 600.0, "seconds": SECONDS, "grad_norm": 0.7, "loss_scale": 1024.0}
        for step in steps
    ]
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    resumed = [{"step": 120, "epoch": 1, "world": 2}, {"step": 300, "epoch": 2, "world": 1}]
    files = [asdict(describe(folder, path))]
    run = {
        "time": TIME,
        "rows_per_second": 6841,
        "device": f"cpu{evil}",
        "restarts": 2,
        "resumed": resumed,
        "files": files,
    }
    exchange = {"use": "allreduce", "hook": {"use": f"bf16{evil}", "columns": 4}}
    config = {
        "exchange": exchange,
        "accumulate": 4,
        "precision": {"compute": "full"},
        "stop": {"time": "2h", "steps": None},
    }
    return run, config


def training_metrics(epochs: Sequence[Mapping[str, Any]], evil: str = "") -> dict[str, Any]:
    lost = {
        "rows": 1024,
        "row_groups": {f"train/part-00001.parquet, row group 3{evil}": f"its page 2 is damaged{evil}"},
    }
    return {
        "loss": epochs[-1]["loss"],
        "epochs": 4,
        "steps": 479,
        "world": 2,
        "parameters": 291_023,
        "unreadable": lost,
    }
