"""Claim: the recommender beats the popularity baseline on nights that no one has tuned anything on;
co-occurrence beside it.

    python benchmarks/unseen_nights.py ../shared/data/retail [--from 2011-03-01 --to 2011-03-11] [--set
    KEY=VALUE …]

The settings of pipelines/retail.yaml were chosen on the demo's nights (2011-02-23 … 02-28). This runs later
ones, from a folder with one CSV per trading day, and prints figures per night and over all test rows by
key-frequency band.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import machine

REPO = Path(__file__).resolve().parents[1]
SYSTEMS = ("model", "popularity", "cooccurrence")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("days", type=Path, help="folder of YYYY-MM-DD.csv files")
    parser.add_argument("--from", dest="first", default="2011-03-01")
    parser.add_argument("--to", dest="last", default="2011-03-11")
    parser.add_argument("--set", action="append", default=[])
    arguments = parser.parse_args()
    if not arguments.days.is_dir():
        sys.exit(
            f"{arguments.days}: no such folder; this benchmark needs days beyond the shipped ones (UCI "
            "Online Retail)"
        )
    print(machine())
    sets = [
        word
        for setting in (f"raw.folder={arguments.days.resolve()}", *arguments.set)
        for word in ("--set", setting)
    ]
    command = [sys.executable, "-m", "lsml_spark", "backfill", str(REPO / "pipelines" / "retail.yaml")]
    with tempfile.TemporaryDirectory() as root:
        words = [*command, "--from", arguments.first, "--to", arguments.last, "--root", root, *sets]
        subprocess.run(words, cwd=REPO, check=True, stderr=subprocess.DEVNULL)
        nights = [
            json.loads(path.read_text()) for path in sorted(Path(root).glob("retail/*/evaluate/metrics.json"))
        ]
    for metric in ("recall", "log_loss", "breadth"):
        print(
            f"\n{metric} over {len(nights)} "
            f"nights{' (keys recalled at least once, mean per night)' if metric == 'breadth' else ''}"
        )
        print(f"{'band':<6} {'rows':>6} " + " ".join(f"{system:>13}" for system in SYSTEMS))
        for band in ("all", *nights[0]["bands"]):
            print(row(nights, band, metric))


def row(nights: list[dict], band: str, metric: str) -> str:
    """One line of the table: weighted by rows, for breadth the mean over nights."""
    cells = []
    for system in SYSTEMS:
        pairs = []
        for night in nights:
            figures = night["systems"][system]
            figures = figures | {"rows": night["rows"]} if band == "all" else figures["bands"][band]
            if figures[metric] is not None:
                pairs.append((1 if metric == "breadth" else figures["rows"], figures[metric]))
        mean = sum(weight * value for weight, value in pairs) / max(1, sum(weight for weight, _ in pairs))
        cells.append(
            f"{mean:13.1%}"
            if metric == "recall"
            else f"{mean:13.3f}"
            if metric == "log_loss"
            else f"{mean:13.0f}"
        )
    rows = sum(
        night["rows"] if band == "all" else night["systems"]["model"]["bands"][band]["rows"]
        for night in nights
    )
    return f"{band:<6} {rows:>6} " + " ".join(cells)


if __name__ == "__main__":
    main()
