"""The learning rate against torch's own schedulers and closed forms; bounds and monotony for any schedule."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from lsml_spark.core.config import validate
from lsml_spark.core.errors import ConfigError
from lsml_spark.train.schedule import RateScaling, Schedule

STEPS = 40


def by_torch(make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(STEPS + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(**told):
    schedule = Schedule(**{"warmup": 0.0} | told)
    return [schedule.share(step, STEPS) for step in range(STEPS)]


@pytest.mark.parametrize("final", [0.0, 0.25])
def test_a_line_is_torchs_one_update_ahead(final):
    """Ours gives the last update the final rate, torch's the update after it."""
    theirs = by_torch(lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, final, STEPS))
    assert ours(use="linear", final=final) == pytest.approx(theirs[1:], abs=1e-12)


@pytest.mark.parametrize("final", [0.0, 0.25])
def test_half_a_cosine_is_torchs_one_update_ahead(final):
    theirs = by_torch(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=final))
    assert ours(use="cosine", final=final) == pytest.approx(theirs[1:], abs=1e-12)


def test_the_rise_is_torchs_line_up():
    theirs = by_torch(lambda optimizer: lr_scheduler.LinearLR(optimizer, 0.1, 1.0, 9))
    assert ours(use="constant", warmup=0.25) == pytest.approx(theirs[:STEPS], abs=1e-12)


def test_steps_are_torchs_by_count_and_by_share_of_the_budget():
    by_count = by_torch(lambda optimizer: lr_scheduler.StepLR(optimizer, 7, 0.3))
    assert ours(use="step", every=7, factor=0.3) == pytest.approx(by_count[:STEPS], rel=1e-12)
    by_share = by_torch(lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [12, 20, 30], 0.3))
    assert ours(use="step", milestones=(0.3, 0.5, 0.75), factor=0.3) == pytest.approx(
        by_share[:STEPS], rel=1e-12
    )


def test_inverse_is_its_closed_form_and_final_its_floor():
    theirs = by_torch(lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + 0.5 * t)))
    assert ours(use="inverse", decay=0.5) == pytest.approx(theirs[:STEPS], rel=1e-12)
    assert ours(use="inverse", decay=1e9, final=0.2)[1:] == pytest.approx([0.2] * (STEPS - 1), abs=1e-6)


def test_a_cooldown_falls_by_a_line_over_the_last_share_of_the_budget():
    schedule = Schedule(use="constant", warmup=0.0, cooldown=0.2, final=0.1)
    assert [schedule.share_at(done, 0) for done in (0.0, 0.8, 0.9, 1.0)] == pytest.approx(
        [1.0, 1.0, 0.55, 0.1]
    )
    assert schedule.share(STEPS - 1, STEPS) == 0.1
    assert not Schedule(use="constant").ends_at_final


@st.composite
def schedules(draw):
    use = draw(st.sampled_from(["constant", "linear", "cosine", "step", "inverse"]))
    told = {"use": use, "warmup": draw(st.floats(0.0, 1.0)), "final": draw(st.floats(0.0, 1.0))}
    if use == "step":
        if draw(st.booleans()):
            told["every"] = draw(st.integers(1, 50))
        else:
            told["milestones"] = tuple(draw(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4)))
        told["factor"] = draw(st.floats(0.01, 1.0))
    if use == "inverse":
        told["decay"] = draw(st.floats(1e-6, 10.0))
    if use not in ("linear", "cosine"):
        told["cooldown"] = draw(st.floats(0.0, 1.0 - told["warmup"]))
    return Schedule(**told)


@given(schedules(), st.integers(1, 300))
def test_the_rate_rises_to_the_peak_at_most_then_never_rises_again(schedule, steps):
    rates = [schedule.share(step, steps) for step in range(steps)]
    assert all(0.0 <= rate <= 1.0 + 1e-12 for rate in rates)
    fallen = rates[math.ceil(schedule.warmup * steps) :]
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(fallen))
    assert all(rate >= schedule.final - 1e-12 for rate in fallen)


@given(schedules(), st.integers(2, 300))
def test_progress_in_steps_gives_the_rates_of_steps(schedule, steps):
    # With a rise over (nearly) the whole of the run, `share` has no room left to fall in, `share_at` at its
    # end has fallen.
    last = steps if schedule.warmup < 1.0 - 2.0 / steps else math.ceil(schedule.warmup * steps) - 1
    for step in range(last):
        assert schedule.share_at((step + 1) / steps, step) == pytest.approx(
            schedule.share(step, steps), abs=1e-9
        )


@given(schedules(), st.integers(0, 10**6))
def test_a_budget_that_is_spent_ends_at_exactly_the_final_rate(schedule, step):
    if schedule.ends_at_final:
        assert schedule.share_at(1.0, step) == schedule.final == schedule.share_at(1.7, step)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_by_the_clock_the_rate_falls_evenly(one, other):
    """Whatever moments the updates fall on."""
    earlier, later = sorted((one, other))
    for use in ("linear", "cosine"):
        schedule = Schedule(use=use, warmup=0.0)
        assert schedule.share_at(earlier, 3) >= schedule.share_at(later, 4)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"use": "step"}, "either `every`"),
        ({"use": "step", "every": 3, "milestones": [0.5]}, "either `every`"),
        ({"use": "step", "milestones": [30]}, "between 0 and 1"),
        ({"use": "linear", "decay": 0.1}, "decay: belongs to `use: inverse`, not to `use: linear`"),
        ({"use": "cosine", "cooldown": 0.1}, "reaches `final` without one"),
        ({"use": "constant", "warmup": 0.6, "cooldown": 0.6}, "take 1.2 of the budget"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(told, message):
    with pytest.raises(ConfigError, match=message):
        validate(Schedule, told, "train.schedule")


@given(schedules())
def test_a_schedule_comes_back_from_json(schedule):
    assert Schedule.model_validate_json(schedule.model_dump_json()) == schedule


def test_the_peak_follows_the_batch_only_where_it_is_told_to():
    assert RateScaling().factor(8192) == 1.0
    assert RateScaling(use="linear", reference_batch=256).factor(8192) == 32.0
    assert RateScaling(use="sqrt", reference_batch=512).factor(2048) == 2.0
    assert RateScaling(use="linear", reference_batch=256).factor(128) == 0.5
