"""Audio that was recorded too loud."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from pyspark.sql import Column, DataFrame

from lsml_spark.media import column as media
from lsml_spark.media.audio import samples
from lsml_spark.quality.check import RowCheck

FULL_SCALE = 0.999  # 16-bit audio reaches 32767 / 32768
RUN = 3  # a wave touches its peak in one sample, two by chance: more are a peak that was cut off


class Clipping(RowCheck):
    """At most this share of the samples is clipped: at full scale, or in a run of three or more equal samples
    at the loudest level of their channel (clipped first, made quieter later). What does not decode is the
    business of `decodable`.
    """

    at_most_samples: float = Field(0.001, ge=0, le=1)  # share of the samples
    folder: str = ""  # below which paths are looked for

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"more than {self.at_most_samples:.2%} of the samples clipped"

    def attach(self, rows: DataFrame) -> DataFrame:
        media.require("audio", f"{self.column}: clipping", rows.schema[self.column].dataType, self.folder)
        return rows

    def violated(self) -> Column:
        most = self.at_most_samples

        def clips(data: bytes | None) -> bool | None:
            decoded = samples(data) if data else None
            return None if decoded is None or not decoded[0].size else clipped_share(decoded[0]) > most

        return media.each(self.value, clips, self.folder)


def clipped_share(sound: np.ndarray) -> float:
    """Share of clipped samples of (samples, channels) in [-1, 1], over all channels."""
    return float(np.mean([_clipped(channel) for channel in sound.T]))


def _clipped(x: np.ndarray) -> float:
    loud = np.abs(x)
    peak = loud.max()
    if peak == 0:
        return 0.0
    clipped = loud >= FULL_SCALE
    starts = np.flatnonzero(np.diff(x, prepend=np.nan) != 0)  # of runs of equal samples
    lengths = np.diff(starts, append=len(x))
    flat = (lengths >= RUN) & (loud[starts] == peak)
    return float(np.mean(clipped | np.repeat(flat, lengths)))
