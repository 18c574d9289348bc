"""Learning rate over a training run, as a share of its peak; and how the peak follows the size of the
batch.
"""

import math
from typing import Literal

from pydantic import Field, model_validator

from lsml_spark.core.config import Strict


class RateScaling(Strict):
    """How the peak rate follows the rows of an update: not at all, in proportion (Goyal et al. 2017), or by
    the square root (for Adam and its kin: Malladi et al. 2022).

    Relative to `reference_batch`, the rows of an update for which `optimizer.lr` was chosen, not to the
    number of workers: the global batch here is the same on any number of ranks, so more workers need no other
    rate; a larger batch, or more of them accumulated into an update, does. Combine it with a warm-up, as the
    paper does.
    """

    use: Literal["none", "linear", "sqrt"] = "none"
    reference_batch: int = Field(256, ge=1)  # rows of an update

    def factor(self, batch: int) -> float:
        """What the peak rate is multiplied with; `batch`: rows of an update over all ranks, accumulation
        included. 1 for `none`.
        """
        ratio = batch / self.reference_batch
        return {"none": 1.0, "linear": ratio, "sqrt": math.sqrt(ratio)}[self.use]


class Schedule(Strict):
    """Linear rise over the first `warmup` share of the budget, then constant, or a fall to `final`.

    `linear` and `cosine` (half a wave) reach `final` at the budget's end. `step` multiplies by `factor` after
    every `every` updates, or as each of `milestones` (shares of the budget) is passed; `inverse` is 1 / (1 +
    decay · updates) (Bottou 2012). `constant`, `step` and `inverse` end where they are, unless `cooldown`
    brings them to `final` by a line over the budget's last share (Hägele et al. 2024). The budget is steps or
    seconds: see `share` and `share_at`.
    """

    use: Literal["constant", "linear", "cosine", "step", "inverse"] = "linear"
    warmup: float = Field(0.1, ge=0.0, le=1.0)  # share of the budget
    final: float = Field(0.0, ge=0.0, le=1.0)  # share of the peak rate
    cooldown: float = Field(0.0, ge=0.0, le=1.0)  # constant, step, inverse
    every: int | None = Field(None, ge=1)  # step: updates
    milestones: tuple[float, ...] = ()  # step: shares of the budget
    factor: float = Field(0.1, gt=0.0, le=1.0)  # step
    decay: float = Field(0.001, gt=0.0)  # inverse: per update
    scaling: RateScaling = RateScaling()  # of the peak

    @model_validator(mode="after")
    def _options_belong_to_the_use(self) -> "Schedule":
        for name, use in {
            "every": "step",
            "milestones": "step",
            "factor": "step",
            "decay": "inverse",
        }.items():
            if use != self.use and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}: belongs to `use: {use}`, not to `use: {self.use}`")
        if self.use in ("linear", "cosine") and self.cooldown:
            raise ValueError(f"cooldown: `use: {self.use}` reaches `final` without one")
        if self.use == "step" and (self.every is None) == (not self.milestones):
            raise ValueError(
                "`use: step` wants either `every` (updates) or `milestones` (shares of the budget)"
            )
        if any(not 0.0 < at < 1.0 for at in self.milestones):
            raise ValueError(
                f"milestones: shares of the budget, between 0 and 1, found {list(self.milestones)}"
            )
        if self.warmup + self.cooldown > 1.0 + 1e-9:
            raise ValueError(
                f"warmup and cooldown together take {self.warmup + self.cooldown:g} of the budget"
            )
        return self

    @property
    def ends_at_final(self) -> bool:
        """Whether the rate is `final` when the budget is spent."""
        return self.use in ("linear", "cosine") or self.cooldown > 0

    def share(self, step: int, steps: int) -> float:
        """Share of the peak rate at `step` (from 0) of `steps`; in (0, 1] during the rise, in [final, 1]
        after it.
        """
        if self.use in ("step", "inverse") or self.cooldown:
            return self.share_at((step + 1) / steps, step)
        rise = self.warmup * steps
        if step + 1 < rise:
            return (step + 1) / rise
        return self._fallen((step + 1 - rise) / max(steps - rise, 1.0))

    def share_at(self, done: float, step: int) -> float:
        """Share of the peak rate at update `step` (from 0), where `done` in [0, 1] of the budget, in steps or
        seconds, is spent.

        At `done` = 1 it is exactly `final` where `ends_at_final`. With `done` = (step + 1) / steps it is
        `share`, to rounding.
        """
        done = min(max(done, 0.0), 1.0)
        risen = min(done / self.warmup, 1.0) if self.warmup else 1.0
        if self.use in ("linear", "cosine"):
            if done < self.warmup:
                return risen
            return self._fallen((done - self.warmup) / (1.0 - self.warmup) if done < 1.0 else 1.0)
        left = 1.0
        if self.use == "step":
            left = self.factor ** (
                step // self.every if self.every else sum(done > at for at in self.milestones)
            )
        elif self.use == "inverse":
            left = 1.0 / (1.0 + self.decay * step)
        if self.cooldown:
            left *= min((1.0 - done) / self.cooldown, 1.0)
        return risen if left == 1.0 else risen * (self.final + (1.0 - self.final) * left)

    def _fallen(self, past: float) -> float:
        """After `past` in [0, 1] of what follows the rise: constant, a line, half a cosine."""
        if self.use == "constant":
            return 1.0
        left = 1.0 - past if self.use == "linear" else 0.5 * (1.0 + math.cos(math.pi * past))
        return self.final + (1.0 - self.final) * left
