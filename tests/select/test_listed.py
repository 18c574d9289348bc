"""The bound on the keys that are broadcast: as many rows are expected, budgets nest, and protected keys stay
as they were.
"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lsml_spark.select.listed import alike, coarse, coarse_below
from lsml_spark.select.policies.cap import Cap
from lsml_spark.select.policies.mixed import Mixed
from lsml_spark.select.policies.policy import Spectrum
from lsml_spark.select.policies.zipf import Zipf

POLICIES = [Zipf(beta=0.5), Zipf(objective="breadth"), Cap(), Mixed(beta=0.5)]
MOST = st.integers(0, 60)


@st.composite
def spectra(draw) -> Spectrum:
    """Up to 30 groups of up to 40 keys; a frequency may occur in two groups, of new keys and of known
    ones.
    """
    groups = draw(st.integers(1, 30))
    pairs = draw(
        st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=groups, max_size=groups, unique=True)
    )
    keys = draw(hnp.arrays(np.int64, groups, elements=st.integers(1, 40)))
    frequency, new = zip(*sorted(pairs), strict=True)
    return Spectrum(np.array(frequency, np.int64), keys, new=np.array(new))


def rated(policy, spectrum: Spectrum, share: float, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates as the policy gives them to keys of which nothing is known, the coarse ones, and the groups held
    fixed.
    """
    exact_S = policy.keep_rates(Spectrum(spectrum.frequency, spectrum.keys), share * spectrum.rows.sum())
    assert spectrum.new is not None
    exact_S = np.where(spectrum.new, 1.0, exact_S)  # as protected keys are
    return exact_S, coarse(exact_S, spectrum, coarse_below(spectrum, most), spectrum.new), spectrum.new


@given(spectra(), st.sampled_from(POLICIES), st.floats(0.0, 1.0), MOST)
def test_as_many_rows_are_expected_as_before(spectrum, policy, share, most):
    exact_S, coarse_S, _ = rated(policy, spectrum, share, most)
    assert ((coarse_S >= 0) & (coarse_S <= 1 + 1e-12)).all()
    np.testing.assert_allclose(coarse_S @ spectrum.rows, exact_S @ spectrum.rows, rtol=1e-12, atol=1e-9)


@given(spectra(), st.sampled_from(POLICIES), st.floats(0.0, 1.0), st.floats(0.0, 1.0), MOST)
def test_no_key_is_kept_less_often_at_a_larger_budget(spectrum, policy, one, other, most):
    small_S, large_S = (rated(policy, spectrum, share, most)[1] for share in sorted((one, other)))
    assert (small_S <= large_S + 1e-12).all()


@given(spectra(), st.sampled_from(POLICIES), st.floats(0.0, 1.0), MOST)
def test_at_most_so_many_keys_have_a_rate_of_their_own_and_the_rarer_ones_share_one(
    spectrum, policy, share, most
):
    _, coarse_S, fixed_S = rated(policy, spectrum, share, most)
    below = coarse_below(spectrum, most)
    tail_S = (spectrum.frequency <= below) & ~fixed_S
    assert len(np.unique(coarse_S[tail_S])) <= 1
    assert spectrum.keys[spectrum.frequency > below].sum() <= most


@given(spectra(), MOST)
def test_no_more_keys_share_a_rate_than_need_to(spectrum, most):
    below = coarse_below(spectrum, most)
    if below == 0:
        assert spectrum.keys.sum() <= most
    else:
        assert spectrum.keys[spectrum.frequency >= below].sum() > most


@given(spectra(), st.sampled_from(POLICIES), st.floats(0.0, 1.0), MOST)
def test_fixed_groups_and_frequent_keys_keep_their_rates(spectrum, policy, share, most):
    exact_S, coarse_S, fixed_S = rated(policy, spectrum, share, most)
    untouched_S = fixed_S | (spectrum.frequency > coarse_below(spectrum, most))
    np.testing.assert_array_equal(coarse_S[untouched_S], exact_S[untouched_S])


@given(spectra(), st.sampled_from(POLICIES), MOST)
def test_all_rows_and_no_rows_stay_all_and_none(spectrum, policy, most):
    nothing_known = Spectrum(spectrum.frequency, spectrum.keys)
    for share in (0.0, 1.0):
        rates_S = policy.keep_rates(nothing_known, share * spectrum.rows.sum())
        found_S = coarse(
            rates_S, nothing_known, coarse_below(nothing_known, most), np.zeros(len(rates_S), bool)
        )
        np.testing.assert_allclose(found_S, share, atol=1e-12)


@settings(max_examples=10)
@given(st.floats(1e-6, 1.0))
def test_ten_million_keys_leave_a_list_that_a_driver_holds_at_any_budget(share):
    frequency_S = np.arange(1, 3000)
    spectrum = Spectrum(frequency_S, (6_000_000 / frequency_S**2).astype(np.int64) + 1)
    assert spectrum.keys.sum() > 9_000_000
    rates_S = Zipf(beta=0.5).keep_rates(spectrum, share * spectrum.rows.sum())
    found_S = coarse(rates_S, spectrum, coarse_below(spectrum), np.zeros(len(rates_S), bool))
    own_S = found_S != found_S[0]
    assert spectrum.keys[own_S].sum() <= 500_000
    assert abs(found_S @ spectrum.rows - share * spectrum.rows.sum()) < 1


@given(spectrum=spectra(), below=st.integers(0, 200))
def test_the_tail_shares_one_value_and_the_others_keep_theirs(spectrum, below):
    values = np.arange(len(spectrum.keys))
    found = alike(values, spectrum, below)
    tail = spectrum.frequency <= below
    assert len(set(found[tail])) <= 1
    assert (found[~tail] == values[~tail]).all()
    assert set(found[tail]) <= set(values[tail])
