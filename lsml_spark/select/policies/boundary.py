"""Local case-control sampling (Fithian & Hastie 2014): keep a row as likely as the last promoted model found
its label surprising.
"""

from typing import Literal

import numpy as np
from pydantic import Field
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.select.knowledge import FINE, SURPRISE, with_surprise
from lsml_spark.select.policies.of_rows import RatedRows, RowPolicy
from lsml_spark.select.policies.policy import Spectrum, filled


class Boundary(RowPolicy):
    """π = min(1, λ max(1 − p̃(y | x), floor)), p̃ from the promoted model of the night that held the row out.

    `correct: weights` makes sums over the kept rows unbiased, whatever the model. `correct: offset`, for two
    labels, trains on the kept rows as they are and adds log π(x, y) − log π(x, other label) to the logit of
    y: the pilot added back, whose asymptotic variance is at most twice that of all rows. Rows that no night
    scored count as average.
    """

    floor: float = Field(0.05, gt=0.0, le=1.0)  # least surprise of a row
    correct: Literal["weights", "offset"] = "weights"  # what makes the loss that of all rows

    def claim(self, weights: bool) -> str:
        if self.correct == "offset":
            return "the offset makes the fitted log-odds those of all rows, where the model can express them"
        return super().claim(weights)

    def refuses(self, weights: bool) -> str | None:
        return (
            "correct: offset takes the place of the weights; say weights: false"
            if self.correct == "offset" and weights
            else None
        )

    @property
    def adds(self) -> tuple[str, ...]:
        return ("offset",) if self.correct == "offset" else ()

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({"scores"})

    def rated(self, train: DataFrame, scores: DataFrame | None, budget: float) -> RatedRows:
        if scores is None:
            raise ConfigError(
                "select.policy: boundary needs the scores of an earlier night, and there are none; begin "
                "with zipf"
            )
        return by_score(with_surprise(train, scores), self, budget)

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        """Rates (S,). `spectrum`: rows by their surprise."""
        if spectrum.surprise is None:
            raise ConfigError(
                "select.policy: boundary needs the scores of an earlier night, and there are none; begin "
                "with zipf"
            )
        return filled(np.maximum(spectrum.surprise, self.floor), spectrum, budget)


def by_score(scored: DataFrame, policy: Boundary, budget: float) -> RatedRows:
    """Rows with SURPRISE (see knowledge) get a `keep_rate` and, where it corrects, an `offset`.

    IntegrityError where a score is no probability; ConfigError where no row was scored, or where an offset is
    asked for and there are not two labels.
    """
    rows_by_step = {
        row[SURPRISE]: row["rows"]
        for row in scored.groupBy(SURPRISE).agg(F.count(F.lit(1)).alias("rows")).collect()
    }
    if rows_by_step.get(-1):
        bad = scored.where(F.col(SURPRISE) == -1).orderBy("sample_id").first()
        assert bad is not None
        raise IntegrityError(
            f"select: the scores of {rows_by_step[-1]} rows are no probabilities, e.g. {bad.sample_id!r}; "
            "run evaluate again"
        )
    known = {step: rows for step, rows in rows_by_step.items() if step is not None}
    if not known:
        raise ConfigError(
            "select.policy: boundary needs the scores of an earlier night, and none held out a row of the "
            "window; begin with zipf"
        )
    average = round(sum(step * rows for step, rows in known.items()) / sum(known.values()))
    held_out = F.col(SURPRISE).isNotNull()
    step = F.coalesce(SURPRISE, F.lit(average))
    known[average] = known.get(average, 0) + rows_by_step.get(None, 0)
    step_S, rows_S = np.array(sorted(known.items()), dtype=np.int64).T
    spectrum = Spectrum(np.ones_like(rows_S), rows_S, surprise=(surprise_S := step_S / FINE))
    rates_S = policy.keep_rates(spectrum, budget)

    # The rate of any surprise, those that no row has included: the other label's is needed too.
    every = np.arange(FINE + 1) / FINE
    wanted_S, wanted_E = (np.maximum(surprise, policy.floor) for surprise in (surprise_S, every))
    level = (rates_S / wanted_S).max() if (rates_S < 1).any() else np.inf
    rate_E = np.minimum(1.0, level * wanted_E)
    table = F.array(*map(F.lit, rate_E.tolist()))
    rated = scored.withColumn("keep_rate", F.element_at(table, step + 1))
    if policy.correct == "offset":
        labels = [row["label"] for row in scored.select("label").distinct().limit(3).collect()]
        if len(labels) != 2:
            raise ConfigError(
                "select.policy.correct: offset is for two labels, and there are others or only one; say "
                "weights"
            )
        other = F.element_at(table, FINE - step + 1)
        rated = rated.withColumn("offset", F.when(held_out, F.log("keep_rate") - F.log(other)).otherwise(0.0))
    return RatedRows(rated.drop(SURPRISE), rows_S, rates_S)


def acceptance(own_N: np.ndarray, budget: float, floor: float) -> np.ndarray:
    """π of every row from the probability that the pilot gave to its own label; Σ π = min(budget, N). Shape
    (N,).

    ConfigError where a score is not a probability.
    """
    bad_N = ~((own_N >= 0) & (own_N <= 1))
    if bad_N.any():
        raise ConfigError(
            f"boundary: {bad_N.sum()} scores are no probabilities, the first is {own_N[bad_N][0]}"
        )
    ones_N = np.ones(len(own_N), np.int64)
    return Boundary(floor=floor).keep_rates(Spectrum(ones_N, ones_N, surprise=1.0 - own_N), budget)
