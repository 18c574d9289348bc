"""Policies as pure functions: budgets met exactly in expectation, rates in (0, 1], the laws that the
docstrings promise.
"""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.select.policies.cap import Cap
from lsml_spark.select.policies.mixed import Mixed
from lsml_spark.select.policies.policy import Spectrum, effective_sample_size, water_level
from lsml_spark.select.policies.power import Power
from lsml_spark.select.policies.uniform import Uniform
from lsml_spark.select.policies.zipf import Zipf
from lsml_spark.select.run import Config

spectra = st.dictionaries(st.integers(1, 10**6), st.integers(1, 10**5), min_size=1, max_size=40).map(
    lambda keys: Spectrum(
        np.array(sorted(keys), dtype=np.int64), np.array([keys[f] for f in sorted(keys)], dtype=np.int64)
    )
)
zipfs = {"beta": st.floats(0.01, 10), "objective": st.sampled_from(["average", "breadth"])}
policies = st.one_of(
    st.just(Uniform()),
    st.just(Cap()),
    st.builds(Power, exponent=st.floats(0, 1)),
    st.builds(Zipf, **zipfs),
    st.builds(Mixed, share=st.floats(0, 1), **zipfs),
)
shares = st.floats(1e-6, 1.5)


def zipfian(keys: int = 20_000) -> Spectrum:
    counts = np.maximum(1, (30_000 / np.arange(1, keys + 1) ** 1.05).astype(np.int64))
    return Spectrum(*np.unique(counts, return_counts=True))


@given(spectrum=spectra, policy=policies, share=shares)
def test_rates_are_probabilities_and_meet_the_budget_in_expectation(spectrum, policy, share):
    rows = spectrum.rows.sum()
    rates = policy.keep_rates(spectrum, share * rows)
    assert rates.shape == spectrum.frequency.shape
    assert (rates > 0).all()
    assert (rates <= 1).all()
    assert (rates * spectrum.rows).sum() == pytest.approx(min(share, 1) * rows, rel=1e-9)


@given(spectrum=spectra, policy=policies, share=st.floats(1, 1e6))
def test_a_budget_of_all_rows_or_more_keeps_every_row(spectrum, policy, share):
    assert (policy.keep_rates(spectrum, share * spectrum.rows.sum()) == 1).all()


@given(spectrum=spectra, policy=policies, one=shares, other=shares)
def test_a_larger_budget_lowers_no_rate_so_that_selections_nest(spectrum, policy, one, other):
    rows = spectrum.rows.sum()
    less, more = (policy.keep_rates(spectrum, share * rows) for share in sorted((one, other)))
    assert (less <= more * (1 + 1e-12)).all()


@given(spectrum=spectra, policy=policies, share=st.floats(1e-6, 1))
def test_a_key_seen_more_often_has_no_higher_rate_and_no_fewer_kept_rows(spectrum, policy, share):
    rates = policy.keep_rates(spectrum, share * spectrum.rows.sum())
    assert (np.diff(rates) <= 1e-12).all()
    kept = rates * spectrum.frequency
    assert (np.diff(kept) >= -1e-9 * kept[1:]).all()


@given(spectrum=spectra, exponent=st.floats(0, 1.5), share=st.floats(1e-6, 0.999999))
def test_the_water_level_is_the_root_that_scipy_finds(spectrum, exponent, share):
    wanted = spectrum.frequency**exponent
    budget = share * spectrum.rows.sum()

    def overflow(level: float) -> float:
        return (spectrum.keys * np.minimum(spectrum.frequency, level * wanted)).sum() / budget - 1

    top = (spectrum.frequency / wanted).max()
    root = optimize.brentq(overflow, 0, top, xtol=1e-300, rtol=1e-13, maxiter=500)
    assert overflow(water_level(wanted, spectrum, budget)) == pytest.approx(0, abs=1e-9)
    assert water_level(wanted, spectrum, budget) == pytest.approx(root, rel=1e-6)


@given(spectrum=spectra, exponent=st.floats(0, 1), ulps=st.integers(1, 4))
def test_a_budget_a_hair_below_all_rows_has_a_level_too(spectrum, exponent, ulps):
    budget = float(spectrum.rows.sum())
    for _ in range(ulps):
        budget = np.nextafter(budget, 0)
    wanted = spectrum.frequency**exponent
    level = water_level(wanted, spectrum, budget)
    assert np.minimum(1, level * wanted / spectrum.frequency) == pytest.approx(1, rel=1e-6)


@given(spectrum=spectra, share=st.floats(0.001, 1))
def test_a_beta_near_zero_is_uniform(spectrum, share):
    budget = share * spectrum.rows.sum()
    near = Zipf(beta=1e-9).keep_rates(spectrum, budget)
    assert near == pytest.approx(Uniform().keep_rates(spectrum, budget), rel=1e-6)


@given(spectrum=spectra, share=st.floats(0.001, 1), beta=st.floats(0.01, 10))
def test_breadth_is_a_cap_per_key_whatever_beta(spectrum, share, beta):
    budget = share * spectrum.rows.sum()
    assert Zipf(beta=beta, objective="breadth").keep_rates(spectrum, budget) == pytest.approx(
        Cap().keep_rates(spectrum, budget), rel=1e-9
    )


@given(spectrum=spectra, share=st.floats(0.001, 1), beta=st.floats(0.01, 10))
def test_power_is_zipf_under_another_name(spectrum, share, beta):
    budget = share * spectrum.rows.sum()
    power = Power(exponent=beta / (1 + beta)).keep_rates(spectrum, budget)  # word2vec's ½ is β = 1
    assert power == pytest.approx(Zipf(beta=beta).keep_rates(spectrum, budget), rel=1e-9)


@given(spectrum=spectra, share=st.floats(1e-6, 1), zipf_share=st.floats(0, 1), beta=st.floats(0.01, 10))
def test_mixed_leaves_every_row_a_chance_so_that_no_weight_is_large(spectrum, share, zipf_share, beta):
    rates = Mixed(beta=beta, share=zipf_share).keep_rates(spectrum, share * spectrum.rows.sum())
    assert (rates >= (1 - zipf_share) * share * (1 - 1e-9)).all()


def test_a_cap_keeps_the_same_number_of_rows_of_every_frequent_key():
    spectrum = zipfian()
    kept = Cap().keep_rates(spectrum, 0.4 * spectrum.rows.sum()) * spectrum.frequency
    level = kept.max()
    assert kept == pytest.approx(np.minimum(spectrum.frequency, level))


@pytest.mark.parametrize("objective", ["average", "breadth"])
@pytest.mark.parametrize("seed", range(6))
def test_water_filling_is_the_answer_of_a_convex_solver(seed, objective):
    # Σ keys w n^-β under Σ keys n = B, n ≤ f, minimised by SciPy's interior-point method without knowing the
    # formula.
    random = np.random.default_rng(seed)
    counts = np.unique(random.integers(1, 2000, random.integers(2, 9)))
    spectrum = Spectrum(counts, random.integers(1, 50, len(counts)))
    beta, share = random.uniform(0.1, 2), random.uniform(0.05, 0.95)
    budget = share * spectrum.rows.sum()
    weight = spectrum.keys * (counts.astype(float) if objective == "average" else np.ones(len(counts)))
    scale = (weight * (budget / spectrum.keys.sum()) ** -beta).sum()
    found = optimize.minimize(
        lambda n: (weight * n**-beta).sum() / scale,
        x0=counts * share * 0.999,
        jac=lambda n: -beta * weight * n ** (-beta - 1) / scale,
        hess=lambda n: np.diag(beta * (beta + 1) * weight * n ** (-beta - 2) / scale),
        method="trust-constr",
        bounds=optimize.Bounds(1e-6, counts.astype(float)),
        constraints=optimize.LinearConstraint(spectrum.keys[None, :], budget, budget),
        options={"gtol": 1e-13, "xtol": 1e-15, "barrier_tol": 1e-13, "maxiter": 3000},
    )
    ours = Zipf(beta=beta, objective=objective).keep_rates(spectrum, budget) * counts
    assert ours == pytest.approx(found.x, rel=1e-6)


@given(spectrum=spectra, policy=policies)
def test_a_budget_of_nothing_keeps_nothing(spectrum, policy):
    assert (policy.keep_rates(spectrum, 0.0) == 0).all()


@given(spectrum=spectra, share=shares, zipf=st.builds(Zipf, **zipfs))
def test_zipf_leaves_the_tail_below_its_level_untouched(spectrum, share, zipf):
    rates = zipf.keep_rates(spectrum, share * spectrum.rows.sum())
    thinned = np.flatnonzero(rates < 1)
    assert (rates[: thinned[0] if len(thinned) else None] == 1).all()
    assert (np.diff((rates < 1).astype(int)) >= 0).all()  # once a frequency is thinned, all higher ones are


@pytest.mark.parametrize("frequency", [1, 7])
@pytest.mark.parametrize("keys", [1, 500])
def test_one_key_alone_and_keys_that_are_all_alike_are_thinned_evenly(frequency, keys):
    spectrum = Spectrum(np.array([frequency]), np.array([keys]))
    for policy in (Uniform(), Cap(), Power(), Zipf(), Mixed()):
        assert policy.keep_rates(spectrum, 0.3 * frequency * keys) == pytest.approx(0.3)


def test_weighted_sums_over_selected_rows_are_unbiased():
    random = np.random.default_rng(12)
    frequency = np.array([1, 4, 60, 900], dtype=np.int64)
    spectrum = Spectrum(frequency, np.array([500, 100, 10, 1], dtype=np.int64))
    f_of_row = np.repeat(frequency, spectrum.rows)
    value = random.normal(3, 2, len(f_of_row)) + np.log(f_of_row)
    for policy in (Uniform(), Cap(), Power(exponent=0.5), Zipf(beta=0.5), Mixed()):
        rate = policy.keep_rates(spectrum, 0.3 * len(value))[np.searchsorted(frequency, f_of_row)]
        kept = random.random((400, len(value))) < rate
        sums = (kept * (value / rate)).sum(axis=1)
        deviation = np.sqrt((value**2 * (1 - rate) / rate).sum() / 400)
        assert abs(sums.mean() - value.sum()) < 4 * deviation, policy
        assert kept.sum(axis=1).mean() == pytest.approx(0.3 * len(value), rel=0.02)


def test_the_effective_sample_size_is_kishs():
    assert effective_sample_size(np.ones(3), np.array([5, 0, 2])) == 7
    weight, rows = np.array([1.0, 4.0]), np.array([8, 2])
    each = np.repeat(weight, rows)
    assert effective_sample_size(weight, rows) == pytest.approx(each.sum() ** 2 / (each**2).sum())
    assert effective_sample_size(weight, np.zeros(2)) == 0


@given(weight=st.lists(st.floats(0.1, 100), min_size=1, max_size=20))
def test_the_effective_sample_size_is_at_most_the_number_of_rows(weight):
    assume(weight)
    assert 0 < effective_sample_size(np.array(weight), np.ones(len(weight))) <= len(weight) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"policy": "zipf"}, "budget: Field required"),
        ({"policy": "zipf", "budget": 0}, "budget"),
        ({"policy": "zipf", "budget": -0.5}, "budget"),
        ({"policy": {"use": "zipf", "beta": 0}, "budget": 0.5}, "policy.beta"),
        ({"policy": {"use": "zipf", "objective": "mean"}, "budget": 0.5}, "policy.objective"),
        ({"policy": {"use": "power", "exponent": 1.5}, "budget": 0.5}, "policy.exponent"),
        ({"policy": {"use": "uniform", "beta": 1}, "budget": 0.5}, "unknown key 'beta'"),
        ({"policy": "zipff", "budget": 0.5}, "did you mean 'zipf'"),
    ],
)
def test_a_section_that_cannot_be_meant_is_a_one_line_config_error(section, said):
    with pytest.raises(ConfigError, match=said) as caught:
        validate(Config, section, "night.yaml: select")
    assert len(str(caught.value).splitlines()) == 1
