"""Images, audio and video that can be decoded to their end."""

import io
import warnings
from typing import ClassVar, Literal

from pydantic import Field
from pyspark.sql import Column, DataFrame

from lsml_spark.media import column as media
from lsml_spark.quality.check import RowCheck

# Formats that are a file of their own. Playlists (hls, dash, concat) would make FFmpeg open what they name.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf,gif,h264,hevc,m4v,mjpeg,ivf"
)
MOST_SAMPLES = 1 << 20  # read at once


class Decodable(RowCheck):
    """The bytes, or the file at this path below `folder`, decode to their end. NULL is kept; a missing file
    is violated.

    `decodable: image` (Pillow: verified, then its pixels loaded), `audio` (libsndfile: as many samples as the
    header says), `video` (FFmpeg: every frame of the first video stream).

    Fields:
        folder: paths are relative to it and may not lead out of it.
        most_pixels: a larger image or frame counts as a decompression bomb and is not loaded.
    """

    kind: Literal["image", "audio", "video"]  # what the bytes are
    folder: str = ""
    most_pixels: int = Field(100_000_000, gt=0)

    shorthand: ClassVar[str] = "kind"
    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"does not decode as {self.kind}"

    def attach(self, rows: DataFrame) -> DataFrame:
        media.require(self.kind, f"{self.column}: decodable", rows.schema[self.column].dataType, self.folder)
        return rows

    def violated(self) -> Column:
        kind, most = self.kind, self.most_pixels

        def broken(data: bytes | None) -> bool:
            if not data:
                return True
            return not (
                image(data, most)
                if kind == "image"
                else audio(data)
                if kind == "audio"
                else video(data, most)
            )

        return media.each(self.value, broken, self.folder)


def image(data: bytes, most_pixels: int) -> bool:
    """Whether Pillow verifies the file and loads all of its pixels."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's own about large images and broken metadata
            with Image.open(io.BytesIO(data)) as picture:
                if picture.width * picture.height > most_pixels:
                    return False
                picture.verify()
            with Image.open(io.BytesIO(data)) as picture:  # `verify` leaves it unusable
                picture.load()
    except Exception:  # damaged files make Pillow raise whatever its decoders stumble over
        return False
    return True


def audio(data: bytes) -> bool:
    """Whether there are samples, and as many as the header says."""
    import soundfile  # type: ignore[import-untyped]

    if _cut_short(data):
        return False
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            read = 0
            while len(block := sound.read(MOST_SAMPLES // sound.channels)):
                read += len(block)
            return read > 0 and sound.frames <= read
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
        return False


def _cut_short(data: bytes) -> bool:
    """Whether a WAV file says that it is longer than it is, which libsndfile forgives. A stream of unknown
    length says 0 or 2³² - 1.
    """
    if data[:4] != b"RIFF":
        return False
    length = int.from_bytes(data[4:8], "little")
    return length not in (0, 0xFFFFFFFF) and length + 8 > len(data)


def video(data: bytes, most_pixels: int) -> bool:
    """Whether every frame decodes, and there are as many as the header says."""
    import av

    try:
        with av.open(io.BytesIO(data), "r", options={"format_whitelist": CONTAINERS}) as container:
            stream = container.streams.video[0]
            if stream.width * stream.height > most_pixels:
                return False
            stream.codec_context.options = {"err_detect": "explode"}
            decoded = len([None for _ in container.decode(stream)])
            return decoded > 0 and stream.frames <= decoded
    except (av.FFmpegError, IndexError, ValueError, RuntimeError):
        return False
