"""Claim: half of a long-tailed MNIST, chosen by digit, teaches more than a random half drawn once does.

    python benchmarks/selection_mnist.py [--quick] [--data ../shared/data]

12 400 images, 5 000 zeros down to 50 nines.
The protocol is that of benchmarks/selection/protocol.py; docs/selection_proof.md reads the results.
"""

from pathlib import Path

from selection import script
from selection.mnist import ByImage
from selection.mnist import load as mnist
from selection.script import SHARES, main


def load(data: Path, quick: bool) -> list:
    return [(mnist(data), SHARES[-1:] if quick else SHARES)]


if __name__ == "__main__":
    script.Protocol = ByImage  # ten keys are too few to resample: the intervals are those of images
    main(__doc__, "mnist", load)
