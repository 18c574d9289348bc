"""One line on what a benchmark ran on."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path


def machine() -> str:
    """Date, processor, cores, memory and library versions."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("pyspark", "torch", "pyarrow", "numpy")
    )
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores of {model}, {memory:.0f} GiB, Python "
        f"{platform.python_version()}, {versions}"
    )
