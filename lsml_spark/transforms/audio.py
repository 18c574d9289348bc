"""Sounds as log-mel spectrograms."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from lsml_spark.core.errors import IntegrityError
from lsml_spark.media.audio import log_mel, resampled, samples
from lsml_spark.media.files import load
from lsml_spark.transforms.transform import Becomes, Seen, Takes, Transform, require


class Audio(Transform):
    """WAV, FLAC, Ogg or MP3, its bytes or its path below `folder` → float32 (mels, 1 + rate · seconds //
    hop): the log-mel spectrogram of media/audio.py of its first `seconds`, channels averaged, at `rate` Hz,
    silence behind its end.

    `window` and `hop` are samples at `rate`. NULL becomes silence; what does not decode stops the stage, so
    keep it out by the check `decodable`.
    """

    becomes: ClassVar[Becomes] = "tensors"
    seconds: float = Field(gt=0)  # of the beginning
    rate: int = Field(16_000, ge=1)  # Hz
    mels: int = Field(64, ge=1)  # bands
    window: int = Field(400, ge=2, multiple_of=2)  # samples
    hop: int = Field(160, ge=1)  # samples
    folder: str = ""  # below which paths are looked for

    @model_validator(mode="after")
    def _fills_a_window(self) -> "Audio":
        if self.window >= round(self.rate * self.seconds):
            raise ValueError(
                f"seconds: {self.seconds:g} s at {self.rate} Hz are fewer samples than a window of "
                f"{self.window}"
            )
        return self

    @property
    def takes(self) -> Takes:
        return "text" if self.folder else "bytes"

    def fit(self, seen: Seen) -> dict[str, Any]:
        require(self, "soundfile", "media")
        length = round(self.rate * self.seconds)
        encoder = self.model_dump(include={"rate", "mels", "window", "hop", "folder"})
        return {"shape": [self.mels, 1 + length // self.hop], "dtype": "float32", "length": length, **encoder}

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        out = np.empty((len(values), *encoder["shape"]), np.float32)
        for i, value in enumerate(values.to_pylist()):
            sound_S = np.zeros(encoder["length"])
            if value is not None:
                found_S = _sound(encoder, value)[: len(sound_S)]
                sound_S[: len(found_S)] = found_S
            out[i] = log_mel(sound_S, encoder["rate"], encoder["mels"], encoder["window"], encoder["hop"])
        return out


def _sound(encoder: Mapping[str, Any], value: bytes | str) -> np.ndarray:
    raw = load(value, encoder["folder"])
    if raw is None:
        raise IntegrityError(f"transform `audio`: there is no file '{value!s}' below {encoder['folder']}")
    sound = samples(raw)
    if sound is None:
        raise IntegrityError(
            f"transform `audio`: {len(raw):,} bytes that are no sound; keep such rows out by `decodable: "
            "audio` in quality.columns"
        )
    sound_SC, rate = sound
    return resampled(sound_SC.mean(axis=1), rate, encoder["rate"])
