"""Counting a sample of the keys: scaled spectra and standard errors by simulation, without Spark."""

import numpy as np
import pytest
from zipf_laws import power_law_counts

from lsml_spark.zipf import count


def pairs(counts) -> np.ndarray:
    return np.stack(np.unique(np.asarray(counts, dtype=np.int64), return_counts=True), axis=1)


def test_sampled_keys_count_for_those_not_sampled_and_the_head_for_itself():
    head, tail = pairs([900, 40, 3]), pairs([1, 1, 3])
    assert count.scaled(head, tail, 100).tolist() == [[1, 200], [3, 101], [40, 1], [900, 1]]
    assert count.scaled(head, tail[:0], 100).tolist() == head.tolist()
    assert count.scaled(head[:0], tail[:0], 100).shape == (0, 2)


def test_estimates_are_unbiased_and_miss_by_their_standard_errors():
    counts = np.sort(power_law_counts(1.9, 1, 50_000, seed=3).clip(max=5000))[::-1]
    head, tail = counts[:500], counts[500:]
    rows, truth = int(counts.sum()), np.array([counts.sum(), len(counts), (counts == 1).sum() / counts.sum()])
    random, deviates = np.random.default_rng(9), []
    for _ in range(200):
        drawn = pairs(tail[random.random(len(tail)) < 1 / 20])
        frequency, keys = count.scaled(pairs(head), drawn, 20).T
        found = np.array([frequency @ keys, keys.sum(), keys[frequency == 1].sum() / rows])
        error = count.errors(drawn, 20, rows)
        deviates.append((found - truth) / [error.rows, error.keys, error.unseen_mass])
    assert (np.abs(np.mean(deviates, axis=0)) < 4 / np.sqrt(200)).all()
    assert np.std(deviates, axis=0) == pytest.approx(1, abs=0.2)


def test_a_sample_of_all_keys_has_no_error():
    assert count.errors(pairs([1, 2, 3]), 1, 6) == count.Errors(0.0, 0.0, 0.0)
    assert count.errors(pairs([]), 100, 0) == count.Errors(0.0, 0.0, 0.0)
