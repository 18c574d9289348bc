"""Claim: half of the basket lines, chosen by how often an item was sold, teaches more about rare items than a
random half does.

    python benchmarks/selection_retail.py [--quick] [--data ../shared/data]

82 000 lines of 60 trading days, tested on 10 later ones.
The protocol is that of benchmarks/selection/protocol.py; docs/selection_proof.md reads the results.
"""

from pathlib import Path

from selection.retail import load as retail
from selection.script import SHARES, main


def load(data: Path, quick: bool) -> list:
    return [(retail(data), SHARES[-1:] if quick else SHARES)]


if __name__ == "__main__":
    main(__doc__, "retail", load)
