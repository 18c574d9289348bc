"""Media in a column: bytes, or paths below a folder. What the media checks share; decoders are imported where
they run.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.functions import arrow_udf
from pyspark.sql.types import BinaryType, DataType, StringType

from lsml_spark.core.errors import ConfigError
from lsml_spark.media.files import load

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


def each(column: Column, test: Callable[[bytes | None], bool | None], folder: str) -> Column:
    """`test` of the bytes of every value that is not NULL; the bytes are None where there is no such file."""

    @arrow_udf("boolean")  # type: ignore[call-overload]  # its stub asks for what it warns of
    def judge(values: pa.Array) -> pa.Array:
        return pa.array(
            [None if value is None else test(load(value, folder)) for value in values.to_pylist()], pa.bool_()
        )

    judged: Column = judge(column)
    return judged
