"""The toys of tests/data and tests/train serve here too, and the helpers beside the tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
sys.path.insert(0, str(Path(__file__).parent))

import pytest
import torch
from toy_jobs import Job

torch.set_num_threads(1)  # as the ranks do


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path / "job")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The weights of two ranks to which nothing happens."""
    quiet = Job(tmp_path_factory.mktemp("quiet") / "job")
    quiet.run(quiet.config())
    return quiet.weights()
