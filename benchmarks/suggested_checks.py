"""Claim: what `lsml quality suggest` proposes from a few days stops none of the clean days of the shipped
window.

    python benchmarks/suggested_checks.py [--data retail taxi] [--shown 10]

Proposes checks from the first days (taxi: months), then judges every day in order, each with the good days
before it.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml
from machine import machine
from planted_defects import FOLDERS, REPO

sys.path.insert(0, str(REPO / "tests" / "quality"))

from planted import Bench, days_of


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["retail", "taxi"], choices=FOLDERS)
    parser.add_argument("--shown", type=int, default=10)
    arguments = parser.parse_args()
    from lsml_spark.quality.suggest import suggest
    from lsml_spark.spark.session import session

    spark = session({"spark.sql.shuffle.partitions": "2"})
    print(machine())
    for name in arguments.data:
        if not FOLDERS[name].is_dir():
            print(f"{name}: {FOLDERS[name]} is not there")
            continue
        files = sorted(path for path in FOLDERS[name].iterdir() if ".csv" in path.name)[: arguments.shown]
        checks = yaml.safe_load(suggest(spark, files))["quality"]
        total = (
            sum(len(items) for items in checks["columns"].values())
            + len(checks["rows"])
            + len(checks["table"])
        )
        said: Counter[str] = Counter()
        failed, rows, kept_aside = [], 0, 0
        days = days_of(FOLDERS[name], name)
        with tempfile.TemporaryDirectory() as root:
            bench = Bench(spark, Path(root), checks)
            for date, day in days.items():
                found = bench.remember(date, day.text().encode())
                failed += [f"{date}: {found.failed}"] if found.failed else []
                said.update(found.broken)
                rows, kept_aside = rows + found.rows, kept_aside + len(found.lines)
        print(
            f"\n{name}: {total} checks from {len(files)} files, {len(days)} clean days judged: {len(failed)} "
            f"failed {failed or ''}"
        )
        print(f"{kept_aside} of {rows} rows quarantined; what was said, on how many days:")
        for check, number in said.most_common():
            print(f"  {number:>4}  {check}", flush=True)


if __name__ == "__main__":
    main()
