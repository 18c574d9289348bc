"""Whole runs of the train stage over toy shards, with ranks that fail as they are told to (toy_fault.py)."""

import json
import os
import sys
import time
from pathlib import Path
from unittest import mock

import toy_shards

from lsml_spark.core.config import validate
from lsml_spark.core.process import leave
from lsml_spark.flow import log
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.launch import first_rank, follow
from lsml_spark.train.run import Config, run

HERE = Path(__file__).parent
SAMPLES = toy_shards.baskets(600, seed=4)


def paths():
    """PYTHONPATH of workers, which import the toy models."""
    return os.pathsep.join(
        [
            *(str(folder) for folder in (HERE, HERE.parent / "train", HERE.parent / "data")),
            *filter(None, [os.environ.get("PYTHONPATH")]),
        ]
    )


class Job:
    """One night of 600 samples: 10 steps an epoch, three epochs."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.work = toy_shards.night(folder, SAMPLES)
        self.scratch = folder / ".train"
        self.marker = folder / "happened"

    def config(self, fault="none", workers=2, once=True, rank=1, call=15, stall=4.0, restarts=3, **changes):
        model = {
            "use": "toy_fault.ToyFault",
            "fault": fault,
            "rank": rank,
            "call": call,
            "marker": str(self.marker) if once else "",
        }
        survival = {"stall": stall, "restarts": restarts, "timeout": 120.0}
        told = {
            "model": model,
            "epochs": 3,
            "batch": 64,
            "lanes": 2,
            "workers": workers,
            "survival": survival,
        }
        return validate(Config, told | changes, "test")

    def run(self, config, launch=None):
        """The outcome, and the seconds that it took."""
        clock = time.monotonic()
        with mock.patch.dict(os.environ, PYTHONPATH=paths()):
            return run(self.work, config, launch), time.monotonic() - clock

    def weights(self):
        return (self.work.folder / "model.safetensors").read_bytes()

    def log(self):
        return (self.scratch / "train.log").read_text()

    def results(self):
        return {path.stem: json.loads(path.read_bytes()) for path in sorted(self.scratch.glob("rank-*.json"))}


def main(folder, told):
    """What `jobs/train.py` does: the first rank keeps the books, the others follow."""
    with guarded():
        if first_rank():
            job = Job(Path(folder))
            job.run(job.config(**json.loads(told)))
        else:
            follow()


if __name__ == "__main__":
    log.to_console()
    try:
        main(*sys.argv[1:])
    except SystemExit as error:
        leave(int(error.code))
    leave(0)
