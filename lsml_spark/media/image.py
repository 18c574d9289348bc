"""Encoded images as arrays, by Pillow, which releases the interpreter's lock while it decodes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from lsml_spark.core.config import Strict, validate
from lsml_spark.core.errors import ConfigError, IntegrityError

MOST_PIXELS = 100_000_000
PILLOW = 12  # bytes of a pixel while an image is decoded: as it was stored, as it is wanted, and as an array


class Image(Strict):
    """`mode`: colours of a decoded image; `resize`: (height, width) that images of other sizes are brought
    to, bilinear.
    """

    mode: Literal["rgb", "gray"] = "rgb"
    resize: tuple[int, int] | None = Field(None)


def image_of(value: Any, where: str) -> Image:
    """From "rgb", "gray", or a mapping of the fields of Image. ConfigError starts with `where`; also where
    Pillow is missing.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise ConfigError(f"{where}: decoding images needs Pillow; pip install 'lsml_spark[media]'") from None
    return validate(
        Image,
        {"mode": value}
        if isinstance(value, str)
        else dict(value)
        if isinstance(value, Mapping)
        else {"mode": value},
        where,
    )


def size_of(raw: bytes) -> tuple[int, int]:
    """(width, height) that the header of a PNG or JPEG tells, without decoding it; (0, 0) where there is no
    such header.
    """
    if raw[:8] == b"\x89PNG\r\n\x1a\n" and len(raw) >= 24:
        return int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")
    at = 2 if raw[:2] == b"\xff\xd8" else len(raw)
    while at + 9 <= len(raw):  # segments: 0xFF, marker, length, content
        if raw[at] != 0xFF:
            break
        marker = raw[at + 1]
        # a start of frame: precision, height, width
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(raw[at + 7 : at + 9], "big"), int.from_bytes(raw[at + 5 : at + 7], "big")
        bare = marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8
        at += (1 if marker == 0xFF else 2) if bare else 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
    return 0, 0


def bytes_of(images_B: Sequence[bytes], settings: Image) -> int:
    """Memory that decoding takes, by the headers: the array of all, and the largest image while Pillow has
    it.
    """
    sizes = [size_of(raw) for raw in images_B]
    if not sizes:
        return 0
    width, height = settings.resize[::-1] if settings.resize else sizes[0]
    colours = 3 if settings.mode == "rgb" else 1
    return len(sizes) * width * height * colours + PILLOW * max(a * b for a, b in sizes)


def opened(raw: bytes, mode: Literal["rgb", "gray"]) -> Any:
    """Pillow's image of a PNG or JPEG. ValueError for bytes that are none."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as file:
            return file.convert("RGB" if mode == "rgb" else "L")
    # of Pillow, which has no common one: OSError, SyntaxError, struct.error, zlib.error, a warning, …
    except Exception as error:
        why = (
            "no PNG or JPEG"
            if isinstance(error, PIL.UnidentifiedImageError)
            else " ".join(str(error).split())
        )
        raise ValueError(f"{len(raw):,} bytes that are no image ({why})") from error


def fitted(image: Any, resize: int | Sequence[int] | None, crop: Sequence[int] | None) -> Any:
    """Brought to `resize` (height, width), or its shorter side to that length, bilinear; then the middle
    `crop` (height, width) of it, black where it has none. ValueError where the longer side would be too long
    to hold."""
    import PIL.Image

    if isinstance(resize, int):
        shorter = min(image.size)
        width, height = (resize if side == shorter else resize * side // shorter for side in image.size)
        if width * height > MOST_PIXELS:
            raise ValueError(f"an image of {image.height}×{image.width} would become one of {height}×{width}")
    elif resize:
        height, width = resize
    if resize and image.size != (width, height):
        image = image.resize((width, height), PIL.Image.Resampling.BILINEAR)
    if crop:
        left, top = (image.width - crop[1]) // 2, (image.height - crop[0]) // 2
        image = image.crop((left, top, left + crop[1], top + crop[0]))
    return image


def decoded(images_B: Sequence[bytes], settings: Image, column: str) -> np.ndarray:
    """(B, height, width, 3) uint8, or (B, height, width) for gray. IntegrityError for bytes that are no
    image.

    ConfigError where sizes differ and `resize` does not say what to do.
    """
    import PIL.Image

    out: np.ndarray | None = None
    for place, raw in enumerate(images_B):
        try:
            image = opened(raw, settings.mode)
        except ValueError as error:
            raise IntegrityError(f"column '{column}': {error}") from error
        if settings.resize and image.size != settings.resize[::-1]:
            image = image.resize(settings.resize[::-1], PIL.Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        if out is None:
            out = np.empty((len(images_B), *pixels.shape), np.uint8)
        if pixels.shape != out.shape[1:]:
            sizes = f"{out.shape[1]}×{out.shape[2]} and {pixels.shape[0]}×{pixels.shape[1]}"
            raise ConfigError(
                f'column \'{column}\': images of {sizes} in one batch; say decode={{"{column}": {{"resize": '
                f"[height, width]}}}}"
            )
        out[place] = pixels
    if out is None:
        height, width = settings.resize or (0, 0)
        out = np.empty((0, height, width, *((3,) if settings.mode == "rgb" else ())), np.uint8)
    return out
