"""Which rows an epoch reads: every row, another share or draw each time, or stage after stage of a
curriculum.

Pure functions of (rows of each row group, epoch): nothing here knows ranks, lanes or batches, so the rows of
an epoch are the same at any world size. A rule names row groups and a stretch of their shuffled order; `Plan`
does the shuffling.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lsml_spark.core.config import Strict, did_you_mean, validate
from lsml_spark.core.errors import ConfigError

NEAR = 1e-9  # how far a product of floats may lie from the whole number that was meant


@dataclass(frozen=True)
class Stretch:
    """Rows [first, last) of the row groups `groups_R`, shuffled and laid end to end; the shuffle is number
    `order`.
    """

    groups_R: tuple[int, ...]
    order: int
    first: int
    last: int


class EveryRow(Strict):
    """Each epoch reads all rows, in an order of its own."""

    use: Literal["every_row"] = "every_row"

    def stretch(self, rows_G: Sequence[int], epoch: int) -> Stretch:
        return Stretch(tuple(range(len(rows_G))), epoch, 0, sum(rows_G))


class Redraw(Strict):
    """Each epoch reads another `share` of the rows: RS2 without replacement (Okanovic et al. 2024, ICLR).

    A pass is one shuffle of all N rows, cut into k = ⌊1/share⌋ slots of share · N rows (to the nearest row,
    so slots may differ by one and fill the pass where k = 1/share); epoch e reads slot e mod k of pass ⌊e/k⌋.
    Rows are distinct within an epoch and read at most once a pass. The shuffle moves row groups whole, so
    that an epoch opens only its share of them: rows of one group come together in every pass. They are a fair
    sample of all rows, since shards are in hash order.
    """

    use: Literal["redraw"] = "redraw"
    share: float = Field(gt=0.0, le=1.0)

    def stretch(self, rows_G: Sequence[int], epoch: int) -> Stretch:
        slots, rows = math.floor(1.0 / self.share + NEAR), sum(rows_G)
        order, slot = divmod(epoch, slots)
        first, last = (min(rows, math.floor(place * self.share * rows + 0.5)) for place in (slot, slot + 1))
        return Stretch(tuple(range(len(rows_G))), order, first, last)


class Curriculum(Strict):
    """Epoch e reads the row groups of the stages 0 … s(e) (Bengio et al. 2009; Wu, Dyer & Neyshabur 2021,
    "When do curricula work?").

    s grows linearly from 0 at epoch 0 to stages − 1 at epoch ⌈full_by · epochs⌉ and stays; a stage opens when
    the line has reached it. The last epoch is always full, so that no row is left out whatever `full_by`
    says, and none is empty because the first stages are. `pace_G`: stage of each row group.
    """

    use: Literal["curriculum"] = "curriculum"
    stages: int = Field(ge=1)
    full_by: float = Field(ge=0.0, le=1.0)
    epochs: int = Field(ge=1)
    pace_G: tuple[int, ...]

    @model_validator(mode="after")
    def _each_row_has_a_stage(self) -> "Curriculum":
        if wrong := [pace for pace in self.pace_G if not 0 <= pace < self.stages]:
            raise ValueError(
                f"row groups have pace {wrong[0]}, the curriculum has stages 0 to {self.stages - 1}"
            )
        return self

    def stage(self, epoch: int) -> int:
        """s(e): the last stage that an epoch reads."""
        full = min(math.ceil(self.full_by * self.epochs - NEAR), self.epochs - 1)
        return self.stages - 1 if epoch >= full else (self.stages - 1) * epoch // full

    def stretch(self, rows_G: Sequence[int], epoch: int) -> Stretch:
        last = max(self.stage(epoch), min(self.pace_G, default=0))
        rows_R = {
            group: rows
            for group, (rows, pace) in enumerate(zip(rows_G, self.pace_G, strict=True))
            if pace <= last
        }
        return Stretch(tuple(rows_R), epoch, 0, sum(rows_R.values()))


class Turns(Strict):
    """Epoch e reads the next of several draws that were written one by one: row groups of pace e mod `draws`.
    `pace_G`: their draw.

    Any policy can be redrawn so, not the uniform one alone. A draw without a row is passed over.
    """

    use: Literal["turns"] = "turns"
    pace_G: tuple[int, ...]

    def stretch(self, rows_G: Sequence[int], epoch: int) -> Stretch:
        draws = sorted(set(self.pace_G)) or [0]
        turn = draws[epoch % len(draws)]
        rows_R = {
            group: rows
            for group, (rows, pace) in enumerate(zip(rows_G, self.pace_G, strict=True))
            if pace == turn
        }
        return Stretch(tuple(rows_R), epoch, 0, sum(rows_R.values()))


Rule = Annotated[EveryRow | Redraw | Curriculum | Turns, Field(discriminator="use")]


def rule_of(asked: Mapping[str, Any], epochs: int, pace_G: Sequence[int], where: str) -> Rule:
    """The rule that `epochs` of selection.json asks for. ConfigError starts with `where`.

    `epochs`: how many there will be; `pace_G`: the stage of each row group, or its draw.
    """
    if asked.get("use") == "redraw":
        return validate(Redraw, {"share": asked.get("share")}, where)
    if asked.get("use") == "curriculum":
        settings = {name: asked[name] for name in ("stages", "full_by") if name in asked}
        return validate(Curriculum, settings | {"epochs": epochs, "pace_G": tuple(pace_G)}, where)
    if asked.get("use") == "turns":
        return validate(Turns, {"pace_G": tuple(pace_G)}, where)
    near = did_you_mean(str(asked.get("use")), ["redraw", "curriculum", "turns"])
    raise ConfigError(f"{where}.use: there is no rule '{asked.get('use')}'{near}")
