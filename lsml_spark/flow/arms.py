"""Arms: the night's own stages again under other settings, each arm in a folder beside them.

Whatever compares settings (a pilot's shares, a search's trials, the folds of a cross-validation) runs the
stages themselves, so an arm is trained exactly as a night is.
"""

import datetime
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lsml_spark.core.work import Source
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.log import say
from lsml_spark.flow.night import run_stage
from lsml_spark.flow.pipeline import Pipeline
from lsml_spark.flow.produce import Night


@dataclass(frozen=True)
class ArmRuns(Runs):
    """The runs as an arm sees them: its `own` stages of the night lie in its folder, all others where they
    are.
    """

    date: datetime.date
    arm: Path  # below the night's folder
    own: tuple[str, ...]

    def stage(self, date: datetime.date, stage: str) -> Path:
        inside = date == self.date and stage in self.own
        return self.folder / date.isoformat() / self.arm / stage if inside else super().stage(date, stage)


def run(
    night: Night, kind: str, arm: str, stages: Sequence[str], overrides: Sequence[str]
) -> dict[str, Source]:
    """The finished folders of `stages` under `overrides` (as `--set` takes them); what is done already stays
    as it is.

    `kind` (pilot, tune, …) names the folder `.kind/arm` and the lines on the screen.
    """
    say(night.date, kind, f"arm {arm}")
    pipeline = Pipeline(night.pipeline.path, [*night.pipeline.overrides, *overrides])
    runs = ArmRuns(night.runs.root, night.runs.pipeline, night.date, Path(f".{kind}", arm), tuple(stages))
    one = replace(night, pipeline=pipeline, runs=runs)
    return {stage: run_stage(one, stage)[0] for stage in stages}


def clear(night: Night, kind: str) -> None:
    """Remove the folders of all arms of this kind."""
    shutil.rmtree(night.runs.folder / night.date.isoformat() / f".{kind}", ignore_errors=True)
