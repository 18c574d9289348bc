"""Audio in which nothing is heard."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from pyspark.sql import Column, DataFrame

from lsml_spark.media import column as media
from lsml_spark.media.audio import samples
from lsml_spark.quality.check import RowCheck

FRAME = 0.02  # seconds; shorter than a phoneme, longer than a period of the lowest voice


class Silence(RowCheck):
    """The clip is not silent: its root mean square is at least `below` dBFS (0 is a full-scale square wave).
    What does not decode is the business of `decodable`; a clip without samples is silent.

    Fields:
        below: dBFS; what is quieter is silence.
        at_most_silent: judge frames of 20 ms instead: this share of the clip may be silent.
        part: where it is: in all (`total`), before the first sound (`leading`), or after the last
            (`trailing`).
    """

    below: float = Field(-60.0, le=0)
    at_most_silent: float | None = Field(None, ge=0, le=1)
    part: Literal["total", "leading", "trailing"] = "total"
    folder: str = ""  # below which paths are looked for

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        if self.at_most_silent is None:
            return f"quieter than {self.below:g} dBFS"
        return f"more than {self.at_most_silent:.0%} silent ({self.part}, below {self.below:g} dBFS)"

    def attach(self, rows: DataFrame) -> DataFrame:
        media.require("audio", f"{self.column}: silence", rows.schema[self.column].dataType, self.folder)
        return rows

    def violated(self) -> Column:
        below, most, part = self.below, self.at_most_silent, self.part

        def silent(data: bytes | None) -> bool | None:
            decoded = samples(data) if data else None
            if decoded is None:
                return None
            if most is None:
                return bool(loudness(decoded[0]) < below)
            return silent_share(*decoded, below, part) > most

        return media.each(self.value, silent, self.folder)


def loudness(sound: np.ndarray) -> float:
    """Root mean square of (samples, channels) in [-1, 1] as dBFS; -inf where all is 0 or there is nothing."""
    power = np.mean(np.square(sound)) if sound.size else 0.0
    return float(10 * np.log10(power)) if power > 0 else float("-inf")


def silent_share(sound: np.ndarray, rate: int, below: float, part: str) -> float:
    """Share of frames of (samples, channels) that are quieter than `below` dBFS; of a leading or trailing
    part alone if asked.
    """
    size = max(1, round(FRAME * rate))
    heard = np.array([loudness(sound[start : start + size]) >= below for start in range(0, len(sound), size)])
    if not heard.any():
        return 1.0
    if part == "total":
        return float(1 - heard.mean())
    first = int(np.argmax(heard if part == "leading" else heard[::-1]))
    return first / len(heard)
