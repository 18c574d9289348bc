"""Every figure against a second implementation: pandas, NumPy, SciPy and Python's exact arithmetic, on random
tables.
"""

import datetime
import decimal
import json
import math
import random
import statistics
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lsml_spark.core.moments import Moments
from lsml_spark.quality.figures import hyperloglog
from lsml_spark.quality.figures.profile import profile_of

pytestmark = pytest.mark.spark
SCHEMA = (
    "x double, f float, i int, big bigint, dec decimal(20,4), s string, day date, at timestamp, local "
    "timestamp_ntz, flag boolean, "
    "raw binary, tags array<string>, pairs map<string,int>, shape struct<w: int, h: double>, nothing string"
)
NAMES = [part.split()[0] for part in SCHEMA.replace("<w: int, h: double>", "").split(", ")]
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def table(seed: int, rows: int) -> list[tuple]:
    """Rows of every type with NULLs, NaN, ±infinity, empty and odd strings, values far apart and many
    twice.
    """
    draw = random.Random(seed)
    floats = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e300, -1e-300, 5e-324, 0.1]
    words = ["", " ", "ä", "日本", "\U0001f600", "a\x00b", "NULL", "nan", "x" * 300, "x" * 299 + "y"]
    some = {
        "x": lambda: draw.choice(floats) if draw.random() < 0.2 else draw.gauss(1e6, 3.0),
        "f": lambda: (
            draw.choice(floats[:5]) if draw.random() < 0.2 else float(np.float32(draw.lognormvariate(0, 4)))
        ),
        "i": lambda: draw.randrange(-(2**31), 2**31),
        "big": lambda: draw.choice([2**62, -(2**63), draw.randrange(1000), 7]),
        "dec": lambda: decimal.Decimal(draw.randrange(-(10**9), 10**9)).scaleb(-4),
        "s": lambda: draw.choice(words) if draw.random() < 0.5 else str(draw.randrange(200)),
        "day": lambda: datetime.date(1900, 1, 1) + datetime.timedelta(draw.randrange(60_000)),
        "at": lambda: EPOCH + datetime.timedelta(microseconds=draw.randrange(-(10**15), 10**15)),
        "local": lambda: datetime.datetime(2011, 2, 1, draw.randrange(24)),
        "flag": lambda: draw.random() < 0.3,
        "raw": lambda: draw.randbytes(draw.randrange(4)),
        "tags": lambda: [draw.choice(["a", "b", None]) for _ in range(draw.randrange(4))],
        "pairs": lambda: {str(n): n for n in range(draw.randrange(3))},
        "shape": lambda: (draw.choice([1, None]), draw.choice([0.5, None])),
        "nothing": lambda: None,
    }
    return [tuple(None if draw.random() < 0.15 else some[name]() for name in NAMES) for _ in range(rows)]


def frozen(value):
    if isinstance(value, list):
        return tuple(value)
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def expected(name: str, values: list) -> dict[str, float]:
    """The metrics of a column, by other means."""
    there = [value for value in values if value is not None]
    found = {
        "missing": len(values) - len(there),
        "distinct": pd.Series(map(frozen, there), dtype=object).nunique(dropna=False),
    }
    if values:
        found["missing_share"] = found["missing"] / len(values)
    if not there:
        return found
    if name in ("x", "f", "i", "big", "dec"):
        return found | _number(name, there)
    if name in ("day", "at", "local"):
        moments = [
            datetime.datetime.combine(t, datetime.time()) if name == "day" else t.replace(tzinfo=None)
            for t in there
        ]
        seconds = [(t - EPOCH.replace(tzinfo=None)) / datetime.timedelta(seconds=1) for t in moments]
        return found | {"min": min(seconds), "max": max(seconds)}
    if name == "flag":
        return found | {"true": sum(there)}
    if name == "shape":
        return found
    lengths = pd.Series([len(value) for value in there])
    word = {"s": "length", "raw": "length", "tags": "size", "pairs": "size"}[name]
    found |= {f"{word}_min": lengths.min(), f"{word}_max": lengths.max()} | (
        {} if name == "raw" else {f"{word}_mean": lengths.mean()}
    )
    return found | ({"empty": there.count("")} if name == "s" else {})


def root(value: Fraction) -> float:
    with decimal.localcontext(prec=50):
        return float((decimal.Decimal(value.numerator) / decimal.Decimal(value.denominator)).sqrt())


def _number(name: str, there: list) -> dict[str, float]:
    x = pd.Series([float(value) for value in there])
    found = {"nan": int(x.isna().sum()), "infinite": int(np.isinf(x).sum())}
    x = x[np.isfinite(x)]
    if x.empty:
        return found
    found |= {
        "min": x.min(),
        "max": x.max(),
        "mean": statistics.fmean(map(Fraction, x)),
        "zeros": int((x == 0).sum()),
    }
    found |= {"negative": int((x < 0).sum()), "mad": scipy.stats.median_abs_deviation(x)}
    found |= {f"q{q:02d}": x.quantile(q / 100) for q in (1, 5, 25, 75, 95, 99)} | {"median": x.median()}
    return found | ({"stddev": root(statistics.variance(map(Fraction, x)))} if len(x) > 1 else {})


def assert_same(found: dict, wanted: dict, name: str) -> None:
    assert set(found) == set(wanted), name
    for metric, value in wanted.items():
        assert found[metric] == pytest.approx(float(value), rel=1e-12, abs=1e-12), (name, metric)


@pytest.mark.parametrize(("seed", "rows"), [(0, 0), (1, 1), (2, 2), (3, 40), (4, 3000)])
def test_every_metric_is_that_of_a_second_implementation(spark, seed, rows):
    data = table(seed, rows)
    profile, sample = profile_of(spark.createDataFrame(data, SCHEMA).repartition(3))
    assert (profile["rows"], profile["sampled"], sample.num_rows) == (rows, rows, rows)
    json.dumps(profile, allow_nan=False)
    for position, name in enumerate(NAMES):
        assert_same(
            profile["columns"][name]["metrics"], expected(name, [row[position] for row in data]), name
        )


def test_distributions_top_values_and_ranges(spark):
    data = table(4, 3000)
    columns = profile_of(spark.createDataFrame(data, SCHEMA))[0]["columns"]
    words = pd.Series([row[NAMES.index("s")] for row in data]).dropna()
    counts = words.value_counts()
    assert sum(count for _, count in columns["s"]["top"]) + columns["s"]["others"] == len(words)
    assert len(columns["s"]["top"]) == 100
    assert [count for _, count in columns["s"]["top"]] == sorted(counts, reverse=True)[:100]
    assert columns["s"]["top"] == sorted(columns["s"]["top"], key=lambda pair: (-pair[1], pair[0]))
    big = pd.Series([row[NAMES.index("big")] for row in data]).dropna()
    exact = columns["big"]["points"]
    assert (
        exact["values"] == sorted({float(value) for value in big})[: len(exact["values"])]
        or len(exact["values"]) == 512
    )
    x = np.array([row[0] for row in data if row[0] is not None and math.isfinite(row[0])])
    many = columns["x"]["points"]
    assert (len(many["values"]), sum(many["weights"])) == (512, pytest.approx(1))
    assert np.allclose(many["values"], np.quantile(x, (np.arange(512) + 0.5) / 512))
    assert dict(columns["flag"]["top"]) == {
        "true": columns["flag"]["metrics"]["true"],
        "false": sum(row[9] is False for row in data),
    }
    days = [row[NAMES.index("day")] for row in data if row[NAMES.index("day")]]
    assert columns["day"]["range"] == [str(min(days)), str(max(days))]
    assert columns["big"]["range"] == [str(-(2**63)), str(2**62)]
    assert {name: column["kind"] for name, column in columns.items()} == {
        **dict.fromkeys(["x", "f", "i", "big", "dec"], "number"),
        **dict.fromkeys(["s", "nothing"], "text"),
        **dict.fromkeys(["day", "at", "local"], "time"),
        **dict.fromkeys(["tags", "pairs", "shape"], "nested"),
        "flag": "boolean",
        "raw": "binary",
    }


LARGE = ["id", "id % 5000 AS k", "cast(id % 30000 AS string) AS s", "ln(id + 1) AS x"]


@pytest.mark.slow
def test_a_large_day_is_exact_but_for_what_comes_from_the_sample(spark):
    rows = 60_000
    frame = spark.range(rows).selectExpr(*LARGE)
    found = [profile_of(frame.repartition(n), sample_rows=5000)[0] for n in (1, 3, 11)]
    # merged on the way to the driver
    found.append(profile_of(spark.range(0, rows, 1, 100).selectExpr(*LARGE), sample_rows=5000)[0])
    for profile in found:
        assert (profile["rows"], profile["sampled"]) == (rows, 5000)
    sampled = {"q01", "q05", "q25", "median", "q75", "q95", "q99", "mad"}
    exact = [
        [
            {name: value for name, value in column["metrics"].items() if name not in sampled}
            for column in profile["columns"].values()
        ]
        for profile in found
    ]
    assert exact[0] == exact[1] == exact[2] == exact[3], "to the last bit"
    metrics = {name: column["metrics"] for name, column in found[0]["columns"].items()}
    x = np.log(np.arange(rows) + 1)
    assert metrics["x"]["mean"] == pytest.approx(x.mean(), rel=1e-14)
    assert metrics["x"]["stddev"] == pytest.approx(x.std(ddof=1), rel=1e-12)
    assert metrics["id"]["distinct"] == pytest.approx(rows, rel=0.05)
    assert metrics["k"]["distinct"] == pytest.approx(5000, rel=0.05)
    assert metrics["s"]["distinct"] == pytest.approx(30_000, rel=0.05)
    drawn = found[0]["columns"]["x"]
    assert (
        scipy.stats.ks_1samp(drawn["points"]["values"], lambda v: np.searchsorted(x, v) / rows).statistic
        < 0.04
    )


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(FINITE | st.floats(-1e3, 1e3) | st.integers(-5, 5).map(float), min_size=2, max_size=60),
    st.integers(1, 59),
)
def test_moments_are_exact_in_any_order_and_any_parts(values, cut):
    parts = []
    for part in (values[:cut], values[cut:]):
        moments = Moments()
        moments.add(np.array(part, float))
        parts.append(moments)
    parts[1].merge(parts[0])
    exact = [Fraction(value) for value in values]
    assert parts[1].mean == float(sum(exact) / len(exact))
    assert parts[1].stddev == pytest.approx(root(statistics.variance(exact)), rel=1e-15, abs=5e-324)


@pytest.mark.parametrize("different", [0, 1, 10, 1000, 5000, 20_000, 300_000])
def test_distinct_values_are_counted_within_the_sketch_error(different):
    errors = []
    for seed in range(5):
        registers = hyperloglog.empty()
        values = np.random.default_rng(seed).integers(-(2**62), 2**62, different)
        for part in np.array_split(np.concatenate([values, values[: different // 2]]), 7):
            hyperloglog.add(registers, hyperloglog.hashes(part))
        errors.append(hyperloglog.estimate(registers) / max(different, 1) - (1 if different else 0))
    assert np.abs(errors).max() < 4 * 1.04 / 64
    assert np.abs(np.mean(errors)) < 2 * 1.04 / 64


def test_equal_numbers_have_equal_hashes():
    hashes = hyperloglog.hashes(np.array([0.0, -0.0, np.nan, -np.nan, 1.0]))
    assert len(set(hashes.tolist())) == 3
