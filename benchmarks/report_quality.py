"""Claim: a quality page of 500 columns × 90 nights is below 1 MB and opens in below 1 s.

    python benchmarks/report_quality.py [--columns 500 --nights 90 --checks 300]

Writes a synthetic history as the quality stage would (Parquet, JSON, manifests), runs the report stage over
it, and opens the page in Chromium from disk: bytes of each file, seconds of the stage, milliseconds until the
page is laid out and drawn (best and worst of five visits with the browser running), until a column's panel
is, and until a search has been answered.
"""

import argparse
import datetime
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "report"))
from chromium import BROWSER, chromium
from report_nights import report
from report_wide import wide_nights

LIMIT_BYTES, LIMIT_MS = 1_000_000, 1_000
DRAWN = (
    "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() "
    "- start))))"
)
OPEN = f"(() => {{ const start = performance.now(); location.hash = 'column-7'; return {DRAWN} }})()"
TYPE = "box.value = 'basket 04'; box.dispatchEvent(new Event('input'))"
SEARCH = (
    f"(() => {{ const start = performance.now(), box = document.getElementById('query'); {TYPE}; "
    f"return {DRAWN} }})()"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("columns", 500), ("nights", 90), ("checks", 300)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    print(machine())
    assert BROWSER is not None, "no chromium on the PATH"
    print(subprocess.run([BROWSER, "--version"], capture_output=True, text=True).stdout.strip())
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sources = wide_nights(Path(folder), asked.columns, asked.nights, asked.checks)
        started = time.monotonic()
        page = report(Path(folder), datetime.date(2011, 6, 1).isoformat(), sources).parent
        print(
            f"report stage: {time.monotonic() - started:.1f} s for {asked.columns} columns, {asked.nights} "
            f"nights, {asked.checks} checks"
        )
        for name in ("night.html", "quality.html", "quality.json"):
            print(f"  {name:<13} {(page / name).stat().st_size:>9,} bytes")
        with chromium(Path(folder) / "profile") as browser:
            visits = sorted(browser.open(page / "quality.html") for _ in range(5))
            timings = {"panel": browser.eval(OPEN), "search": browser.eval(SEARCH)}
        size = (page / "quality.html").stat().st_size
        reached = size < LIMIT_BYTES and visits[-1] < LIMIT_MS
        print(
            f"opens in {visits[0]:.0f} to {visits[-1]:.0f} ms, "
            f"{', '.join(f'{name} {value:.0f} ms' for name, value in timings.items())}"
        )
        print(f"goal {LIMIT_BYTES:,} bytes, {LIMIT_MS} ms: {'reached' if reached else 'missed'}")


if __name__ == "__main__":
    main()
