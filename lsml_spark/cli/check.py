"""`lsml check`: is this pipeline's YAML right? Every section, every expression; no day is read."""

import importlib.util

from lsml_spark.cli.options import RUNS, Config, Set, opened
from lsml_spark.core.stages import STAGES
from lsml_spark.flow import checked, screens
from lsml_spark.flow.guard import guarded


def check(config: Config = None, overrides: Set = None) -> None:
    """Check a pipeline's YAML without reading a day: sections, checks, patterns, and all SQL against the
    contract; exit code 2 names the first mistake."""
    with guarded():
        pipeline, _ = opened(config, RUNS, overrides)
        problems = checked.sections(
            pipeline, [stage for stage in ("quality", "prepare") if pipeline.writes(stage)]
        )
        with_spark = importlib.util.find_spec("pyspark") is not None
        columns = checked.analyse(pipeline, problems) if with_spark else {}
        console = screens.console()

        def say(line: str) -> None:
            console.print(line, soft_wrap=True, markup=False, highlight=False)

        say(f"{pipeline.path}: {len(problems)} sections are right: {', '.join(problems) or 'none'}")
        left = [stage for stage in STAGES if pipeline.writes(stage) and stage not in problems]
        if left:
            say(f"not looked at, for their packages are not installed here: {', '.join(left)}")
        if not with_spark:
            say("SQL, types and patterns were not looked at, for pyspark is not installed here")
        words = {
            "clean": "quality: clean rows have",
            "samples": "prepare.sql: gives",
            "selected": "select: keeps them with",
        }
        for table, names in columns.items():
            shown = list(names) if len(names) <= 12 else [*names[:12], f"and {len(names) - 12} more"]
            say(f"{words[table]} {', '.join(shown)}")
