"""A long-tailed cut of MNIST: image → digit. Key = label = digit, 5 000 zeros down to 50 nines (exponential,
ratio 100).

A perceptron with one hidden layer. MNIST has no dates: the training file is shuffled once and cut into train
and dev, and the test file stands for the next window, 892 images of each digit. `test_weight_M` weighs them
as in training, so the weighted mean is the average loss under the training distribution (a long-tailed cut of
the test would leave ten nines), and the mean over keys is the balanced loss.
"""

import gzip
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lsml_spark.core import seeds
from selection.classifier import ClassifierTask
from selection.descent import descend, log_prior
from selection.protocol import Protocol
from selection.task import Task

HEAD, RATIO = 5000, 100
CUT = 1993  # seed of the cut: the data set is the same for every arm and seed


class Perceptron(nn.Module):
    """One hidden layer."""

    def __init__(self, prior_C: np.ndarray):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 128), nn.ReLU(), nn.Linear(128, 10))
        with torch.no_grad():
            self.body[-1].bias.copy_(torch.from_numpy(prior_C))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.body(pixels)


class ByImage(Protocol):
    """Test images in the place of keys when the bootstrap resamples: ten keys are too few to say how keys
    vary.

    There are as many images of each digit, so the plain mean over images is the mean over digits.
    """

    def __init__(self, task: Task, *settings: Any, **more: Any):
        super().__init__(task, *settings, **more)
        self.keys, self.place_M = task.test_key_M, np.arange(len(task.test_key_M))


class Mnist(ClassifierTask):
    """See the module's text."""

    pixels: np.ndarray  # (rows, 1, 28, 28) uint8: train, dev, test

    def fit(self, rows_T: np.ndarray, weight_N: np.ndarray | None, lr: float, seed: int) -> Perceptron:
        torch.manual_seed(seeds.derive(seed, "model") & 0x7FFFFFFF)
        network = Perceptron(log_prior(self.label_N, rows_T, weight_N, self.classes))
        optimizer = torch.optim.Adam(network.parameters(), lr=lr)
        descend(network, optimizer, partial(self.logits, network), self.label_N, rows_T, weight_N, self.batch)
        return network

    def logits(self, network: Perceptron, rows_B: np.ndarray) -> Tensor:
        return network(torch.from_numpy(self.pixels[rows_B]).float() / 255 - 0.13)


def load(data: Path) -> Mnist:
    """The task, from the folder that holds the four idx files."""
    folder = data / "mnist"
    images, digits = read(folder / "train-images-idx3-ubyte.gz"), read(folder / "train-labels-idx1-ubyte.gz")
    test_images, test_digits = (
        read(folder / "t10k-images-idx3-ubyte.gz"),
        read(folder / "t10k-labels-idx1-ubyte.gz"),
    )
    generator = np.random.default_rng([CUT])
    wanted_C = np.round(HEAD * RATIO ** (-np.arange(10) / 9)).astype(int)
    shuffled = generator.permutation(len(digits))
    place = np.empty(len(digits), dtype=int)  # of a row among those of its digit
    for digit in range(10):
        mine = shuffled[digits[shuffled] == digit]
        place[mine] = np.arange(len(mine))
    train = shuffled[place[shuffled] < wanted_C[digits[shuffled]]]
    dev_C = wanted_C // 6  # as long-tailed as the training rows
    dev = shuffled[
        (place[shuffled] >= wanted_C[digits[shuffled]])
        & (place[shuffled] < (wanted_C + dev_C)[digits[shuffled]])
    ]
    test = np.sort(
        np.concatenate(
            [np.flatnonzero(test_digits == digit)[: np.bincount(test_digits).min()] for digit in range(10)]
        )
    )
    test_images, test_digits = test_images[test], test_digits[test]
    label = np.concatenate([digits[train], digits[dev], test_digits]).astype(np.int64)
    task = Mnist.of(
        "mnist", label, label, len(train), len(dev), batch=64, epochs=5.0, lrs=(0.003, 0.006, 0.012, 0.024)
    )
    task.pixels = np.concatenate([images[train], images[dev], test_images])[:, None]
    task.test_weight_M = (10 * wanted_C / wanted_C.sum())[test_digits]
    return task


def read(path: Path) -> np.ndarray:
    """An idx file of bytes, in its own shape."""
    raw = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
