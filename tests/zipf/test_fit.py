"""Zipf's law, Good–Turing and Chao: against brute force over the likelihood, known laws and sums by hand."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats

from lsml_spark.zipf import fit

# Butterflies of Malaya (Fisher, Corbet & Williams 1943): species caught once, twice, … 24 times.
BUTTERFLIES = [118, 74, 44, 24, 29, 22, 20, 19, 20, 15, 12, 14, 6, 12, 6, 9, 9, 6, 10, 10, 11, 5, 3, 3]


def spectrum(counts) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(np.asarray(counts, dtype=np.int64), return_counts=True)


def power_law_counts(alpha: float, xmin: int, keys: int, seed: int) -> np.ndarray:
    """Counts drawn from P(x) ∝ x^-alpha, x ≥ xmin, by inverting the exact distribution function."""
    values = np.arange(xmin, xmin + 2_000_000)
    upper = special.zeta(alpha, values) / special.zeta(alpha, xmin)  # P(X ≥ x)
    drawn = np.random.default_rng(seed).random(keys)
    return values[np.searchsorted(-upper, -drawn, side="right") - 1]


def test_alpha_is_where_the_likelihood_of_scipy_is_greatest():
    counts = stats.zipf.rvs(2.3, size=3000, random_state=np.random.default_rng(2))
    cost = lambda alpha: -stats.zipf.logpmf(counts, alpha).sum()  # noqa: E731
    best = optimize.minimize_scalar(cost, bounds=(1.1, 5), method="bounded", options={"xatol": 1e-8}).x
    frequency, keys = spectrum(counts)
    assert fit._alpha(frequency.astype(float), keys.astype(float)) == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("xmin", [1, 3])
@pytest.mark.parametrize("alpha", [1.7, 2.0, 2.5, 3.2])
def test_the_exponent_of_a_known_law_is_recovered(alpha, xmin):
    keys = 20_000
    counts = power_law_counts(alpha, xmin, keys, seed=int(alpha * 10) + xmin)
    law = fit.power_law(*spectrum(counts))
    deviation = (law.alpha - 1) / np.sqrt(law.tail_keys)  # Clauset et al., eq. 3.2
    assert abs(law.alpha - alpha) < 4 * deviation
    assert law.ks < 1.6 / np.sqrt(law.tail_keys)
    assert law.xmin >= xmin


def test_the_start_of_the_tail_is_found_where_rare_keys_follow_another_law():
    tail = power_law_counts(2.5, 20, 8000, seed=8)
    body = np.random.default_rng(8).integers(1, 20, 8000)
    law = fit.power_law(*spectrum(np.concatenate([tail, body])))
    assert 15 <= law.xmin <= 40
    assert law.alpha == pytest.approx(2.5, abs=0.1)


def brute_force(counts: np.ndarray, xmin: int) -> tuple[float, float]:
    """Maximum likelihood on a fine grid, and the KS distance at every whole number of the tail, one by one."""
    tail = counts[counts >= xmin]
    grid = np.arange(1.01, 6, 1e-4)
    likelihood = -len(tail) * np.log(special.zeta(grid, xmin)) - grid * np.log(tail).sum()
    alpha = grid[likelihood.argmax()]
    whole = np.arange(xmin, tail.max() + 1)
    empirical = np.searchsorted(np.sort(tail), whole, side="right") / len(tail)
    law = np.cumsum(whole.astype(float) ** -alpha) / special.zeta(alpha, xmin)
    return alpha, np.abs(empirical - law).max()


@pytest.mark.parametrize("seed", range(6))
def test_the_fit_is_that_of_brute_force_over_every_start(seed):
    random = np.random.default_rng(seed)
    counts = power_law_counts(random.uniform(1.6, 3), random.integers(1, 4), 400, seed)
    counts = np.concatenate([counts, random.integers(1, 6, 100)])
    starts = [x for x in np.unique(counts)[:-2] if (counts >= x).sum() >= 50]
    alpha, ks, xmin = min(((*brute_force(counts, x), x) for x in starts), key=lambda found: found[1])
    law = fit.power_law(*spectrum(counts))
    assert (law.xmin, law.tail_keys) == (xmin, (counts >= xmin).sum())
    assert law.alpha == pytest.approx(alpha, abs=3e-4)
    assert law.ks == pytest.approx(ks, abs=3e-4)


def test_the_distance_is_also_measured_between_counts_that_occur():
    counts = np.repeat([1, 1000, 1001, 1003], [60, 57, 2, 1])  # at 999 the law has almost all keys, the data half of them
    alpha, ks = brute_force(counts, 1)
    frequency, keys = spectrum(counts)
    assert fit._distance(frequency.astype(float), keys.astype(float), alpha) == pytest.approx(ks, abs=1e-6)


def test_the_fit_is_that_of_the_powerlaw_package():
    powerlaw = pytest.importorskip("powerlaw", reason="the package powerlaw is not installed")
    counts = power_law_counts(2.2, 2, 3000, seed=3)
    theirs = powerlaw.Fit(counts, discrete=True, xmin=4, estimate_discrete=False, verbose=False)
    frequency, keys = spectrum(counts[counts >= 4])
    assert fit._alpha(frequency.astype(float), keys.astype(float)) == pytest.approx(theirs.alpha, abs=1e-3)


def test_words_of_a_novel_follow_the_law_that_the_literature_reports(shared_data):
    books = sorted((shared_data / "text").glob("*")) if (shared_data / "text").is_dir() else []
    books = [path for path in books if path.suffix == ".txt" and path.stat().st_size > 1_000_000]
    if not books:
        pytest.skip("no novel in ../shared/data/text")
    counts = Counter(re.findall(r"[a-z']+", books[0].read_text(errors="replace").lower()))
    law = fit.power_law(*spectrum(list(counts.values())))
    assert 1.7 < law.alpha < 2.2  # Moby Dick: 1.95 ± 0.02 (Clauset et al., table 6.1)
    assert law.ks < 0.03


@pytest.mark.parametrize("counts", [[], [5], [1] * 500, [1, 2] * 100, [1, 2, 3] * 10])
def test_too_little_to_fit_gives_no_law(counts):
    assert fit.power_law(*spectrum(counts)) is None


def test_the_unseen_of_the_butterflies():
    frequency, species = np.arange(1, 25), np.array(BUTTERFLIES)
    individuals = int(frequency @ species)
    assert individuals == 3306
    assert fit.unseen_mass(frequency, species) == pytest.approx(118 / 3306)
    assert fit.unseen_keys(frequency, species) == pytest.approx(118 * 117 / (2 * 75))


def test_chao_has_an_answer_where_no_key_was_seen_twice():
    assert fit.unseen_keys(np.array([1, 5]), np.array([4, 1])) == 4 * 3 / 2
    assert fit.unseen_keys(np.array([3]), np.array([9])) == 0


def test_good_turing_foretells_the_share_of_new_keys():
    random = np.random.default_rng(6)
    weight = np.arange(1, 50_001) ** -1.1
    draws = random.choice(50_000, 60_000, p=weight / weight.sum())
    today, tomorrow = draws[:30_000], draws[30_000:]
    _, counts = np.unique(today, return_counts=True)
    new = (~np.isin(tomorrow, today)).mean()
    assert fit.unseen_mass(*spectrum(counts)) == pytest.approx(new, abs=0.01)


def test_nothing_seen_means_that_everything_is_unseen():
    nothing = np.empty(0, np.int64)
    assert fit.unseen_mass(nothing, nothing) == 1.0
    assert fit.unseen_keys(nothing, nothing) == 0
    assert fit.hapaxes(nothing, nothing) == 0


@given(st.lists(st.integers(1, 40), min_size=1, max_size=300))
def test_coverage_is_the_share_of_rows_of_the_most_frequent_keys(counts):
    falling = sorted(counts, reverse=True)
    points = fit.coverage(*spectrum(counts))
    assert points[-1] == (len(counts), 1.0)
    assert [rank for rank, _ in points] == sorted({rank for rank, _ in points})
    for rank, share in points:
        assert share == pytest.approx(sum(falling[:rank]) / sum(counts), abs=1e-6)


def test_coverage_is_thinned_to_a_hundred_points():
    assert 50 < len(fit.coverage(np.arange(1, 5001), np.ones(5000, np.int64))) <= 100
