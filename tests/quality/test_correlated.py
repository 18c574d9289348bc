import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from days import day, judge
from hypothesis import given, settings
from hypothesis import strategies as st

from lsml_spark.quality.day import Day
from lsml_spark.quality.figures.correlation import pairwise, ranks

RNG = np.random.default_rng(2)
X = RNG.normal(size=400)
ROWS = {
    "x": X.tolist(),
    "cm": (2.54 * X + 3).tolist(),
    "cube": (X**3).tolist(),
    "y": RNG.normal(size=400).tolist(),
    "s": ["a", "b"] * 200,
}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_correlations_with_missing_values_are_those_of_pandas(seed):
    rng = np.random.default_rng(seed)
    x = (
        rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) * 10 ** rng.uniform(-3, 6, 5)
        + rng.normal(size=5) * 1e4
    )
    x[rng.random(x.shape) < 0.2] = np.nan
    assert pairwise(x, 10) == pytest.approx(
        pd.DataFrame(x).corr(min_periods=10).to_numpy(), abs=1e-7, nan_ok=True
    )


def test_ranks_give_spearmans_coefficient():
    x = np.round(RNG.normal(size=(200, 4)), 1)
    assert pairwise(ranks(x)) == pytest.approx(pd.DataFrame(x).corr("spearman").to_numpy())


def test_constant_columns_and_few_common_rows_have_none():
    x = np.column_stack([X, np.full(400, 7.1), np.where(np.arange(400) < 380, np.nan, X)])
    r = pairwise(x)
    assert np.isnan(r[1]).all()
    assert np.isnan(r[0, 2])


@pytest.mark.parametrize(
    ("fields", "pairs"),
    [
        ({}, ["'x' and 'cm'"]),
        ({"method": "spearman"}, ["'x' and 'cm'", "'x' and 'cube'", "'cm' and 'cube'"]),
        ({"known": [["cm", "x"]]}, []),
        ({"columns": ["x", "y"]}, []),
    ],
)
def test_pairs_that_say_the_same_are_named(fields, pairs):
    found = judge({"correlated": fields}, day(ROWS))
    assert (found.problem is not None) == bool(pairs)
    assert all(pair in found.problem for pair in pairs)


def test_the_value_is_the_largest_and_the_sign_is_told():
    found = judge({"correlated": 0.9}, day({"x": X.tolist(), "minus": (-X).tolist()}))
    assert found.value == pytest.approx(1)
    assert found.problem == "pearson correlation of 'x' and 'minus' (-1.0000)"


def test_text_one_column_or_no_rows():
    assert judge({"correlated": {"columns": ["x", "s"]}}, day(ROWS)).problem == "column 's' is not a number"
    assert judge("correlated", day({"x": [1.0, 2.0], "s": ["a", "b"]})).value is None
    assert judge("correlated", day({"x": []})).problem == "the day has no rows to judge"


def test_500_columns_take_seconds():
    names = [f"c{i}" for i in range(500)]
    x = RNG.normal(size=(5_000, 500))
    x[:, 499] = 3 * x[:, 7]
    profile = {"rows": 5_000, "columns": {name: {"kind": "number", "metrics": {}} for name in names}}
    wide = Day(day(ROWS).date, 5_000, 5_000, profile, pa.table(dict(zip(names, x.T.copy(), strict=True))))
    start = time.perf_counter()
    found = judge("correlated", wide)
    assert time.perf_counter() - start < 30
    assert found.problem == "pearson correlation of 'c7' and 'c499' (+1.0000)"
