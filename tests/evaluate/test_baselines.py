"""The baselines against loops over rows and items."""

import datetime
import itertools

import numpy as np
import pyarrow as pa
import pytest
import toy_shards

from lsml_spark.core.errors import ConfigError
from lsml_spark.evaluate.baselines.cooccurrence import Cooccurrence, Transitions
from lsml_spark.evaluate.baselines.popularity import Popularity

TRAIN = toy_shards.baskets(400, items=15, seed=1)
TEST = toy_shards.baskets(50, items=18, seed=2)


def rows(table):
    return zip(table["label"].to_pylist(), table["context"].to_pylist(), strict=True)


def batch_of(table):
    (batch,) = table.combine_chunks().to_batches()
    return batch


def plain_transitions(train, decay):
    """n[i][j] and popularity, by counting."""
    counts, popular = {}, {}
    for label, _ in rows(train):
        popular[label] = popular.get(label, 0) + 1
    for label, context in rows(train):
        for distance, item in enumerate(reversed(context)):
            if item in popular:
                counts.setdefault(item, {}).setdefault(label, 0.0)
                counts[item][label] += decay**distance
    total = sum(popular.values())
    return counts, {label: count / total for label, count in popular.items()}


def plain_probability(counts, popular, context, label, share, decay):
    weights, mean = 0.0, 0.0
    for distance, item in enumerate(reversed(context)):
        if item in counts:
            weights += decay**distance
            mean += decay**distance * counts[item].get(label, 0.0) / sum(counts[item].values())
    if not weights:
        return popular[label]
    return share * mean / weights + (1 - share) * popular[label]


def test_popularity_is_the_share_of_the_training_rows():
    system = Popularity(use="popularity").fit(TRAIN, None)
    probability = np.exp(system.log_probs(batch_of(TEST)))
    labels = TRAIN["label"].to_pylist()
    for column, label in enumerate(system.labels):
        assert probability[:, column] == pytest.approx(labels.count(label) / len(labels))
    assert probability.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(("share", "decay"), [(0.7, 1.0), (0.9, 0.5)])
def test_cooccurrence_equals_a_loop_over_baskets_and_items(share, decay):
    system = Transitions(TRAIN, "context", decay, share)
    probability = np.exp(system.log_probs(batch_of(TEST)))
    counts, popular = plain_transitions(TRAIN, decay)
    assert set(system.labels) == set(popular)
    for row, (_, context) in enumerate(rows(TEST)):
        expected = [
            plain_probability(counts, popular, context, label, share, decay) for label in system.labels
        ]
        assert probability[row] == pytest.approx(expected)
    assert probability.sum(axis=1) == pytest.approx(1.0)


def test_its_parameters_are_the_best_of_the_grid_on_the_last_training_day():
    config = Cooccurrence(use="cooccurrence", shares=(0.2, 0.6, 0.9), decays=(1.0, 0.5))
    last = max(TRAIN["date"].to_pylist())
    is_last = pa.array([date == last for date in TRAIN["date"].to_pylist()])
    before, after = TRAIN.filter(pa.compute.invert(is_last)), TRAIN.filter(is_last)
    losses = {}
    for share, decay in itertools.product(config.shares, config.decays):
        counts, popular = plain_transitions(before, decay)
        known = [(label, context) for label, context in rows(after) if label in popular]
        losses[share, decay] = -np.mean(
            [np.log(plain_probability(counts, popular, c, label, share, decay)) for label, c in known]
        )
    system = config.fit(TRAIN, "context")
    assert (system.share, system.decay) == min(losses, key=losses.get)
    assert sorted(system.labels) == sorted(set(TRAIN["label"].to_pylist()))  # refitted on all days


def test_the_last_item_is_found_to_matter_where_it_does():
    """The toy's next item follows the last one, so the chosen decay is the steepest."""
    assert Cooccurrence(use="cooccurrence").fit(toy_shards.baskets(3000, seed=3), "context").decay == 0.4


def test_one_training_day_leaves_nothing_to_tune_on_and_still_works():
    day = TRAIN.set_column(
        TRAIN.schema.get_field_index("date"), "date", pa.array([datetime.date(2011, 2, 1)] * TRAIN.num_rows)
    )
    assert np.isfinite(Cooccurrence(use="cooccurrence").fit(day, "context").log_probs(batch_of(TEST))).all()


def test_without_a_context_column_it_says_what_to_do():
    with pytest.raises(ConfigError, match=r"evaluate\.context"):
        Cooccurrence(use="cooccurrence").fit(TRAIN, None)
