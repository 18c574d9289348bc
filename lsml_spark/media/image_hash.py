"""Perceptual hash of an image: 64 bits that survive scaling and recompression, after Zauner (2010), pHash.

The image as 32 × 32 grey values, their cosine transform, and of its 8 × 8 lowest frequencies whether each is
above the median.
"""

import io
import itertools
import warnings
from hashlib import blake2b

import numpy as np

SIDE, LOW = 32, 8
FLAT = 4.0  # grey values (of 255) by which an image must vary, root mean square; below that the hash is noise


def _cosines() -> np.ndarray:
    """The first rows of the orthonormal cosine transform (type II): (LOW, SIDE)."""
    k, n = np.arange(LOW)[:, None], np.arange(SIDE)[None]
    rows = np.sqrt(2 / SIDE) * np.cos(np.pi * k * (2 * n + 1) / (2 * SIDE))
    rows[0] /= np.sqrt(2)
    return rows


def image_hash(data: bytes, most_pixels: int) -> int | None:
    """The hash as a signed 64-bit number; None where the bytes are no image, a bomb, or one of a single
    colour.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > most_pixels:
                    return None
                grey = np.asarray(
                    image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float64
                )
    except Exception:  # what does not decode is the business of `decodable`
        return None
    if grey.std() < FLAT:
        return None
    cosines = _cosines()
    low = (cosines @ grey @ cosines.T).ravel()
    # the mean, low[0], would move the median
    return int(np.packbits(low > np.median(low[1:])).view(">i8")[0])


def buckets(hash_: int, bits: int) -> list[int]:
    """Buckets of which two hashes share one at least wherever they differ in no more than `bits` bits.

    The hash is cut into bits + 2 pieces, of which at least two are then untouched: a bucket per pair of
    pieces.
    """
    pieces = bits + 2
    edges = [64 * piece // pieces for piece in range(pieces + 1)]
    masks = [((1 << (high - low)) - 1) << low for low, high in itertools.pairwise(edges)]
    parts = [
        (number, hash_ & (one | other))
        for number, (one, other) in enumerate(itertools.combinations(masks, 2))
    ]
    return [
        int.from_bytes(blake2b(b"%d:%d" % bucket, digest_size=8).digest(), "big", signed=True)
        for bucket in parts
    ]
