"""One number a row."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.core.scoreboard import Figure
from lsml_spark.tasks.figures import regression
from lsml_spark.tasks.task import Target, Task, Truth, floats_of, known, refuse_other_than_a_number
from lsml_spark.transforms.encode import encoder_of, inverse

MAIN = {"squared": "rmse", "absolute": "mae", "huber": "mae", "quantile": "pinball", "poisson": "deviance"}


class Regress(Task):
    """A number, learned in the scale of its transform (`standardize`, `log`, or `number` as it is) and
    predicted in its own unit.

    `squared` learns the mean, `absolute` the median, `huber` the mean of what lies within `delta` scales of
    it and the median of the rest, `quantile` the number that a share `quantile` of the rows stays below,
    `poisson` the mean of counts (the network's output is its logarithm, and the target's transform must be
    `number`).
    """

    learns: ClassVar[Target] = "numbers"
    loss: Literal["squared", "absolute", "huber", "quantile", "poisson"] = "squared"  # what a residual costs
    delta: float = Field(1.0, gt=0.0)  # huber: in scales of the target
    quantile: float = Field(0.5, gt=0.0, lt=1.0)  # quantile: which one

    @property
    def shown(self) -> Mapping[str, Figure]:
        every = {
            "rmse": Figure("RMSE", "lower"),
            "mae": Figure("MAE", "lower"),
            "r2": Figure("R²", "higher"),
            "pinball": Figure(f"pinball loss at {self.quantile:g}", "lower"),
            "deviance": Figure("Poisson deviance", "lower"),
        }
        first = MAIN[self.loss]
        return {name: every[name] for name in dict.fromkeys([first, "rmse", "mae", "r2"])}

    @property
    def baselines(self) -> tuple[dict[str, Any], ...]:
        by = "median" if self.loss in ("absolute", "huber") else "mean"
        return (
            {"use": "constant", "by": by, "target": self.target},
            {"use": "key_mean", "target": self.target},
        )

    def width(self, encoders: Mapping[str, Any]) -> int:
        refuse_other_than_a_number(encoders, self.target, "regress")
        if self.loss == "poisson" and encoder_of(encoders, self.target)["use"] != "number":
            raise ValueError(
                f"task.loss: poisson takes counts as they are; give '{self.target}' the transform `number`"
            )
        return 1

    def start(self, mean: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(mean, 1e-9)) if self.loss == "poisson" else mean

    def criterion(self, outputs: Any, truth: Truth) -> tuple[Any, Any]:
        import torch
        from torch.nn.functional import huber_loss

        z_B, y_B = outputs[:, 0], truth.of(self.target).to(outputs)
        known_B = torch.ones_like(y_B, dtype=torch.bool)
        if self.loss == "poisson":
            # The deviance's half, so that a perfect row loses nothing; below 0, where no count is, it is not
            # finite.
            return z_B.exp() - y_B * z_B + torch.special.xlogy(y_B, y_B) - y_B, known_B
        above_B = y_B - z_B
        if self.loss == "squared":
            return above_B.square(), known_B
        if self.loss == "absolute":
            return above_B.abs(), known_B
        if self.loss == "huber":
            return huber_loss(z_B, y_B, reduction="none", delta=self.delta), known_B
        return torch.maximum(self.quantile * above_B, (self.quantile - 1) * above_B), known_B

    def predict(self, outputs: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        """(B,), in the target's unit."""
        z_B = outputs[:, 0].double().numpy()
        return np.exp(z_B) if self.loss == "poisson" else inverse(encoder_of(encoders, self.target), z_B)

    def truth(self, rows: pa.Table, encoders: Mapping[str, Any]) -> np.ndarray:
        return floats_of(rows, self.target)

    def losses(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        above_N = truth - predicted
        if self.loss == "quantile":
            return np.maximum(self.quantile * above_N, (self.quantile - 1) * above_N)
        if self.loss == "poisson":
            mean_N = np.maximum(predicted, 1e-9)
            return 2 * (
                np.where(truth > 0, truth * np.log(np.maximum(truth, 1e-300) / mean_N), 0.0) - truth + mean_N
            )
        return above_N**2 if self.loss == "squared" else np.abs(above_N)

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
        figures = {
            "rmse": regression.rmse(truth, predicted),
            "mae": regression.mae(truth, predicted),
            "r2": regression.r2(truth, predicted),
            "pinball": regression.pinball(truth, predicted, quantile=self.quantile),
            "deviance": regression.poisson_deviance(truth, np.maximum(predicted, 1e-9))
            if self.loss == "poisson"
            else np.nan,
        }
        return {name: known(figures[name]) for name in self.shown}
