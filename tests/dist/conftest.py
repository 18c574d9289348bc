"""The toy stage folders of tests/data serve here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

import torch

torch.set_num_threads(1)  # as the ranks do
