"""Goal: `lsml verify` reads shards at 1 GB/s or near the disk's rate.

    python benchmarks/verify.py [--gigabytes 1.0] [--rounds 5] [--scratch DIR]

One stage folder of shards (256 float32 a row, 128 MB a file), made by copies of one file, in the page cache.
Beside it, in turn: the bare hash of the same files one after the other, and reading them without a hash.
Medians. `cold`: the same after the kernel was asked to forget the files (posix_fadvise), which is the disk's
rate.
"""

import argparse
import datetime
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from loading import ours, shapes
from machine import machine

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import ALGORITHMS, Manifest, Table, checksum_of, describe
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.verify import verify

DATE = datetime.date(2026, 1, 1)
FILE, GROUP = 128 << 20, 8192
CHUNK = 1 << 20


def make(runs: Runs, algorithm: str, gigabytes: float) -> list[Path]:
    """Files of a stage that has no inputs to recount rows of."""
    folder = runs.stage(DATE, "pilot")
    (folder / "train").mkdir(parents=True)
    table = ours.in_layout(shapes.rows("dense", FILE // 1028 // GROUP * GROUP))
    first = folder / "train" / "part-00000.parquet"
    ours.write_shard(first, table, GROUP)
    paths = [first]
    for number in range(1, max(1, round(gigabytes * 1e9 / first.stat().st_size))):
        paths.append(Path(shutil.copy(first, folder / "train" / f"part-{number:05d}.parquet")))
    files = [describe(folder, path, algorithm) for path in paths]
    tables = {"train": Table({}, len(table) * len(files), "0", files)}
    rows = len(table) * len(files)
    Manifest(
        "pilot", runs.pipeline, DATE.isoformat(), 0, {}, "", {}, tables, [], Ledger(rows, rows), {}, {}
    ).write(folder)
    return paths


def bare_read(paths: list[Path]) -> None:
    buffer = bytearray(CHUNK)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def forget(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scratch", type=Path)
    told = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="verify-", dir=told.scratch))
    result: dict = {"machine": machine(), "unit": "GB/s", "goal": 1.0}
    try:
        for algorithm in ALGORITHMS:
            runs = Runs(scratch, algorithm)
            paths = make(runs, algorithm, told.gigabytes)
            size = sum(path.stat().st_size for path in paths)
            ways = {
                "lsml verify": lambda runs=runs: verify(runs, [DATE]),
                "bare hash, one thread": lambda paths=paths, algorithm=algorithm: [
                    checksum_of(path, algorithm) for path in paths
                ],
                "bare read": lambda paths=paths: bare_read(paths),
            }
            seconds: dict[str, list[float]] = {}
            for number in range(told.rounds + 1):
                for warmth in ("warm", "cold"):
                    for name, way in ways.items():
                        if warmth == "cold":
                            forget(paths)
                        clock = time.perf_counter()
                        way()
                        if number:  # the first round warms up
                            seconds.setdefault(f"{name}, {warmth}", []).append(time.perf_counter() - clock)
                bare_read(paths)
            result[algorithm] = {"bytes": size, "files": len(paths)}
            result[algorithm] |= {
                name: round(size / statistics.median(found) / 1e9, 2) for name, found in seconds.items()
            }
            shutil.rmtree(scratch / algorithm)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    (Path(__file__).parent / "results" / "verify.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
