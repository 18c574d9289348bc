"""The command line of `jobs/<stage>.py`. What it does is in `one_stage.py`, whose imports take a second:
signals are heard before.
"""

import argparse
import importlib
from pathlib import Path

from lsml_spark.core import process, stopping


def main(stage: str) -> None:
    """Run `stage` of the night, or find it up to date. Exit codes as for `lsml run`."""
    stopping.install()
    parser = argparse.ArgumentParser(description=f"Run stage {stage} of one night.")
    parser.add_argument("--config", type=Path, required=True, help="the pipeline's YAML")
    parser.add_argument("--date", required=True, help="logical date, YYYY-MM-DD")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="folder of all runs")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the YAML"
    )
    arguments = parser.parse_args()
    code = importlib.import_module("lsml_spark.flow.one_stage").run(stage, arguments)
    stopping.done()
    launch = importlib.import_module("lsml_spark.flow.launch")
    if launch.under_torchrun():
        process.leave(code)
    raise SystemExit(code)
