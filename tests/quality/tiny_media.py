"""Small images, sounds and videos made for tests; real ones where the shared data are there."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest


def image_bytes(
    seed: int = 0, size: tuple[int, int] = (48, 40), form: str = "JPEG", quality: int = 90
) -> bytes:
    """A soft picture of a few blobs, another one for each seed."""
    Image = pytest.importorskip("PIL.Image")
    draw = np.random.default_rng(seed)
    small = Image.fromarray(draw.integers(0, 256, (5, 6), dtype=np.uint8))
    stored = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(
        stored, form, **({"quality": quality} if form == "JPEG" else {})
    )
    return stored.getvalue()


def tone(peak: float = 0.5, seconds: float = 0.3, rate: int = 8000, pitch: float = 220.0) -> np.ndarray:
    """A sine of this peak with a touch of noise, so that no two samples are equal by design."""
    t = np.arange(round(seconds * rate)) / rate
    return peak * np.sin(2 * np.pi * pitch * t + 0.1) + 1e-3 * np.random.default_rng(0).standard_normal(
        len(t)
    )


def sound_bytes(sound: np.ndarray, form: str = "WAV", rate: int = 8000) -> bytes:
    """The samples as a file of this format, 16 bit."""
    soundfile = pytest.importorskip("soundfile")
    stored = io.BytesIO()
    soundfile.write(stored, np.clip(sound, -1, 1), rate, format=form)
    return stored.getvalue()


def video_bytes(frames: int = 6) -> bytes:
    """A small MPEG-4 film of noise."""
    av = pytest.importorskip("av")
    stored = io.BytesIO()
    draw = np.random.default_rng(0)
    with av.open(stored, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(frames):
            frame = av.VideoFrame.from_ndarray(
                draw.integers(0, 256, (48, 64, 3), dtype=np.uint8), format="rgb24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return stored.getvalue()


def clothing(shared_data: Path, most: int) -> list[bytes]:
    """Photographs of clothes, where the shared data are there."""
    path = shared_data / "clothing" / "clothing_validation.tar"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with tarfile.open(path) as archive:
        members = [member for member in archive if member.name.lower().endswith(".jpg")][:most]
        return [archive.extractfile(member).read() for member in members]  # type: ignore[union-attr]


def spoken_digits(shared_data: Path, every: int) -> list[bytes]:
    """Recordings of spoken digits, where the shared data are there."""
    paths = sorted((shared_data / "spoken-digits").glob("*.wav"))[::every]
    if not paths:
        pytest.skip(f"{shared_data / 'spoken-digits'} is not there")
    return [path.read_bytes() for path in paths]
