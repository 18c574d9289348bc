"""What `make_reader` may be told beside what to read and in which order."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pyarrow import fs

from lsml_spark.core.errors import ConfigError
from lsml_spark.data.arguments import by_column, names, one_of, shown, switch, whole
from lsml_spark.data.stream import MEMORY, OnBad
from lsml_spark.media.image import Image, image_of

MOST = 2**31 - 1  # rows of a batch, values of a padded list


@dataclass(frozen=True)
class ReadOptions:
    """How batches are made of rows. ConfigError for what an option cannot be, before a file is opened.

    `label`: a column to read beside `columns`. `table`: of a stage folder.
    `lanes`: parts of the global batch; states and global batches agree between world sizes that divide it. By
    default 8 where the batch allows (1 a rank for shuffle "none", so that rows come in the order of the
    files). `drop_last`: without the last step where it is short. Else its batch may be shorter on one rank
    than on another, or empty. `fill_last`: it is filled up to `batch` rows of zeros (no list, no text) with
    `weight` 0, so that all batches have one shape; rows of the table have the weight that it says, else 1.
    See data/fill.py. `pad`: {column: length} for lists as (B, length), cut or filled by 0, beside
    `<column>_length`, the values kept. `decode`: {column: "rgb" | "gray" | {"mode": …, "resize": [height,
    width]}} for JPEG and PNG. `filters`: rows to keep, as a pyarrow expression or (column, operator, value)
    tuples; the rows of each group that pass are counted first, so that steps are full and equal on all ranks.
    `schema`: of a data set of petastorm's, see data/petastorm/unischema.py. `filesystem`: of pyarrow's.
    `memory`: bytes, see data/stream.py. `threads`: that read ahead, by default the cores, at most 4.
    `on_bad`: skip leaves out row groups that cannot be read, see `lost`. `retries`: of a store's read that
    fails.
    """

    label: str | None = None
    table: str = "train"
    lanes: int | None = None
    drop_last: bool = False
    fill_last: bool = False
    pad: Mapping[str, int] = field(default_factory=dict)
    decode: Mapping[str, Image | Any] = field(default_factory=dict)
    filters: Any = None
    schema: Any = None
    filesystem: fs.FileSystem | None = None
    memory: int = MEMORY
    threads: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))
    on_bad: OnBad = "fail"
    retries: int = 4

    def __post_init__(self) -> None:
        checked = {
            "label": self.label if self.label is None else names([self.label], "label")[0],
            "lanes": self.lanes if self.lanes is None else whole(self.lanes, "lanes", most=MOST),
            "drop_last": switch(self.drop_last, "drop_last"),
            "fill_last": switch(self.fill_last, "fill_last"),
            "pad": {
                name: whole(length, f"pad.{name}", most=MOST)
                for name, length in by_column(self.pad, "pad").items()
            },
            "decode": {
                name: image_of(how, f"decode.{name}")
                for name, how in by_column(self.decode, "decode").items()
            },
            "memory": whole(self.memory, "memory"),
            "threads": whole(self.threads, "threads", most=1024),
            "on_bad": one_of(self.on_bad, "on_bad", ("fail", "skip")),
            "retries": whole(self.retries, "retries", 0),
        }
        if not isinstance(self.table, str) or not isinstance(self.filesystem, fs.FileSystem | None):
            wrong = f"{shown(self.table)} and {shown(self.filesystem)}"
            raise ConfigError(
                f"table and filesystem: must be a name and a filesystem of pyarrow's, not {wrong}"
            )
        if self.drop_last and self.fill_last:
            raise ConfigError("drop_last and fill_last: the last step is left out or filled, not both")
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def refuse_others(door: str, given: Mapping[str, Any]) -> None:
    """TypeError for arguments that a door does not take; those that it once took are options now."""
    for name in given:
        if name in {option.name for option in fields(ReadOptions)}:
            raise TypeError(f"{door}: {name} is now an option: options=ReadOptions({name}=…)")
        raise TypeError(f"{door}() got an unexpected keyword argument '{name}'")
