"""Checkpoints: safetensors for weights and optimiser state, JSON for the rest, nothing unpickled.

A checkpoint is two files of one name. Tensors are written first; the JSON, written last, names them by
checksum. Both appear whole or not at all, so a kill at any moment leaves the checkpoints before it. There is
no random state to keep: every draw is a function of (seed, epoch, step, lane), and so is the order of the
rows.
"""

import json
import logging
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from lsml_spark.core.config import canonical, digest
from lsml_spark.core.errors import EnvironmentProblem
from lsml_spark.core.manifest import checksum_of

LOG = logging.getLogger("lsml")
FAST = "xxh128"  # against damage, not against people
Found = tuple[dict[str, Tensor], dict[str, Any]]


@dataclass(frozen=True)
class Position:
    """Where training stands, and what it has seen (see curve.json): all that the next step needs beside
    tensors.
    """

    epoch: int  # that is trained next,
    step: int  # from this step of its plan on
    update: int  # updates made so far
    seconds: float  # of training so far, in all processes
    start: str | None  # date of the champion whose weights were the first
    steps: list[dict[str, Any]]
    by_epoch: list[dict[str, Any]]
    running: dict[str, Any]  # rows, weight and weighted loss of the epoch so far
    stopped: str | None = None  # why training is over before its last epoch is

    @classmethod
    def first(cls, start: str | None) -> "Position":
        return cls(0, 0, 0, 0.0, start, [], [], {})


class Checkpoints:
    """The checkpoints of one training run in a folder; the newest `keep` of them stay.

    Tensors are copied when `save` is called and written by a thread, so that training goes on.
    EnvironmentProblem, from `save` or `close`, where one cannot be written; what was there before stays.
    """

    def __init__(self, folder: Path, identity: str, keep: int = 2):
        self.folder, self.identity, self.keep = folder, identity, keep
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self.writing: Future[None] | None = None

    @property
    def busy(self) -> bool:
        return self.writing is not None and not self.writing.done()

    def save(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any], position: Position) -> None:
        """Begin to write a checkpoint, after the one before it is written."""
        self.wait()
        copied = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
        content = {"identity": self.identity, **values, "position": vars(position)}
        self.writing = self.pool.submit(
            self._write, f"checkpoint-{position.epoch:05d}-{position.step:08d}", copied, content
        )

    def wait(self) -> None:
        """Until the last checkpoint is written."""
        if self.writing is not None:
            writing, self.writing = self.writing, None
            writing.result()

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self.pool.shutdown()

    def _write(self, name: str, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        try:
            if not self.folder.is_dir():
                LOG.warning("%s is gone; it is made anew, the checkpoints in it are lost", self.folder)
                self.folder.mkdir(parents=True)
            file, partial = self.folder / f"{name}.safetensors", self.folder / f".{name}.partial"
            save_file(tensors, partial)
            _replace(partial, file)
            values = {**values, "tensors": file.name, "checksum_of_tensors": checksum_of(file, FAST)}
            partial.write_bytes(canonical({**values, "checksum": digest(values)}))
            _replace(partial, self.folder / f"{name}.json")
        except Exception as error:  # safetensors has an error of its own for a full disk
            raise EnvironmentProblem(
                f"the checkpoint {self.folder / name} cannot be written: {error}; the one before it stays"
            ) from error
        for old in self._names()[self.keep :]:
            self._remove(old)

    def _names(self) -> list[str]:
        """Of the checkpoints that are there, newest first."""
        return sorted((path.stem for path in self.folder.glob("checkpoint-*.json")), reverse=True)

    def newest(self) -> Found | None:
        """(tensors, values) of the newest sound checkpoint of this run; None where there is none. A damaged
        one is passed over and said.
        """
        for name in self._names():
            try:
                checkpoint = self._read(name)
            except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
                LOG.warning(
                    "checkpoint %s is damaged (%s); the one before it is taken", self.folder / name, error
                )
                continue
            if checkpoint:
                return checkpoint
        return None

    def forget_after(self, found: Found | None) -> None:
        """Remove what `newest` passed over: other runs' and damaged checkpoints, which would count as newer
        than those to come.
        """
        kept = Path(found[1]["tensors"]).stem if found else ""
        for name in self._names():
            if name > kept:
                self._remove(name)

    def _remove(self, name: str) -> None:
        # in this order: a JSON without tensors would be a damaged checkpoint
        for suffix in (".json", ".safetensors"):
            (self.folder / f"{name}{suffix}").unlink(missing_ok=True)

    def _read(self, name: str) -> Found | None:
        values = json.loads((self.folder / f"{name}.json").read_bytes())
        if values.pop("checksum") != digest(values):
            raise ValueError("its JSON is not what was written")
        if values["identity"] != self.identity:
            return None
        file = self.folder / values["tensors"]
        if checksum_of(file, FAST) != values["checksum_of_tensors"]:
            raise ValueError(f"{file.name} is not what was written")
        return load_file(file), values


def position_of(values: Mapping[str, Any]) -> Position:
    return Position(**values["position"])


def _replace(partial: Path, final: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
