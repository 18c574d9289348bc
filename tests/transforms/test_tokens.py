"""Subwords: the vocabulary is what the library learns from the texts themselves, in every run the same; ids
are BERT's and GPT-2's.
"""

import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from lsml_spark.transforms import tokens
from lsml_spark.transforms.encode import encode
from lsml_spark.transforms.schema import Ids, column_of
from lsml_spark.transforms.tokens import Tokens
from lsml_spark.transforms.transform import Seen

RANDOM = random.Random(0)
SYLLABLES = [a + b for a in "bcdfglmnprst" for b in "aeiouéy"]
WORDS = ["".join(RANDOM.choices(SYLLABLES, k=RANDOM.randint(1, 4))) for _ in range(400)]
TEXTS = [
    " ".join(RANDOM.choices(WORDS, weights=[1 / (i + 1) for i in range(400)], k=12)) + RANDOM.choice(".!?")
    for _ in range(300)
]
NEW = ["Bacade, gémopu!", "", "日本 Bare\tbare", "b" * 101, "[UNK] ##ba"]


def fitted(transform: Tokens, texts: list[str], seed: int = 0) -> dict:
    """From counts in any order, as Spark gives them."""
    counted = list(Counter(transform.pieces(pa.array([*texts, None], pa.string()))).items())
    random.Random(seed).shuffle(counted)
    values, counts = zip(*counted, strict=True)
    return transform.fit(Seen(values_K=np.array(values, object), counts_K=np.array(counts, np.int64)))


def ids(encoder: dict, texts: list) -> list[list[int]]:
    encoders = {"label": "y", "columns": {"x": {"use": "tokens", "list": True, **encoder}}}
    assert column_of(encoders, "x") == Ids(len(encoder["values"]), list=True)
    return encode(encoders, pa.record_batch({"x": pa.array(texts, pa.string())})).column("x").to_pylist()


def longest_first(word: str, place: dict[str, int]) -> list[int]:
    """WordPiece as BERT's paper and code have it."""
    found, start = [], 0
    while start < len(word):
        pieces = [("##" if start else "") + word[start:end] for end in range(len(word), start, -1)]
        known = [piece for piece in pieces if piece in place]
        if not known or len(word) > 100:
            return [0]
        found.append(place[known[0]])
        start += len(known[0].removeprefix("##"))
    return found


def test_wordpiece_cuts_words_as_bert_does():
    encoder = fitted(Tokens(size=500), TEXTS)
    place = {token: i for i, token in enumerate(encoder["values"], 1)}
    normal, cut = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = [
        [word for word, _ in cut.pre_tokenize_str(normal.normalize_str(text))] for text in [*TEXTS, *NEW]
    ]
    assert ids(encoder, [*TEXTS, *NEW]) == [
        [one for word in row for one in longest_first(word, place)] for row in words
    ]
    assert len(place) == 499
    assert ids(encoder, [None]) == [[]]


def test_bpe_is_the_librarys_own_training_on_the_texts():
    peer = Tokenizer(models.BPE())
    peer.normalizer, peer.pre_tokenizer = (
        normalizers.Lowercase(),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    )
    trainer = trainers.BpeTrainer(
        vocab_size=499,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    peer.train_from_iterator(TEXTS, trainer)
    encoder = fitted(Tokens(by="bpe", size=500), TEXTS)
    assert ids(encoder, [*TEXTS, *NEW]) == [
        [one + 1 for one in found.ids] for found in peer.encode_batch([*TEXTS, *NEW])
    ]
    assert 0 not in {one for row in ids(encoder, NEW) for one in row}


@pytest.mark.parametrize("by", ["wordpiece", "bpe"])
def test_the_order_of_the_words_does_not_matter_and_counts_may_be_scaled(by, monkeypatch):
    transform = Tokens(by=by, size=500)
    first = fitted(transform, TEXTS)
    assert all(fitted(transform, TEXTS, seed) == first for seed in range(1, 4))
    monkeypatch.setattr(tokens, "FED", 1000)
    assert len(set(fitted(transform, TEXTS)["values"]) & set(first["values"])) > 300


def test_rare_characters_take_no_room_from_words():
    emoji = [chr(0x1F600 + i % 80) + chr(0x4E00 + i) for i in range(2000)]
    encoder = fitted(Tokens(size=400), [*TEXTS, *emoji])
    assert len(encoder["values"]) == 399
    assert max(map(len, encoder["values"])) > 5
