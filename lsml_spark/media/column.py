"""Media in a column: bytes, or paths below a folder. What the media checks share; decoders are imported where they run."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.functions import arrow_udf
from pyspark.sql.types import BinaryType, DataType, StringType

from lsml_spark.core.errors import ConfigError

MODULES = {"image": "PIL", "audio": "soundfile", "video": "av"}


def require(kind: str, check: str, type_: DataType, folder: str) -> None:
    """ConfigError where this host cannot decode the kind, or where the column holds no media."""
    if importlib.util.find_spec(MODULES[kind]) is None:
        raise ConfigError(f"quality: {check} needs the package {MODULES[kind]}: install lsml_spark[media]")
    if isinstance(type_, StringType) and not folder:
        raise ConfigError(f"quality: {check}: the column holds paths; say below which `folder` they lie")
    if not isinstance(type_, (BinaryType, StringType)):
        raise ConfigError(f"quality: {check} wants bytes or paths, the contract says {type_.simpleString()}")
    if isinstance(type_, StringType) and not Path(folder).is_dir():
        raise ConfigError(f"quality: {check}: folder {folder} is not there")


def load(value: bytes | str, folder: str) -> bytes | None:
    """The bytes of a value; None where its path leads out of the folder or to no file."""
    if isinstance(value, bytes):
        return value
    root = Path(folder).resolve()
    try:
        path = (root / value).resolve()
        return path.read_bytes() if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # a name too long, with a NUL in it, or a ring of links
        return None


def each(column: Column, test: Callable[[bytes | None], bool | None], folder: str) -> Column:
    """`test` of the bytes of every value that is not NULL; the bytes are None where there is no such file."""

    @arrow_udf("boolean")  # type: ignore[call-overload]  # its stub asks for what it warns of
    def judge(values: pa.Array) -> pa.Array:
        return pa.array([None if value is None else test(load(value, folder)) for value in values.to_pylist()], pa.bool_())

    judged: Column = judge(column)
    return judged


def samples(data: bytes) -> tuple[np.ndarray, int] | None:
    """Audio as (samples, channels) in [-1, 1] and its rate; None where it does not decode."""
    import io

    import soundfile  # type: ignore[import-untyped]

    try:
        sound, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
        return None
    return sound, rate
