"""Numbers far from all others."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, PrivateAttr
from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError
from lsml_spark.quality.check import RowCheck

DEFAULT = {"robust_z": 3.5, "iqr": 3.0}


class Outlier(RowCheck):
    """The number is not far from the day's others, by statistics that outliers themselves cannot move.

    `robust_z`: 0.6745 |x - median| / MAD ≤ above; where more than half of the values are equal (MAD 0), |x -
    median| / (1.2533 × mean absolute deviation) takes its place (Iglewicz & Hoaglin 1993). `iqr`: within
    `above` interquartile ranges of the quartiles (Tukey's far out). A day whose spread is 0 has no outliers.
    NULL and NaN are kept; an infinite value is one.

    Fields:
        above: default 3.5 for robust_z, 3 for iqr.
        log: judge logarithms, for positive skewed numbers such as prices; those ≤ 0 are the business of
            `in_range`.
    """

    method: Literal["robust_z", "iqr"] = "robust_z"  # how far is measured
    above: float | None = Field(None, gt=0)
    log: bool = False

    _bounds: tuple[float, float] | None = PrivateAttr(None)

    of_a_column: ClassVar[bool] = True

    def describe(self) -> str:
        return f"outlier ({self.method}{' of the logarithm' if self.log else ''} above {self._threshold:g})"

    @property
    def _threshold(self) -> float:
        return DEFAULT[self.method] if self.above is None else self.above

    def reads(self) -> Sequence[str]:
        return [self.column]

    def fit(self, sample: pa.Table) -> Self:
        column = sample.column(self.column)
        if not (
            pa.types.is_integer(column.type)
            or pa.types.is_floating(column.type)
            or pa.types.is_decimal(column.type)
        ):
            raise ConfigError(
                f"quality: {self.column}: outlier wants numbers, the contract says {column.type}"
            )
        values = column.drop_null().cast(pa.float64(), safe=False).to_numpy()
        fitted = self.model_copy()
        fitted._bounds = bounds(values, self.method, self._threshold, self.log)
        return fitted

    def violated(self) -> Column:
        if self._bounds is None:
            return F.lit(False)
        value = self.value.try_cast("double")
        low, high = self._bounds
        outside = ((value < low) | (value > high)) & ~F.isnan(value)
        return outside & (value > 0) if self.log else outside


def bounds(values: np.ndarray, method: str, above: float, log: bool = False) -> tuple[float, float] | None:
    """The interval outside which a number is an outlier among these, shape (N,); None where they have no
    spread, or are none.
    """
    values = values[np.isfinite(values) & (values > 0)] if log else values[np.isfinite(values)]
    if not len(values):
        return None
    if log:
        values = np.log(values)
    if method == "iqr":
        low, high = np.quantile(values, [0.25, 0.75])
        reach = above * (high - low)
    else:
        low = high = np.median(values)
        deviation = np.abs(values - low)
        mad = np.median(deviation)
        reach = above * (mad / 0.6745 if mad > 0 else 1.253314 * deviation.mean())
    if not reach > 0:
        return None
    low, high = low - reach, high + reach
    with np.errstate(over="ignore"):
        return (float(np.exp(low)), float(np.exp(high))) if log else (float(low), float(high))
