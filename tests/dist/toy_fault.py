"""A logistic regression in which one rank fails at one of its forward passes: how tests hurt a run that does
not know of it.
"""

import itertools
import os
import signal
import time
from pathlib import Path
from typing import Literal

from toy_logit import ToyLogit


class ToyFault(ToyLogit):
    fault: Literal["none", "kill", "stop", "term", "memory", "hang", "stall", "slow", "exit", "bug"] = "none"
    rank: int = 1
    call: int = 15  # with two lanes on two ranks a step has one forward pass of each
    marker: str = ""  # a file: what has happened once does not happen again

    def build(self, schema):
        network = super().build(schema)
        if self.fault == "stall":
            stall_reading()
        if self.fault != "none" and int(os.environ.get("RANK", "0")) == self.rank:
            calls = itertools.count()
            network.register_forward_pre_hook(lambda *_: self.happen() if next(calls) >= self.call else None)
        return network

    def happen(self):
        if self.fault == "slow":
            time.sleep(0.2)
            return
        if self.marker:
            if Path(self.marker).exists():
                return
            Path(self.marker).touch()
        if self.fault in ("kill", "stop", "term"):
            os.kill(
                os.getpid(),
                {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "term": signal.SIGTERM}[self.fault],
            )
        if self.fault == "memory":
            import torch

            torch.empty(1 << 60)
        if self.fault == "hang":
            time.sleep(1000)
        if self.fault == "exit":
            os._exit(0)
        if self.fault == "bug":
            raise KeyError("colour")


def stall_reading():
    """From now on reading a shard waits for ever, as on a network file system whose server is gone."""
    from lsml_spark.data.parquet.files import Files

    Files.columns = lambda self, group, names: time.sleep(1000)
