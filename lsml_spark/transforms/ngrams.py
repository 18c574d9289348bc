"""Texts as bags of words or letters without a table: each n-gram is an id by its hash."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
import xxhash
from pydantic import Field, field_validator

from lsml_spark.data.batch import Ragged
from lsml_spark.transforms.transform import Becomes, Seen, Takes, Transform

Length = Annotated[int, Field(ge=1)]


class Ngrams(Transform):
    """Text → 1 + xxhash64(n-gram) mod `size` of each of its n-grams, n from n[0] to n[1], the shorter ones
    first, each group in the order of the text; an empty list for NULL and for a text without any.

    The n-grams are those of scikit-learn's CountVectorizer: of `words` (what `pattern` finds), of `letters`,
    or of the `letters_in_words`, a blank before and behind each word (its `char_wb`).
    """

    becomes: ClassVar[Becomes] = "lists"
    size: int = Field(ge=1)  # how many ids
    by: Literal["words", "letters", "letters_in_words"] = "words"  # of what
    n: tuple[Length, Length] = (1, 1)  # shortest and longest
    lowercase: bool = True  # first of all
    pattern: str = r"\b\w\w+\b"  # of a word

    @field_validator("n")
    @classmethod
    def _rises(cls, n: tuple[int, int]) -> tuple[int, int]:
        if n[0] > n[1]:
            raise ValueError(f"{list(n)} is no range; the shorter length comes first")
        return n

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression ({error})") from error
        if groups > 1:
            raise ValueError(
                f"{pattern!r} has {groups} groups; a word is the whole match or its one group: write the "
                "others as (?:…)"
            )
        return pattern

    @property
    def takes(self) -> Takes:
        return "text"

    def fit(self, seen: Seen) -> dict[str, Any]:
        return {
            "size": self.size,
            "by": self.by,
            "n": list(self.n),
            "lowercase": self.lowercase,
            "pattern": self.pattern,
        }

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> Ragged:
        grams_of, size = analyzer(encoder), encoder["size"]
        ids: dict[str, int] = {}
        rows = [grams_of(text) if text is not None else [] for text in values.cast(pa.string()).to_pylist()]
        for gram in {gram for row in rows for gram in row}:
            ids[gram] = 1 + xxhash.xxh64_intdigest(gram.encode()) % size
        return Ragged.of([[ids[gram] for gram in row] for row in rows])


def analyzer(encoder: Mapping[str, Any]) -> Callable[[str], list[str]]:
    """From a text to its n-grams."""
    low, high = encoder["n"]
    word = re.compile(encoder["pattern"])
    pieces = {
        "words": lambda text: _windows(word.findall(text), low, high, " ".join),
        "letters": lambda text: _windows(re.sub(r"\s\s+", " ", text), low, high, str),
        "letters_in_words": lambda text: [
            gram for part in text.split() for gram in _within(f" {part} ", low, high)
        ],
    }[encoder["by"]]
    return lambda text: pieces(text.lower() if encoder["lowercase"] else text)


def _windows(parts: Any, low: int, high: int, join: Callable[[Any], str]) -> list[str]:
    return [join(parts[i : i + n]) for n in range(low, high + 1) for i in range(len(parts) - n + 1)]


def _within(word: str, low: int, high: int) -> list[str]:
    """A word that is shorter than n is one n-gram, once."""
    return _windows(word, low, min(high, len(word)), str) or [word]
