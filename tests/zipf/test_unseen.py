"""Good–Turing and Chao: sums by hand, a published sample, a simulation."""

import numpy as np
import pytest
from zipf_laws import spectrum

from lsml_spark.zipf import unseen

# Butterflies of Malaya (Fisher, Corbet & Williams 1943): species caught once, twice, … 24 times.
BUTTERFLIES = [118, 74, 44, 24, 29, 22, 20, 19, 20, 15, 12, 14, 6, 12, 6, 9, 9, 6, 10, 10, 11, 5, 3, 3]


def test_the_unseen_of_the_butterflies():
    frequency, species = np.arange(1, 25), np.array(BUTTERFLIES)
    individuals = int(frequency @ species)
    assert individuals == 3306
    assert unseen.unseen_mass(frequency, species) == pytest.approx(118 / 3306)
    assert unseen.unseen_keys(frequency, species) == pytest.approx(118 * 117 / (2 * 75))


def test_chao_has_an_answer_where_no_key_was_seen_twice():
    assert unseen.unseen_keys(np.array([1, 5]), np.array([4, 1])) == 4 * 3 / 2
    assert unseen.unseen_keys(np.array([3]), np.array([9])) == 0


def test_good_turing_foretells_the_share_of_new_keys():
    random = np.random.default_rng(6)
    weight = np.arange(1, 50_001) ** -1.1
    draws = random.choice(50_000, 60_000, p=weight / weight.sum())
    today, tomorrow = draws[:30_000], draws[30_000:]
    _, counts = np.unique(today, return_counts=True)
    new = (~np.isin(tomorrow, today)).mean()
    assert unseen.unseen_mass(*spectrum(counts)) == pytest.approx(new, abs=0.01)


def test_nothing_seen_means_that_everything_is_unseen():
    nothing = np.empty(0, np.int64)
    assert unseen.unseen_mass(nothing, nothing) == 1.0
    assert unseen.unseen_keys(nothing, nothing) == 0
    assert unseen.hapaxes(nothing, nothing) == 0
