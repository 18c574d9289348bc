"""Learning rate over the steps of a training run, as a share of its peak."""

import math
from typing import Literal

from pydantic import Field

from lsml_spark.core.config import Strict


class Schedule(Strict):
    """Linear rise over the first `warmup` share of the steps, then constant, or a fall to `final` by a line or half a cosine."""

    use: Literal["constant", "linear", "cosine"] = "linear"
    warmup: float = Field(0.1, ge=0.0, le=1.0)
    final: float = Field(0.0, ge=0.0, le=1.0)

    def share(self, step: int, steps: int) -> float:
        """Share of the peak rate at `step` (from 0) of `steps`; in (0, 1] during the rise, in [final, 1] after it."""
        rise = self.warmup * steps
        if step + 1 < rise:
            return (step + 1) / rise
        if self.use == "constant":
            return 1.0
        done = (step + 1 - rise) / max(steps - rise, 1.0)
        left = 1.0 - done if self.use == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
        return self.final + (1.0 - self.final) * left
