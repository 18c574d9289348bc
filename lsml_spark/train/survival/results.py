"""One small JSON file per rank: what it did, or why it failed. A rank without one did not finish."""

import json
from pathlib import Path
from typing import Any

from lsml_spark.core import errors
from lsml_spark.core.config import canonical
from lsml_spark.core.errors import LsmlError, TrainingError


def write(scratch: Path, rank: int, value: dict[str, Any]) -> None:
    """Atomically, so that a half-written result is none."""
    partial = scratch / f".rank-{rank}.json"
    partial.write_bytes(canonical(value))
    partial.replace(scratch / f"rank-{rank}.json")


def clear(scratch: Path) -> None:
    """Nothing of an earlier run: no results, no heartbeats, no wish to stop."""
    for pattern in ("rank-*.json", "heartbeat-*", "stop", "attempt"):
        for path in scratch.glob(pattern):
            path.unlink()


def discard(scratch: Path, rank: int) -> None:
    """What an earlier attempt of this rank left."""
    (scratch / f"rank-{rank}.json").unlink(missing_ok=True)


def read(scratch: Path) -> dict[int, dict[str, Any]]:
    """Results by rank, of the ranks that wrote one."""
    return {
        int(path.stem.removeprefix("rank-")): json.loads(path.read_bytes())
        for path in sorted(scratch.glob("rank-*.json"))
    }


def failure(scratch: Path) -> LsmlError | None:
    """The error that a rank reported; the cause rather than what the other ranks saw of it."""
    reported = [
        (rank, result["error"]) for rank, result in sorted(read(scratch).items()) if "error" in result
    ]
    if not reported:
        return None
    _, error = min(reported, key=lambda item: item[1]["lost_peers"])
    kind = getattr(errors, error["type"], TrainingError)
    return kind(error["message"])
