"""The toys of tests/data and tests/train serve here too, and the helpers beside the tests."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "data", HERE.parent / "train"):
    sys.path.insert(0, str(folder))

import torch

torch.set_num_threads(1)  # as the ranks do
