"""`lsml ready`: whether a raw day is there, without Spark; what a scheduler asks before a night."""

from lsml_spark.cli.options import RUNS, Config, Date, Root, Set, one_night
from lsml_spark.core.errors import NoRawDay, QualityGateError
from lsml_spark.flow import screens
from lsml_spark.flow.guard import guarded


def ready(date: Date, config: Config = None, overrides: Set = None, root: Root = RUNS) -> None:
    """Say whether the raw files of a day are there: exit code 0 where they are, 8 where they are not (yet).

    Nothing is read of them and nothing is written. A folder that Spark is still writing (`_temporary`), or
    that holds no part file, is not there yet; of a single file nobody can tell, so let it be moved into the
    raw folder whole.
    """
    with guarded():
        one = one_night(config, date, root, overrides)
        try:
            files = one.pipeline.raw_files(one.date)
        except QualityGateError as error:
            raise NoRawDay(f"{one.date} is not there yet: {error}") from error
        if not files:
            raise one.pipeline.raw_days.missing(one.date)
        count = "1 raw file" if len(files) == 1 else f"{len(files)} raw files"
        screens.console().print(
            f"{one.date}: {count}, {sum(path.stat().st_size for path in files):,} bytes", soft_wrap=True
        )
