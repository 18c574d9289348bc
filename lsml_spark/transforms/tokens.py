"""Texts as lists of subword ids, by the library `tokenizers`, trained on the training rows.

Spark counts the words (what the pre-tokenizer cuts a text into), the driver trains on the counts. The library
numbers WordPiece's continuations (`##x`) as it meets them in a hash table, and so finds another vocabulary in
every run; here they have numbers first.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from lsml_spark.data.batch import Ragged
from lsml_spark.transforms.transform import Becomes, Needs, Seen, Takes, Transform, require

# Spark and the ranks have processes enough, and fork
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
UNKNOWN = "[UNK]"
LONGEST = 100  # characters of a word; WordPiece takes a longer one for unknown
FED = 2_000_000  # words that training is shown: above that, their counts are scaled down


class Tokens(Transform):
    """Text → the ids of its subwords, 1 … V < `size`, 0 for one that is unknown; an empty list for NULL.

    `wordpiece`: words and punctuation as BERT cuts them (Devlin et al. 2019); `bpe`: bytes as GPT-2 cuts them
    (Radford et al. 2019), so that nothing is unknown. Learned from the 200,000 most frequent words of at most
    100 characters; a character that is not among the `size` / 4 most frequent ones has no token.
    """

    becomes: ClassVar[Becomes] = "lists"
    by: Literal["wordpiece", "bpe"] = "wordpiece"  # which subwords
    size: int = Field(8000, ge=300)  # at most so many, with the unknown one
    min_count: int = Field(2, ge=1)  # times that two subwords stand together, to become one
    lowercase: bool = True  # first of all

    @property
    def needs(self) -> Needs:
        return "pieces"

    @property
    def takes(self) -> Takes:
        return "text"

    def pieces(self, values: pa.Array) -> Iterable[str]:
        """The words that training counts."""
        cut, normal = self._empty().pre_tokenizer, self._empty().normalizer
        for text in values.drop_null().to_pylist():
            for word, _ in cut.pre_tokenize_str(normal.normalize_str(text) if normal else text):
                yield word

    def fit(self, seen: Seen) -> dict[str, Any]:
        require(self, "tokenizers", "text")
        counts = {
            word: int(count)
            for word, count in zip(seen.values_K, seen.counts_K, strict=True)
            if len(word) <= LONGEST
        }
        state = json.loads(self._empty().to_str())
        state["model"] = json.loads(self._trained(counts).to_str())["model"]
        vocabulary = state["model"]["vocab"]
        return {
            "values": sorted(vocabulary, key=vocabulary.get)[1:],
            "tokenizer": json.dumps(state, sort_keys=True, ensure_ascii=False),
        }

    @staticmethod
    def apply(encoder: Mapping[str, Any], values: pa.Array) -> Ragged:
        texts = values.cast(pa.string()).fill_null("").to_pylist()
        return Ragged.of(
            [
                encoding.ids
                for encoding in _read(encoder["tokenizer"]).encode_batch(texts, add_special_tokens=False)
            ]
        )

    def _empty(self) -> Any:
        """A tokenizer that has not learned anything."""
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

        if self.by == "wordpiece":
            tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN, max_input_chars_per_word=LONGEST))
            tokenizer.normalizer = normalizers.BertNormalizer(lowercase=self.lowercase)
            tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
            return tokenizer
        tokenizer = Tokenizer(models.BPE())
        if self.lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return tokenizer

    def _trained(self, counts: Mapping[str, int]) -> Any:
        """A tokenizer with a vocabulary, in which UNKNOWN has the id 0."""
        from tokenizers import Tokenizer, pre_tokenizers, trainers

        settings: dict[str, Any] = {
            "vocab_size": self.size,
            "min_frequency": self.min_count,
            "show_progress": False,
        }
        tokenizer = Tokenizer(self._empty().model)
        if self.by == "wordpiece":
            characters: Counter[str] = Counter()
            for word, count in counts.items():
                characters.update(dict.fromkeys(word, count))
            kept = {
                one
                for one, _ in sorted(characters.items(), key=lambda pair: (-pair[1], pair[0]))[
                    : self.size // 4
                ]
            }
            counts = {word: count for word, count in counts.items() if kept.issuperset(word)}
            inside = sorted({one for word in counts for one in word[1:]})
            trainer: Any = trainers.WordPieceTrainer(
                special_tokens=[UNKNOWN, *(f"##{one}" for one in inside)], **settings
            )
        else:
            trainer = trainers.BpeTrainer(
                special_tokens=[UNKNOWN], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **settings
            )
        share = min(1.0, FED / max(sum(counts.values()), 1))
        shown = (word for word, count in sorted(counts.items()) for _ in range(max(1, int(count * share))))
        tokenizer.train_from_iterator(shown, trainer)
        return tokenizer


@lru_cache(maxsize=8)
def _read(text: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)
