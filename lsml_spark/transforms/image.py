"""Pictures as tensors of bytes, for networks that look at them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from lsml_spark.core.errors import IntegrityError
from lsml_spark.media.files import load
from lsml_spark.media.image import fitted, opened
from lsml_spark.transforms.transform import Becomes, Seen, Takes, Transform, require

Length = Annotated[int, Field(ge=1)]


class Image(Transform):
    """PNG or JPEG, its bytes or its path below `folder` → uint8 (height, width, 3), or (…, 1) for gray, as
    Pillow makes it.

    `resize`: [height, width], or the length of the shorter side; `crop`: [height, width] of the middle, black
    where a smaller image has nothing. NULL becomes black; what does not decode stops the stage, so keep it
    out by the check `decodable`.
    """

    becomes: ClassVar[Becomes] = "tensors"
    mode: Literal["rgb", "gray"] = "rgb"  # three colours, or one
    resize: tuple[Length, Length] | Length | None = None
    crop: tuple[Length, Length] | None = None
    folder: str = ""  # below which paths are looked for

    @model_validator(mode="after")
    def _has_one_shape(self) -> "Image":
        if not self.crop and not isinstance(self.resize, tuple):
            raise ValueError(
                "images of many sizes need one: say resize: [height, width], or crop: [height, width]"
            )
        return self

    @property
    def takes(self) -> Takes:
        return "text" if self.folder else "bytes"

    def fit(self, seen: Seen) -> dict[str, Any]:
        require(self, "PIL", "media")
        shape = [*(self.crop or self.resize), 3 if self.mode == "rgb" else 1]  # type: ignore[misc]
        return {
            "shape": shape,
            "dtype": "uint8",
            **self.model_dump(mode="json", include={"mode", "resize", "crop", "folder"}),
        }

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        out = np.zeros((len(values), *encoder["shape"]), np.uint8)
        for i, value in enumerate(values.to_pylist()):
            if value is not None:
                out[i] = _pixels(encoder, value)
        return out


def _pixels(encoder: Mapping[str, Any], value: bytes | str) -> np.ndarray:
    raw = load(value, encoder["folder"])
    if raw is None:
        raise IntegrityError(f"transform `image`: there is no file '{value!s}' below {encoder['folder']}")
    try:
        image = fitted(opened(raw, encoder["mode"]), encoder["resize"], encoder["crop"])
    except ValueError as error:
        raise IntegrityError(
            f"transform `image`: {error}; keep such rows out by `decodable: image` in quality.columns"
        ) from error
    return np.asarray(image).reshape(encoder["shape"])
