"""What every step did: a line of JSON each in `metrics.jsonl`, and the same, four times a second at most, as
TensorBoard events where that is installed.

Written by rank 0 into the scratch folder, whose files outlive a killed run. A line is with the kernel when
`write` returns, so a killed process loses none and a dead machine those since the last checkpoint (`sync`). A
run that resumes at step n takes what was written of step n and later away, so each step is there once,
whatever was killed when.

Times differ from run to run, so these files are no part of what the stage's identity covers: the manifest
names them, with checksums, in `run.files`.
"""

import importlib.util
import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

METRICS = "metrics.jsonl"
EVENTS = "events"
FLUSH_SECONDS = 10
# between two events: one takes 0.3 ms, and TensorBoard shows a thousand points of a curve
EVENT_SECONDS = 0.25


@dataclass(frozen=True)
class StepRecord:
    """One update of all ranks; `seconds` are rank 0's, by the phases of `clock.py`. The first field must be
    `step`.
    """

    step: int  # over the whole training, from 0
    epoch: int
    loss: float
    lr: float
    rows: int
    weight: float
    seconds: Mapping[str, float]
    rows_per_second: float
    grad_norm: float | None = None  # before clipping; None where nothing is clipped
    loss_scale: float | None = None  # of fp16


class Metrics:
    """Open at the step to go on from (0: from the start, whatever lies there is removed); close, or use as a
    context.
    """

    def __init__(self, scratch: Path, first: int, *, tensorboard: bool = True):
        path = scratch / METRICS
        self.kept = keep_before(path, first)
        self.file = path.open("ab", buffering=0)
        self.events = _events(scratch / EVENTS, first) if tensorboard else None

    def write(self, record: StepRecord) -> None:
        values = vars(record)
        self.file.write(json.dumps(_finite(values), separators=(",", ":")).encode() + b"\n")
        if self.events is not None:
            self.events.write(values)

    def sync(self) -> None:
        """Onto the disk; to be called before a checkpoint says that these steps are done."""
        os.fsync(self.file.fileno())
        if self.events is not None:
            self.events.writer.flush()

    def close(self) -> None:
        self.file.close()
        if self.events is not None:
            self.events.writer.close()

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def keep_before(path: Path, first: int) -> int:
    """Cut the file behind the last whole line of a step before `first`; how many lines stay. It need not
    exist.
    """
    if not path.exists():
        return 0
    end = lines = 0
    with path.open("r+b") as file:
        for line in file:
            if (
                not line.endswith(b"\n")
                or not line.startswith(b'{"step":')
                or int(line[8 : line.index(b",")]) >= first
            ):
                break
            end, lines = end + len(line), lines + 1
        file.truncate(end)
    return lines


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a finished or a running training; a line that is not whole yet is left out."""
    with path.open("rb") as file:
        return [json.loads(line) for line in file if line.endswith(b"\n")]


def collect(scratch: Path, out: Path) -> list[Path]:
    """Copy the files of a finished training into its stage folder; their new paths, for `run.files`.

    Copied, not moved: a stage that is killed before it is finished collects once more.
    """
    parts = [
        path for path in (scratch / METRICS, *sorted((scratch / EVENTS).glob("events.*"))) if path.is_file()
    ]
    copied = []
    for path in parts:
        to = out / path.relative_to(scratch)
        to.parent.mkdir(exist_ok=True)
        copied.append(Path(shutil.copyfile(path, to)))
    return copied


def tensorboard_installed() -> bool:
    """Whether events can be written; imports nothing heavy."""
    return importlib.util.find_spec("tensorboard") is not None


class _Events:
    """One event for all scalars of a step (a SummaryWriter makes one for each), and not of every step where
    steps are short.
    """

    def __init__(self, folder: Path, first: int):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self.event, self.summary = Event, Summary
        self.due = 0.0
        self.writer = EventFileWriter(str(folder), flush_secs=FLUSH_SECONDS)
        # To TensorBoard: forget what earlier files of this folder say of this step and later ones.
        self.writer.add_event(Event(step=first, session_log=SessionLog(status=SessionLog.START)))

    def write(self, values: Mapping[str, Any]) -> None:
        moment = time.monotonic()
        if moment < self.due:
            return
        self.due = moment + EVENT_SECONDS
        names = ("loss", "lr", "rows_per_second", "grad_norm", "loss_scale", "epoch", "weight")
        scalars = {name: values[name] for name in names if values[name] is not None}
        scalars |= {f"seconds/{phase}": taken for phase, taken in values["seconds"].items()}
        summary = self.summary(
            value=[self.summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        )
        self.writer.add_event(self.event(step=values["step"], wall_time=time.time(), summary=summary))


def _events(folder: Path, first: int) -> _Events | None:
    if not tensorboard_installed():
        return None
    if first == 0:
        for old in folder.glob("events.*"):
            old.unlink()
    return _Events(folder, first)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: a gradient that overflowed fp16 has no norm."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
