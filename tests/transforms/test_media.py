"""Images are Pillow's, spectrograms those of the published formula (by torch's STFT); shards, networks and
the scorer hold the same.
"""

import io

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest
import soundfile
import torch
from scipy.signal import resample_poly

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.transforms.audio import Audio
from lsml_spark.transforms.image import Image
from lsml_spark.transforms.transform import Seen


def photo(height: int, width: int, mode: str = "RGB", format_: str = "PNG") -> bytes:
    random = np.random.default_rng(height * width)
    pixels = random.integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).convert(mode).save(file, format_)
    return file.getvalue()


def sound(seconds: float, rate: int, channels: int = 1) -> tuple[bytes, np.ndarray]:
    random = np.random.default_rng(rate)
    samples = 0.3 * random.standard_normal((int(seconds * rate), channels)).clip(-3, 3)
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_24")
    return file.getvalue(), samples


def applied(transform: Image | Audio, *values: bytes | str | None) -> np.ndarray:
    encoder = transform.fit(Seen())
    found = transform.apply(encoder, pa.array(values))
    assert list(found.shape) == [len(values), *encoder["shape"]]
    assert found.dtype == encoder["dtype"]
    return found


@pytest.mark.parametrize(("mode", "pillow"), [("rgb", "RGB"), ("gray", "L")])
@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_images_are_pillows(mode, pillow, format_):
    raw = photo(31, 47, format_=format_)
    image = PIL.Image.open(io.BytesIO(raw)).convert(pillow)
    exact, middle = applied(Image(mode=mode, resize=(8, 9)), raw, None)
    wanted = np.asarray(image.resize((9, 8), PIL.Image.Resampling.BILINEAR)).reshape(8, 9, -1)
    assert (exact == wanted).all()
    assert not middle.any()  # a missing one is black
    (shorter,) = applied(Image(mode=mode, resize=16, crop=(14, 12)), raw)
    wanted = np.asarray(image.resize((16 * 47 // 31, 16), PIL.Image.Resampling.BILINEAR))[1:15, 6:18].reshape(
        14, 12, -1
    )
    assert (shorter == wanted).all()
    (whole,) = applied(Image(mode=mode, crop=(33, 47)), raw)
    assert (whole[1:32] == np.asarray(image).reshape(31, 47, -1)).all()
    assert not whole[[0, 32]].any()


def test_a_path_is_read_below_its_folder_and_nowhere_else(tmp_path):
    (tmp_path / "inside").mkdir()
    for place in ("inside/a.png", "b.png"):
        (tmp_path / place).write_bytes(photo(4, 4))
    transform = Image(resize=(4, 4), folder=str(tmp_path / "inside"))
    assert (applied(transform, "a.png") == applied(Image(resize=(4, 4)), photo(4, 4))).all()
    with pytest.raises(IntegrityError, match=r"no file '\.\./b\.png' below"):
        applied(transform, "../b.png")


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (11025, 2), (16000, 1)])
def test_log_mel_is_the_published_formula(rate, channels):
    raw, samples = sound(0.5, rate, channels)
    transform = Audio(seconds=0.4, rate=8000, mels=20, window=256, hop=100)
    found, nothing = applied(transform, raw, None)
    mono = samples.mean(axis=1) if rate == 8000 else resample_poly(samples.mean(axis=1), 8000, rate)
    stft = torch.stft(
        torch.from_numpy(mono[:3200]),
        256,
        100,
        window=torch.hann_window(256, dtype=torch.float64),
        return_complex=True,
    )
    hertz, mel = np.arange(129) * 8000 / 256, lambda f: 2595 * np.log10(1 + f / 700)
    edges = np.interp(
        np.linspace(0, mel(4000), 22), mel(np.linspace(0, 4000, 100_001)), np.linspace(0, 4000, 100_001)
    )
    bank = np.stack([np.interp(hertz, edges[m : m + 3], [0, 1, 0]) for m in range(20)])
    np.testing.assert_allclose(found, np.log(bank @ stft.abs().numpy() ** 2 + 1e-6), atol=2e-4)
    np.testing.assert_allclose(nothing, np.log(1e-6), rtol=1e-6)


def test_a_short_sound_ends_in_silence_and_a_long_one_is_cut():
    transform = Audio(seconds=0.4, rate=8000, mels=20, window=256, hop=100)
    short, long = applied(transform, sound(0.1, 8000)[0], sound(2.0, 8000)[0])
    np.testing.assert_allclose(short[:, 12:], np.log(1e-6), rtol=1e-6)
    assert (long > np.log(1e-6) + 1).all()


@pytest.mark.parametrize("transform", [Image(resize=(4, 4)), Audio(seconds=0.1)])
def test_what_does_not_decode_is_an_error_that_says_what_to_do(transform):
    with pytest.raises(IntegrityError, match=r"7 bytes that are no (image|sound).*decodable"):
        applied(transform, b"no file")


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (Image, {}, "images of many sizes need one"),
        (Image, {"resize": 8}, "images of many sizes need one"),
        (Audio, {"seconds": 0.01}, "fewer samples than a window of 400"),
    ],
)
def test_what_has_no_shape_is_refused(kind, options, said):
    with pytest.raises(ConfigError, match=said):
        validate(kind, options, "night.yaml: features.columns.x")
