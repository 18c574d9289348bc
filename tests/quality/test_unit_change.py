from itertools import pairwise

import numpy as np
import pytest
from days import day, judge

from lsml_spark.quality.check import TableCheck, parse

RNG = np.random.default_rng(8)


def prices(rows=2000, factor=1.0, share=1.0, seed=None):
    rng = RNG if seed is None else np.random.default_rng(seed)
    values = rng.lognormal(1, 0.8, rows)
    return {"p": np.where(rng.random(rows) < share, values * factor, values).tolist()}


@pytest.mark.parametrize("factor", [10, 100, 1000, 1 / 10, 1 / 100])
def test_a_whole_column_in_another_unit_is_found(factor):
    found = judge({"unit_change": "p"}, day(prices(factor=factor), prices()))
    assert found.value == 1
    assert found.problem.startswith(
        f"p: values are {f'{factor:g} times' if factor > 1 else f'1/{1 / factor:g} of'} those of the last "
        "good night"
    )


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
@pytest.mark.parametrize("factor", [10, 100, 1 / 100])
def test_a_part_of_the_values_in_another_unit_is_found_and_measured(share, factor):
    found = judge({"unit_change": "p"}, day(prices(20_000, factor, share), prices(20_000)))
    assert found.value == pytest.approx(share, abs=0.05)
    assert found.rows == pytest.approx(20_000 * share, rel=0.2)
    assert "of the values are" in found.problem


def test_ordinary_nights_raise_none():
    nights = [prices(500 * (1 + seed % 5), seed=seed) for seed in range(40)]
    assert [judge({"unit_change": "p"}, day(now, then)).problem for then, now in pairwise(nights)] == [
        None
    ] * 39


@pytest.mark.parametrize(
    "change",
    [lambda x: x * 1.5, lambda x: x * 3, lambda x: x + 5, lambda x: x**1.5, lambda x: np.where(x > 2, 0, x)],
)
def test_other_changes_are_not_taken_for_a_unit(change):
    now = {"p": change(np.array(prices(5000)["p"])).tolist()}
    assert judge({"unit_change": "p"}, day(now, prices(5000))).problem is None


def test_negative_values_and_other_factors():
    now, then = {"p": (-np.array(prices()["p"]) * 60).tolist()}, {"p": (-np.array(prices()["p"])).tolist()}
    assert judge({"unit_change": {"column": "p", "factors": [60]}}, day(now, then)).problem.startswith(
        "p: values are 60 times"
    )
    with pytest.raises(ValueError, match="factors are above 1"):
        parse({"unit_change": {"column": "p", "factors": [0.1]}}, TableCheck)


def test_zeros_and_one_value_do_not_break_it():
    assert judge({"unit_change": "p"}, day({"p": [0.0] * 100}, {"p": [0.0] * 100})).problem is None
    assert judge({"unit_change": "p"}, day({"p": [500.0] * 100}, {"p": [5.0] * 100})).value == 1


def test_what_cannot_be_compared():
    assert judge({"unit_change": "p"}, day(prices())).value is None
    assert "no numbers on 2011-01-31" in judge({"unit_change": "p"}, day(prices(), {"q": [1.0]})).problem
    assert "of kind text" in judge({"unit_change": "s"}, day({"s": ["a"]}, {"s": ["a"]})).problem
    assert "no rows" in judge({"unit_change": "p"}, day({"p": []}, prices())).problem
