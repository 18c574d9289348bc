"""Policies that use what earlier nights know: protected keys, quotas, pilots, scores, rows that repeat, the
order of keys.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.select.curriculum import Curriculum
from lsml_spark.select.policies.boundary import Boundary, acceptance
from lsml_spark.select.policies.collapse import Collapse
from lsml_spark.select.policies.mixed import Mixed
from lsml_spark.select.policies.policy import Pilot, Spectrum
from lsml_spark.select.policies.quota import Quota
from lsml_spark.select.policies.zipf import Zipf
from lsml_spark.select.run import Config

group = st.tuples(st.integers(1, 10**5), st.integers(1, 10**4), st.booleans(), st.integers(0, 64))
shares = st.floats(1e-6, 1.5)


@st.composite
def known(draw):
    """A spectrum with `new` and `recall`, ascending in frequency."""
    rows = sorted(draw(st.lists(group, min_size=1, max_size=30, unique_by=lambda row: (row[0], *row[2:]))))
    frequency, keys, new, recall = (np.array(column) for column in zip(*rows, strict=True))
    return Spectrum(frequency, keys, new=new, recall=recall / 64, average_recall=draw(st.floats(0.01, 1)))


def meets(rates, spectrum, share):
    rows = spectrum.rows.sum()
    return (
        (rates >= 0).all()
        and (rates <= 1).all()
        and (rates * spectrum.rows).sum() == pytest.approx(min(share, 1) * rows, rel=1e-9)
    )


@given(
    spectrum=known(),
    share=shares,
    zipf=st.one_of(st.builds(Zipf, beta=st.floats(0.01, 10)), st.builds(Mixed, share=st.floats(0, 1))),
)
def test_protected_keys_are_never_dropped_and_the_budget_holds(spectrum, share, zipf):
    budget = share * spectrum.rows.sum()
    protected = spectrum.new | (spectrum.recall < 0.5 * spectrum.average_recall)
    if spectrum.rows[protected].sum() > budget and share < 1 and not protected.all():
        with pytest.raises(ConfigError, match="are protected"):
            zipf.keep_rates(spectrum, budget)
    elif not protected.all():
        rates = zipf.keep_rates(spectrum, budget)
        assert (rates[protected] == 1).all()
        assert meets(rates, spectrum, share)


@given(spectrum=known(), share=shares)
def test_a_config_can_say_that_nothing_is_protected(spectrum, share):
    bare = Spectrum(spectrum.frequency, spectrum.keys)
    for policy in (Zipf, Mixed):
        rates = policy(protect=()).keep_rates(spectrum, share * spectrum.rows.sum())
        assert rates == pytest.approx(policy().keep_rates(bare, share * spectrum.rows.sum()))


def test_only_what_is_protected_is_asked_of_earlier_nights():
    assert Zipf().needs == {"previous", "scores"}
    assert Zipf(protect=("new",)).needs == {"previous"}
    assert Zipf(protect=(), beta="fitted").needs == {"pilot"}
    assert Mixed(protect=(), errors="bands").needs == {"pilot"}
    assert Quota().needs == Boundary().needs == {"scores"}
    assert validate(Config, {"policy": "cap", "budget": "2h"}, "x").needs == {"speed"}


@given(spectrum=known(), one=shares, other=shares, floor=st.floats(0.001, 1))
def test_quotas_meet_the_budget_nest_and_give_worse_keys_no_fewer_rows(spectrum, one, other, floor):
    quota = Quota(floor=floor)
    less, more = (quota.keep_rates(spectrum, share * spectrum.rows.sum()) for share in sorted((one, other)))
    assert meets(less, spectrum, min(one, other))
    assert (less <= more * (1 + 1e-9)).all()
    kept = less * spectrum.frequency
    for frequency in np.unique(spectrum.frequency):
        alike = np.flatnonzero(spectrum.frequency == frequency)
        order = alike[np.argsort(spectrum.recall[alike], kind="stable")]
        assert (np.diff(kept[order]) <= 1e-9 * kept[order][:-1] + 1e-12).all()


def test_quota_rows_are_proportional_to_what_is_not_recalled():
    spectrum = Spectrum(
        np.array([1000, 1000, 1000]), np.ones(3, int), recall=np.array([0.2, 0.6, 0.9]), average_recall=0.5
    )
    kept = Quota().keep_rates(spectrum, 650) * 1000
    assert kept == pytest.approx([400, 200, 50])


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (Quota(), "quota needs the scores"),
        (Boundary(), "boundary needs the scores"),
        (Zipf(beta="fitted"), "lsml pilot"),
    ],
)
def test_a_policy_without_the_night_that_it_needs_says_what_to_do(policy, said):
    with pytest.raises(ConfigError, match=said):
        policy.keep_rates(Spectrum(np.array([1, 5]), np.array([3, 1])), 4)


def test_a_pilots_beta_and_errors_change_the_split_as_the_law_says():
    frequency = np.array([1, 5, 50, 5000])
    spectrum = Spectrum(frequency, np.ones(4, int), pilot=Pilot(1.0, [(1, 99, 1.0), (100, np.inf, 4.0)]))
    kept = Zipf(beta="fitted").keep_rates(spectrum, 1000) * frequency
    assert kept == pytest.approx(Zipf(beta=1.0).keep_rates(spectrum, 1000) * frequency)
    by_band = Zipf(beta=1.0, errors="bands", protect=()).keep_rates(spectrum, 40) * frequency
    assert by_band[3] / by_band[2] == pytest.approx(np.sqrt(4 * 100))  # (w a)^(1/(1+β))


@given(own=st.lists(st.floats(0, 1), min_size=1, max_size=200), share=shares, floor=st.floats(0.001, 1))
def test_acceptance_meets_the_budget_and_never_prefers_the_expected(own, share, floor):
    own_N = np.array(own)
    rates = acceptance(own_N, share * len(own), floor)
    assert meets(rates, Spectrum(np.ones(len(own), int), np.ones(len(own), int)), share)
    order = np.argsort(own_N)
    assert (np.diff(rates[order]) <= 1e-12).all()


def test_acceptance_is_fithians_up_to_the_level():
    own = np.array([0.1, 0.5, 0.9, 0.99])
    rates = acceptance(own, 0.5, 0.02)
    # |y − p̃|, at least the floor
    assert rates / rates[0] == pytest.approx(np.array([0.9, 0.5, 0.1, 0.02]) / 0.9)


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1, np.inf])
def test_scores_that_are_no_probabilities_are_refused(bad):
    with pytest.raises(ConfigError, match="1 scores are no probabilities"):
        acceptance(np.array([0.5, bad]), 1, 0.1)


@given(
    copies=st.dictionaries(st.integers(1, 1000), st.integers(1, 100), min_size=1, max_size=20),
    one=shares,
    other=shares,
)
def test_collapsed_rows_are_all_kept_where_they_fit_and_else_in_proportion_to_their_copies(
    copies, one, other
):
    spectrum = Spectrum(np.array(sorted(copies)), np.array([copies[c] for c in sorted(copies)]))
    distinct = spectrum.keys.sum()
    less, more = (Collapse().keep_rates(spectrum, share * distinct) for share in sorted((one, other)))
    assert (less * spectrum.keys).sum() == pytest.approx(min(one, other, 1) * distinct, rel=1e-9)
    assert (less <= more * (1 + 1e-9)).all()
    thinned = less < 1
    assert (less[thinned] / spectrum.frequency[thinned]) == pytest.approx(
        (less[thinned] / spectrum.frequency[thinned]).mean() if thinned.any() else 0
    )


@given(
    spectrum=known(),
    order=st.sampled_from(["frequent_first", "rare_first", "easy_first", "hard_first"]),
    stages=st.integers(2, 6),
)
def test_a_curriculum_orders_the_groups_and_ties_share_a_stage(spectrum, order, stages):
    paces = Curriculum(order=order, stages=stages).paces(spectrum, np.ones(len(spectrum.keys)))
    by = spectrum.recall if order in ("easy_first", "hard_first") else spectrum.frequency
    sign = 1 if order in ("rare_first", "hard_first") else -1
    ranked = paces[np.argsort(sign * by, kind="stable")]
    assert (np.diff(ranked) >= 0).all()
    assert ((paces >= 0) & (paces < stages)).all()
    for value in np.unique(by):
        assert len(set(paces[by == value])) == 1


def test_the_stages_of_a_curriculum_are_of_about_equal_size():
    spectrum = Spectrum(np.arange(1, 301), np.full(300, 10))
    rates = np.minimum(1, 50 / spectrum.frequency)
    paces = Curriculum(order="rare_first", stages=3).paces(spectrum, rates)
    rows = np.bincount(paces, weights=rates * spectrum.rows)
    assert rows == pytest.approx(rows.sum() / 3, rel=0.02)
