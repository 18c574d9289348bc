"""No space left: one line, exit code 7, and the night goes on where it stopped once there is room."""

import shutil
import subprocess

import pytest
from nights import identities, lsml

pytestmark = pytest.mark.spark
# the first: what a later night keeps depends on those before it
NIGHT = ("run", "--date", "2011-01-13", "--until", "shard")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with very little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a tmpfs: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_loses_nothing(small_disk, finished, tmp_path):
    result = lsml(*NIGHT, root=small_disk)
    errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert result.exit_code == 7, result.output
    assert len(errors) == 1
    assert "no space left" in errors[0]
    roomy = shutil.copytree(small_disk, tmp_path / "roomy")
    assert lsml(*NIGHT, root=roomy).exit_code == 0
    stages = ("quality", "prepare", "zipf", "select", "augment", "features", "shard")
    assert identities(roomy, "2011-01-13") == identities(finished, "2011-01-13", stages)
    assert lsml("verify", root=roomy).exit_code == 0
