import math
from decimal import Decimal

import numpy as np
import pytest
from hooks import frame_of, judge, judge_values
from scipy import stats

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.checks.outlier import bounds

pytestmark = pytest.mark.spark


def far_off(values, method, above, log=False):
    """SciPy's own figures for the same rule."""
    x = np.log([value for value in values if value > 0]) if log else np.asarray(values)
    judged = np.log(np.maximum(values, 1e-300)) if log else np.asarray(values)
    if method == "iqr":
        low, high = np.quantile(x, [0.25, 0.75])
        found = (judged < low - above * stats.iqr(x)) | (judged > high + above * stats.iqr(x))
    else:
        found = 0.6745 * np.abs(judged - np.median(x)) / stats.median_abs_deviation(x) > above
    return (found & (np.asarray(values) > 0) if log else found).tolist()


@pytest.mark.parametrize(
    ("item", "method", "above", "log"),
    [
        ({"outlier": {}}, "robust_z", 3.5, False),
        ({"outlier": {"method": "iqr"}}, "iqr", 3.0, False),
        ({"outlier": {"above": 8, "log": True}}, "robust_z", 8, True),
        ({"outlier": {"method": "iqr", "above": 1.5, "log": True}}, "iqr", 1.5, True),
    ],
)
def test_it_finds_what_scipy_finds(spark, item, method, above, log):
    draw = np.random.default_rng(3)
    values = [*draw.lognormal(1, 1, 80).tolist(), 1e6, 1e9, -1e6, 0.0, 1e-9]
    found = judge_values(spark, item, "double", values)
    assert found == far_off(values, method, above, log)
    assert any(found)


def test_null_and_nan_are_kept_and_infinity_is_far_from_everything(spark):
    values = [1.0, 2.0, 3.0, 4.0, None, math.nan, math.inf, -math.inf]
    assert judge_values(spark, "outlier", "double", values) == [False] * 6 + [True, True]


def test_where_most_values_are_equal_the_mean_deviation_is_the_yardstick():
    values = np.array([1.0] * 90 + [1.5] * 5 + [2.0] * 4 + [50.0])
    low, high = bounds(values, "robust_z", 3.5)
    assert high == pytest.approx(1 + 3.5 * 1.253314 * np.mean(np.abs(values - 1)))
    assert low == pytest.approx(2 - high)


@pytest.mark.parametrize("method", ["robust_z", "iqr"])
@pytest.mark.parametrize("values", [[], [5.0], [5.0] * 20, [math.nan], [math.inf]])
def test_without_any_spread_nothing_is_an_outlier(method, values):
    assert bounds(np.array(values), method, 3.5) is None


def test_an_empty_day_one_row_and_whole_numbers_work(spark):
    assert judge_values(spark, "outlier", "int", []) == []
    assert judge_values(spark, "outlier", "decimal(10,2)", [Decimal("7.5")]) == [False]
    assert judge_values(spark, "outlier", "bigint", [*range(20), 10**12]) == [False] * 20 + [True]


def test_text_is_refused(spark):
    with pytest.raises(ConfigError, match="v: outlier wants numbers"):
        judge("outlier", frame_of(spark, "v string", [("1",)]))


def test_the_fitted_check_keeps_its_name():
    check = parse({"outlier": {"above": 8}}, RowCheck, column="v")
    assert check.label == "v: outlier (robust_z above 8)"


def test_the_stage_fits_it_on_the_day(check_day, raw_day):
    path = raw_day(["v", *[str(i % 10) for i in range(50)], "1000"])
    day = check_day({"v": "double"}, path, columns={"v": [{"outlier": {"above": 8}, "on_bad": "quarantine"}]})
    assert [row["_line"] for row in day.quarantine] == [52]
