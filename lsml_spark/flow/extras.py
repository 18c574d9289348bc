"""What a stage needs beside the package's core, looked for before a night begins and not after an hour of
it.
"""

import importlib.util
from collections.abc import Sequence

from lsml_spark.core.errors import ConfigError
from lsml_spark.core.stages import BY_NAME, PACKAGES


def check(stages: Sequence[str]) -> None:
    """ConfigError names the extra that a stage lacks. Nothing is imported: torch takes seconds."""
    for stage in stages:
        extra = BY_NAME[stage].extra
        lacking = [name for name in PACKAGES.get(extra, ()) if not _installed(name)]
        if lacking:
            raise ConfigError(
                f"stage {stage} needs the package '{lacking[0]}', which is not installed here: pip install "
                f"'lsml_spark[{extra}]'; "
                f"or let another host run it, and this one what comes before (--until)"
            )


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # a package that is half there, or blocked
        return False
