"""N-grams are scikit-learn's; their ids are what xxhash says; Spark, a worker and the scorer get the same
lists.
"""

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.batch import of_arrow
from lsml_spark.transforms.encode import encode
from lsml_spark.transforms.ngrams import Ngrams
from lsml_spark.transforms.schema import Ids, column_of
from lsml_spark.transforms.transform import Seen

PEER = {"words": "word", "letters": "char", "letters_in_words": "char_wb"}


def ids(texts: list, **options) -> list[list[int]]:
    encoders = {
        "label": "y",
        "columns": {"text": {"use": "ngrams", "list": True, **Ngrams(**options).fit(Seen())}},
    }
    assert column_of(encoders, "text") == Ids(options["size"], list=True)
    batch = encode(encoders, pa.record_batch({"text": pa.array(texts, pa.string())}))
    lists = of_arrow(batch, ["text"])[1]["text"]  # as the scorer hands them to a network
    rows = [
        lists.values_T[start:stop].tolist()
        for start, stop in zip(lists.offsets_N1, lists.offsets_N1[1:], strict=False)
    ]
    assert rows == batch.column("text").to_pylist()
    return rows


@given(
    texts=st.lists(st.none() | st.text(alphabet="aBcÉß1 _.\t\n’", max_size=20), max_size=8),
    by=st.sampled_from(list(PEER)),
    n=st.tuples(st.integers(1, 4), st.integers(0, 3)).map(lambda pair: (pair[0], sum(pair))),
    lowercase=st.booleans(),
    pattern=st.sampled_from([r"\b\w\w+\b", r"\S+", r"(\w)_"]),
)
def test_n_grams_are_scikit_learns_by_their_hash(texts, by, n, lowercase, pattern):
    peer = CountVectorizer(
        analyzer=PEER[by], ngram_range=n, lowercase=lowercase, token_pattern=pattern
    ).build_analyzer()
    wanted = [
        [1 + xxhash.xxh64_intdigest(gram.encode()) % 997 for gram in peer(text)] if text is not None else []
        for text in texts
    ]
    assert ids(texts, size=997, by=by, n=n, lowercase=lowercase, pattern=pattern) == wanted


def test_every_id_of_a_small_table_is_used_and_zero_never():
    found = np.concatenate(ids([f"word{i}" for i in range(500)], size=16))
    assert set(found.tolist()) == set(range(1, 17))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": [2, 1]}, "the shorter length comes first"),
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "(a)(b)"}, "2 groups"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(options, said):
    with pytest.raises(ConfigError, match=said):
        validate(Ngrams, {"size": 8, **options}, "night.yaml: features.columns.text")
