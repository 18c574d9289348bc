"""Policies that look at rows, not at keys. Each says itself how the rates come about, which columns it adds,
what is unbiased.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame

from lsml_spark.select.policies.policy import Policy, Spectrum

COPIES = "__copies"  # how many rows a row stands for; no name that a sample's own column has


@dataclass(frozen=True)
class RatedRows:
    """`frame`: the rows with `keep_rate` in [0, 1], with what the policy `adds`, and with COPIES where it
    `merges` rows.

    `rows_S`: rows of `frame` by groups of equal rates, int64 (S,); `rates_S`: the rate of each, (S,).
    """

    frame: DataFrame
    rows_S: np.ndarray
    rates_S: np.ndarray


class RowPolicy(Policy):
    """Base of the policies of rows. `merges`: whether rows become one, which then weighs as many as it stands
    for, over its rate.
    """

    merges: ClassVar[bool] = False

    @abstractmethod
    def rated(self, train: DataFrame, scores: DataFrame | None, budget: float) -> RatedRows:
        """Rates with Σ rows_S · rates_S = min(budget, rows).

        `train`: as prepare wrote it. `scores`: `sample_id key hit log_prob night` of the rows that earlier
        nights held out, where `needs` says so and there are such. ConfigError where it cannot say.
        """

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        """Of keys it has none."""
        raise NotImplementedError
