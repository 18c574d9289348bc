"""Words as given vectors: of GloVe, word2vec, fastText, or of a model of one's own."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from lsml_spark.core.errors import ConfigError
from lsml_spark.transforms.transform import Seen, Takes, Transform, bags


class Embed(Transform):
    """Value → its vector in `file`; of a list the mean of those that it has. NULL, an empty list and what the
    file does not know are zeros.

    `file` is word2vec's text (`word 0.1 0.2 …`, with or without its first line of sizes), Parquet with the
    columns `word` and `vector`, or `.npy` (words, width) with the words beside it, one a line, in the `.txt`
    of the same name. Its `first` words travel with the model, with the file's sha256; such files begin with
    the most frequent ones. A word that comes twice is the first.
    """

    file: str  # of words and their vectors
    first: int = Field(50_000, ge=1)  # at most so many of its words

    @property
    def takes(self) -> Takes:
        return "bags"

    def fit(self, seen: Seen) -> dict[str, Any]:
        path = Path(self.file).expanduser()
        try:
            words, vectors = _read(path, self.first)
            vectors_KD = np.asarray(vectors, "<f4")
            if (
                not words
                or vectors_KD.shape != (len(words), vectors_KD.shape[-1])
                or not np.isfinite(vectors_KD).all()
            ):
                raise ValueError(
                    "it does not hold one vector of finite numbers, all of one length, for each word"
                )
            checksum = hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, ValueError, KeyError) as error:  # ArrowInvalid is a ValueError
            raise ConfigError(
                f"features: `embed`: {path}: cannot be read as vectors of words ({error})"
            ) from error
        place = {word: i for i, word in reversed(list(enumerate(words)))}
        kept = sorted(place.values())
        text = base64.b64encode(np.ascontiguousarray(vectors_KD[kept]).tobytes()).decode()
        return {
            "width": vectors_KD.shape[1],
            "words": [words[i] for i in kept],
            "vectors": text,
            "file": path.name,
            "sha256": checksum,
        }

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> np.ndarray:
        vectors_KD = _decoded(encoder["vectors"], encoder["width"])
        items, row_T = bags(values)
        place = pc.index_in(
            items.cast(pa.string()), value_set=pa.array(encoder["words"], pa.string()), skip_nulls=True
        )
        place_T = pc.fill_null(place, -1).to_numpy(zero_copy_only=False)
        known_T = place_T >= 0
        sums_ND = np.zeros((len(values), encoder["width"]))
        np.add.at(sums_ND, row_T[known_T], vectors_KD[place_T[known_T]])
        known_N = np.bincount(row_T[known_T], minlength=len(values))
        return sums_ND / np.maximum(known_N, 1)[:, None]


@lru_cache(maxsize=4)
def _decoded(text: str, width: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, width)


def _read(path: Path, first: int) -> tuple[list[str], Any]:
    """The first words and their vectors."""
    if path.suffix == ".npy":
        words = path.with_suffix(".txt").read_text("utf-8").splitlines()
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        if len(vectors) != len(words):
            raise ValueError(
                f"it has {len(vectors):,} vectors for the {len(words):,} words of "
                f"{path.with_suffix('.txt').name}"
            )
        return words[:first], vectors[:first]
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(path, columns=["word", "vector"]).slice(0, first)
        return table["word"].to_pylist(), table["vector"].to_pylist()
    with path.open(encoding="utf-8", newline="\n") as file:
        rows = list(islice(_lines(file), first))
    return [word for word, _ in rows], [vector for _, vector in rows]


def _lines(file: Any) -> Iterator[tuple[str, list[float]]]:
    """Of word2vec's text; a word may hold blanks where the lines before say how many numbers follow it."""
    width = 0
    for number, line in enumerate(file):
        parts = line.rstrip("\r\n ").rsplit(" ", width) if width else line.split()
        if number == 0 and len(parts) == 2 and all(part.isdigit() for part in parts):
            width = int(parts[1])
            continue
        width = width or len(parts) - 1
        yield parts[0], [float(part) for part in parts[1:]]
