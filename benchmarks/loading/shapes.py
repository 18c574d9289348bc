"""The rows that every reader reads, the same for all: plain numpy and bytes, so that each peer writes them in
its own format.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BATCH = 1024
SHAPES = ("tabular", "dense", "images", "jpeg", "ragged", "strings")
ROWS = {
    "tabular": 300_000,
    "dense": 60_000,
    "images": 100_000,
    "jpeg": 3_000,
    "ragged": 200_000,
    "strings": 300_000,
}
SIDE = 224  # of a JPEG
LONGEST = 64  # values of a ragged row
FLOATS, INTS = 13, 26  # columns of the tabular shape


@dataclass(frozen=True)
class Rows:
    """`fields`: an array (N, …) each, or N byte strings or lists. `label` (N,) int32 is what an epoch is
    checked by.
    """

    shape: str
    label: np.ndarray
    fields: dict[str, np.ndarray | Sequence]

    def __len__(self) -> int:
        return len(self.label)


def rows(shape: str, count: int, seed: int = 0) -> Rows:
    """`count` rows of a shape; KeyError for an unknown one."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 1000, count).astype(np.int32)
    make = {
        "tabular": _tabular,
        "dense": _dense,
        "images": _images,
        "jpeg": _jpeg,
        "ragged": _ragged,
        "strings": _strings,
    }
    return Rows(shape, label, make[shape](rng, count))


def _tabular(rng: np.random.Generator, count: int) -> dict:
    floats = rng.normal(size=(count, FLOATS)).astype(np.float32)
    return {"floats": floats, "ints": rng.integers(0, 1_000_000, size=(count, INTS))}


def _dense(rng: np.random.Generator, count: int) -> dict:
    return {"x": rng.standard_normal((count, 256), dtype=np.float32)}


def _images(rng: np.random.Generator, count: int) -> dict:
    return {"image": rng.integers(0, 256, size=(count, 28, 28), dtype=np.uint8)}


def _jpeg(rng: np.random.Generator, count: int) -> dict:
    """Smooth noise, which compresses about as photographs do (some 20 kB); 32 different ones."""
    from PIL import Image

    encoded = []
    for _ in range(min(32, count)):
        small = Image.fromarray(rng.integers(0, 256, size=(56, 56, 3), dtype=np.uint8))
        file = io.BytesIO()
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        encoded.append(file.getvalue())
    return {"image": [encoded[i] for i in rng.integers(0, len(encoded), count)]}


def _ragged(rng: np.random.Generator, count: int) -> dict:
    lengths = rng.integers(1, LONGEST + 1, count)
    values = rng.integers(0, 50_000, lengths.sum()).astype(np.int32)
    return {"tokens": np.split(values, np.cumsum(lengths)[:-1])}


def _strings(rng: np.random.Generator, count: int) -> dict:
    words = np.array(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"])
    picked = words[rng.integers(0, len(words), size=(count, 6))]
    return {"text": [" ".join(row) for row in picked.tolist()]}


def decoded(encoded: bytes) -> np.ndarray:
    """A JPEG as (SIDE, SIDE, 3) uint8 by Pillow, the decoder of every reader here."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


def padded(tokens: Sequence[np.ndarray]) -> np.ndarray:
    """Lists as (B, LONGEST), 0 after their end: what a reader must do that has no ragged batches."""
    out = np.zeros((len(tokens), LONGEST), np.int32)
    for row, values in enumerate(tokens):
        out[row, : len(values)] = values
    return out


def collate(samples: list) -> dict:
    """Samples as a peer's DataLoader gives them, {column: value} each, as a batch: images decoded, lists
    padded.
    """
    import torch

    batch = {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        if isinstance(values[0], bytes | memoryview):
            values = [decoded(raw) for raw in values]
        if name == "tokens":
            values = padded(values)
        batch[name] = values if isinstance(values[0], str) else torch.from_numpy(np.stack(values))
    return batch
