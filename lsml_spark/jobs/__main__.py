"""`python -m lsml_spark.jobs STAGE --config … --date …`, also by torchrun: `torchrun … -m lsml_spark.jobs
train …`.

spark-submit wants a file: `spark-submit "$(python -m lsml_spark.jobs --path)" quality --config … --date …`.
Nothing else may lie in this folder: a script's own is the first place where Python looks for modules.
"""

import sys

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.stages import STAGES
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.job import main


def stage_of(words: list[str]) -> str:
    """The stage that the first word names. ConfigError where it names none."""
    if not words or words[0] not in STAGES:
        named = words[0] if words else ""
        raise ConfigError(
            f"there is no stage '{named}'{did_you_mean(named, STAGES)}"
            if words
            else f"say which stage: {', '.join(STAGES)}"
        )
    return words[0]


if __name__ == "__main__":
    if sys.argv[1:] == ["--path"]:
        print(__file__)
        sys.exit()
    with guarded():
        stage = stage_of(sys.argv[1:])
    del sys.argv[1]
    main(stage)
