"""Claim: the demo's five nights end within 4 minutes on 2 cores, and a second call redoes nothing.

    python benchmarks/demo.py

Runs the README's nights from the shipped days in a fresh folder, by the same command as `make demo`, and
prints wall seconds, where they went by stage (from the manifests), and the seconds of the second call.
"""

import collections
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine

REPO = Path(__file__).resolve().parents[1]
NIGHTS = ("--from", "2011-02-23", "--to", "2011-02-28")
GOAL_SECONDS = 240


def backfill(root: str) -> float:
    """Wall seconds of one `lsml backfill` of the demo's nights."""
    words = [
        sys.executable,
        "-m",
        "lsml_spark",
        "backfill",
        str(REPO / "pipelines" / "retail.yaml"),
        *NIGHTS,
        "--root",
        root,
    ]
    started = time.monotonic()
    subprocess.run(words, cwd=REPO, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as root:
        first, second = backfill(root), backfill(root)
        by_stage: dict[str, float] = collections.Counter()
        for path in Path(root).glob("retail/*/*/manifest.json"):
            by_stage[path.parent.name] += json.loads(path.read_text())["run"]["seconds"]
    print(
        f"five nights: {first:.0f} s (goal {GOAL_SECONDS} s: "
        f"{'reached' if first <= GOAL_SECONDS else 'missed'}); again: {second:.1f} s"
    )
    for stage, seconds in sorted(by_stage.items(), key=lambda item: -item[1]):
        print(f"  {stage:<9} {seconds:6.1f} s")
    print(
        f"  {'the rest':<9} {first - sum(by_stage.values()):6.1f} s  (start of Python and Spark, publishing)"
    )


if __name__ == "__main__":
    main()
