"""When training ends before its last epoch: after so many updates, so much time, or where the loss no longer
falls.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lsml_spark.core.config import Strict
from lsml_spark.core.duration import seconds


def _seconds(value: Any) -> Any:
    return seconds(value) if isinstance(value, str) else value


# seconds; `2h`, `90min` and `30s` are understood
Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0.0)]


class Plateau(Strict):
    """`epochs` in a row whose mean training loss is not `improve` (a share of it) below the best before."""

    epochs: int = Field(2, ge=1)  # in a row
    improve: float = Field(0.001, ge=0.0, lt=1.0)  # share of the best loss

    def reached(self, losses: Sequence[float]) -> bool:
        """After epochs of these mean losses."""
        best, since = float("inf"), 0
        for loss in losses:
            better = best == float("inf") or loss < best - self.improve * abs(best)
            best, since = (loss, 0) if better else (best, since + 1)
        return since >= self.epochs


class Stop(Strict):
    """The first of these, or the last epoch, ends training. The schedule falls by whichever of steps and time
    is nearer to its end.
    """

    steps: int | None = Field(None, ge=1)  # updates
    time: Duration | None = None  # of training, the parts before an interruption included
    plateau: Plateau | None = None  # where the loss no longer falls

    def total(self, planned: int) -> int:
        """Updates at most, of those that all epochs would make."""
        return planned if self.steps is None else min(planned, self.steps)

    def why(self, updates: int, elapsed: float) -> str | None:
        """Why training ends now, within an epoch; None where it goes on."""
        if self.steps is not None and updates >= self.steps:
            return "steps"
        if self.time is not None and elapsed >= self.time:
            return "time"
        return None

    def after_epoch(self, by_epoch: Sequence[Mapping[str, Any]]) -> str | None:
        """The same, after whole epochs."""
        return (
            "plateau"
            if self.plateau and self.plateau.reached([epoch["loss"] for epoch in by_epoch])
            else None
        )
