"""The baseline of known keys against a loop over rows."""

import numpy as np
import pyarrow as pa
import pytest

from lsml_spark.core.errors import ConfigError
from lsml_spark.evaluate.baselines.key_frequency import KeyFrequency

RNG = np.random.default_rng(4)
TRAIN = pa.table(
    {
        "key": RNG.choice(list("bcdfg"), 200).tolist(),
        "label": RNG.choice(["F", "M", "X"], 200, p=[0.6, 0.3, 0.1]).tolist(),
    }
)


def asked(*keys):
    return pa.RecordBatch.from_pydict({"key": list(keys)})


@pytest.mark.parametrize("smoothing", [1.0, 7.5])
def test_it_equals_counting_with_the_popularity_added_as_that_many_rows(smoothing):
    system = KeyFrequency(use="key_frequency", smoothing=smoothing).fit(TRAIN, None)
    keys = ["g", "a", "c", "zz", "b", "c"]  # before, after and between the known ones
    found = np.exp(system.log_probs(asked(*keys)))
    pairs = list(zip(TRAIN["key"].to_pylist(), TRAIN["label"].to_pylist(), strict=True))
    for row, key in enumerate(keys):
        of_key = [label for other, label in pairs if other == key]
        for column, label in enumerate(system.labels):
            popularity = [other for _, other in pairs].count(label) / len(pairs)
            assert found[row, column] == pytest.approx(
                (of_key.count(label) + smoothing * popularity) / (len(of_key) + smoothing)
            )
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_a_key_never_seen_gets_the_popularity_of_the_labels():
    system = KeyFrequency(use="key_frequency").fit(TRAIN, None)
    assert np.exp(system.log_probs(asked("never")))[0] == pytest.approx(system.share_V)


def test_where_the_key_is_the_label_it_refuses_to_look_the_answer_up():
    with pytest.raises(ConfigError, match="look the label up"):
        KeyFrequency(use="key_frequency").fit(pa.table({"key": ["a", "b"], "label": ["a", "b"]}), None)


def test_without_the_column_key_it_says_so():
    with pytest.raises(ConfigError, match="needs the column `key`"):
        KeyFrequency(use="key_frequency").fit(TRAIN.select(["label"]), None)
