"""A claim: what was measured, from a file of benchmarks/results. No figure of one is typed by hand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Claim:
    """One thing that was measured."""

    name: str  # of its picture
    title: str
    sentence: str
    table: Sequence[Sequence[str]]  # the first row is its head
    axis: str
    bars: Sequence[tuple[str, float]]  # ours first
    source: dict[str, Any]  # the results file: `machine` and `command`
    more: str = ""  # what the sentence leaves out
    log: bool = False
    in_readme: bool = True


def result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPO / "benchmarks/results" / f"{name}.json").read_text())
    return found
