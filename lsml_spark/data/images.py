"""Encoded images as arrays, by Pillow, which releases the interpreter's lock while it decodes."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from lsml_spark.core.config import Strict, validate
from lsml_spark.core.errors import ConfigError, IntegrityError


class Image(Strict):
    """`mode`: colours of a decoded image; `resize`: (height, width) that images of other sizes are brought to, bilinear."""

    mode: Literal["rgb", "gray"] = "rgb"
    resize: tuple[int, int] | None = Field(None)


def image_of(asked: Any, where: str) -> Image:
    """From "rgb", "gray", or a mapping of the fields of Image. ConfigError starts with `where`; also where Pillow is missing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise ConfigError(f"{where}: decoding images needs Pillow; pip install 'lsml_spark[media]'") from None
    return validate(
        Image, {"mode": asked} if isinstance(asked, str) else dict(asked) if isinstance(asked, Mapping) else {"mode": asked}, where
    )


def decoded(images_B: Sequence[bytes], told: Image, column: str) -> np.ndarray:
    """(B, height, width, 3) uint8, or (B, height, width) for gray. IntegrityError for bytes that are no image.

    ConfigError where sizes differ and `resize` does not say what to do.
    """
    import PIL.Image

    out: np.ndarray | None = None
    for place, raw in enumerate(images_B):
        try:
            with PIL.Image.open(io.BytesIO(raw)) as file:
                image = file.convert("RGB" if told.mode == "rgb" else "L")
        except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
            raise IntegrityError(f"column '{column}': {len(raw):,} bytes that are no image ({' '.join(str(error).split())})") from error
        if told.resize and image.size != told.resize[::-1]:
            image = image.resize(told.resize[::-1], PIL.Image.Resampling.BILINEAR)
        pixels = np.asarray(image)
        if out is None:
            out = np.empty((len(images_B), *pixels.shape), np.uint8)
        if pixels.shape != out.shape[1:]:
            sizes = f"{out.shape[1]}×{out.shape[2]} and {pixels.shape[0]}×{pixels.shape[1]}"
            raise ConfigError(
                f'column \'{column}\': images of {sizes} in one batch; say decode={{"{column}": {{"resize": [height, width]}}}}'
            )
        out[place] = pixels
    if out is None:
        height, width = told.resize or (0, 0)
        out = np.empty((0, height, width, *((3,) if told.mode == "rgb" else ())), np.uint8)
    return out
