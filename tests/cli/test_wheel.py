"""The wheel works away from the checkout: commands, jobs and an example."""

import email
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
SHIPPED = (
    "lsml_spark",
    "pipelines",
    "jobs",
    "setup.cfg",
    "setup.py",
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
)


def python(*words: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that the checkout gets no build folder."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        if (REPO / name).is_dir():
            shutil.copytree(
                REPO / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        else:
            shutil.copy(REPO / name, copy)
    built = python(
        "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", out, ".", cwd=copy
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder to be put on PYTHONPATH, far from the checkout."""
    target = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(target)
    return target


def run(installed: Path, cwd: Path, *words: str | Path) -> subprocess.CompletedProcess:
    return python("-P", *words, cwd=cwd, PYTHONPATH=str(installed))


def test_its_metadata_say_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        said = email.message_from_bytes(file.read(name))
    assert said["Name"].replace("-", "_") == "lsml_spark"
    assert said["Version"]
    assert said["Author"]
    assert "Train on what matters" in said["Summary"]
    assert "# lsml_spark" in said.get_payload()


def test_version_jobs_and_example_come_out_of_it(installed, tmp_path):
    where = run(installed, tmp_path, "-c", "import lsml_spark; print(lsml_spark.__file__)")
    assert where.stdout.startswith(str(installed))  # not the checkout, which this environment has too
    assert run(installed, tmp_path, "-m", "lsml_spark", "--version").stdout.startswith("lsml_spark 0.")
    example = run(installed, tmp_path, "-m", "lsml_spark", "init", "--example")
    assert example.returncode == 0, example.stderr
    assert (tmp_path / "pipelines/data/names/1990-12-31.csv.gz").is_file()
    status = run(installed, tmp_path, "-m", "lsml_spark", "status", "pipelines/names.yaml")
    assert "holds no nights yet" in status.stderr


def test_its_jobs_run_as_a_module_and_as_a_file(installed, tmp_path):
    path = run(installed, tmp_path, "-m", "lsml_spark.jobs", "--path").stdout.strip()
    assert sorted(file.name for file in Path(path).parent.glob("*.py")) == ["__init__.py", "__main__.py"]
    for words in (["-m", "lsml_spark.jobs"], [path]):
        job = [*words, "train", "--config", "none.yaml", "--date", "2024-03-04"]
        done = run(installed, tmp_path, *job)
        assert (done.returncode, done.stderr) == (2, "error: none.yaml: no such file\n")
        unknown = run(installed, tmp_path, *words, "trian")
        assert unknown.returncode == 2
        assert "did you mean 'train'?" in unknown.stderr
