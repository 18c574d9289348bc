"""The pipeline that is shipped with the package, to be written where a user works: names, with its yearly
files.
"""

import shutil
from pathlib import Path

import lsml_spark
from lsml_spark.core.errors import ConfigError, EnvironmentProblem

YAML = "names.yaml"
DATA = Path("data", "names")
NIGHT = "1994-12-31"


def folder() -> Path:
    """Where the example lies: in the package of a wheel, in pipelines/ of a checkout. EnvironmentProblem
    where neither is.
    """
    package = Path(lsml_spark.__file__).parent
    for place in (package / "example", package.parent / "pipelines"):
        if (place / YAML).is_file():
            return place
    raise EnvironmentProblem(
        f"{package / 'example'}: this installation has no example; install lsml_spark from its wheel"
    )


def write(path: Path) -> Path:
    """Copy the YAML to `path` and its data into `data/names` beside it. ConfigError where either is there
    already.
    """
    data = path.parent / DATA
    for place in (path, data):
        if place.exists():
            raise ConfigError(f"{place} exists already; name another place with --out")
    shutil.copytree(folder() / DATA, data)
    shutil.copyfile(folder() / YAML, path)
    return path
