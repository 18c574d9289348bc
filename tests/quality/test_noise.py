"""Two samples of one law exceed the noise at most about once in a thousand times, and it is of the right
size.
"""

import numpy as np
import pytest
from days import points

from lsml_spark.quality.figures import distances, noise
from lsml_spark.quality.figures.distances import Points

LAWS = {
    "two": np.array([0.9, 0.1]),
    "ten": np.full(10, 0.1),
    "zipf": (1 / np.arange(1, 400)) / (1 / np.arange(1, 400)).sum(),
}
SHARES = ["linf", "total_variation", "jensen_shannon", "psi"]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("n", "m"), [(100, 100), (300, 3000), (5000, 5000)])
def test_shares_of_one_law_hardly_ever_exceed_the_noise(law, n, m):
    rng, p = np.random.default_rng(1), LAWS[law]
    above = dict.fromkeys(SHARES, 0)
    ratios = {name: [] for name in SHARES}
    for a, b in zip(rng.multinomial(n, p, 600), rng.multinomial(m, p, 600), strict=True):
        x, y, both = a / n, b / m, (a + b) / (n + m)
        for name in SHARES:
            if name == "psi":
                if law == "zipf":
                    continue  # an index of a few bins
                found, most = distances.psi(x, y, n, m), noise.psi(len(p), n, m)
            else:
                found, most = getattr(distances, name)(x, y), getattr(noise, name)(both, n, m)
            above[name] += found > most
            ratios[name].append(found / most)
    assert max(above.values()) <= 4, above
    assert np.mean(ratios["jensen_shannon"]) > 0.05  # not so large that nothing is ever found


@pytest.mark.parametrize("draw", ["normal", "exponential", "lognormal"])
def test_numbers_of_one_law_hardly_ever_exceed_the_noise(draw):
    rng = np.random.default_rng(2)
    above = np.zeros(2)
    for _ in range(300):
        x, y = getattr(rng, draw)(size=200), getattr(rng, draw)(size=400)
        p, q = (Points.mixture([points(values)], [1.0]) for values in (x, y))
        both = Points.mixture([points(x), points(y)], [200, 400])
        above += [
            distances.kolmogorov_smirnov(p, q) > noise.kolmogorov_smirnov(p, 200, 400),
            distances.wasserstein(p, q) > noise.wasserstein(both, 200, 400),
        ]
    assert (above <= 2).all(), above


def test_the_mean_of_the_divergence_is_the_chi_square_one():
    rng, p, n, m = np.random.default_rng(4), np.full(20, 0.05), 4000, 2000
    draws = zip(rng.multinomial(n, p, 400), rng.multinomial(m, p, 400), strict=True)
    found = np.mean([distances.jensen_shannon(a / n, b / m) for a, b in draws])
    assert found == pytest.approx(19 * (1 / n + 1 / m) / (8 * np.log(2)), rel=0.05)
