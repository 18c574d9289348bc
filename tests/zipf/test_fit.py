"""The power law of the counts: against brute force over the likelihood, known laws, published figures and
another package.
"""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from zipf_laws import moby_dick, power_law_counts, spectrum

from lsml_spark.zipf import fit


def test_alpha_is_where_the_likelihood_of_scipy_is_greatest():
    counts = stats.zipf.rvs(2.3, size=3000, random_state=np.random.default_rng(2))
    cost = lambda alpha: -stats.zipf.logpmf(counts, alpha).sum()  # noqa: E731
    best = optimize.minimize_scalar(cost, bounds=(1.1, 5), method="bounded", options={"xatol": 1e-8}).x
    frequency, keys = spectrum(counts)
    assert fit.exponent(frequency.astype(float), keys.astype(float)) == pytest.approx(best, abs=1e-4)


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
    """Maximum likelihood on a fine grid, and the KS distance at every whole number of the tail, one by
    one.
    """
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
    # at 999 the law has almost all keys, the data half of them
    counts = np.repeat([1, 1000, 1001, 1003], [60, 57, 2, 1])
    alpha, ks = brute_force(counts, 1)
    frequency, keys = spectrum(counts)
    assert fit.distance(frequency.astype(float), keys.astype(float), alpha) == pytest.approx(ks, abs=1e-6)


def test_the_fit_is_that_of_the_powerlaw_package():
    powerlaw = pytest.importorskip("powerlaw", reason="the package powerlaw is not installed")
    counts = power_law_counts(2.2, 2, 3000, seed=3)
    theirs = powerlaw.Fit(counts, discrete=True, xmin=4, estimate_discrete=False, verbose=False)
    frequency, keys = spectrum(counts[counts >= 4])
    assert fit.exponent(frequency.astype(float), keys.astype(float)) == pytest.approx(
        theirs.power_law.alpha, abs=1e-3
    )


def test_the_words_of_moby_dick_follow_the_published_law():
    frequency, keys = moby_dick()
    assert keys.sum() == 18_855
    law = fit.power_law(frequency, keys)
    assert (round(law.alpha, 2), law.xmin, law.tail_keys) == (1.95, 7, 2958)  # Clauset et al., table 6.1


@settings(deadline=None)
@given(st.floats(1.01, 6), st.lists(st.integers(1, 10**7), min_size=1, max_size=50, unique=True))
def test_zeta_is_that_of_scipy(alpha, values):
    y = np.sort(np.array(values, dtype=float))
    np.testing.assert_allclose(fit.hurwitz(alpha, y), special.zeta(alpha, y), rtol=1e-9)


def test_a_long_spectrum_is_tried_at_few_starts_and_loses_little(monkeypatch):
    counts = np.concatenate(
        [power_law_counts(1.5, 40, 6000, seed=1), np.random.default_rng(1).integers(1, 60, 9000)]
    )
    frequency, keys = spectrum(counts)
    assert len(frequency) > 1000
    few = fit.power_law(frequency, keys)
    assert len(fit.starts(len(frequency))) <= 300
    assert fit.starts(50).tolist() == list(range(50))
    monkeypatch.setattr(fit, "STARTS", 10**9)
    every = fit.power_law(frequency, keys)
    assert every.ks <= few.ks < every.ks + 0.002
    assert few.alpha == pytest.approx(every.alpha, abs=0.05)


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
