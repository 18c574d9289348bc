"""Claim: half of the papers, chosen by the size of their category, teaches more about small categories than a
random half does.

    python benchmarks/selection_arxiv.py [--quick] [--data ../shared/data]

9 500 papers, tested on the 5 600 of the next half-year.
The protocol is that of benchmarks/selection/protocol.py; docs/selection_proof.md reads the results.
"""

from pathlib import Path

from selection.arxiv import load as arxiv
from selection.script import SHARES, main


def load(data: Path, quick: bool) -> list:
    return [(arxiv(data), SHARES[-1:] if quick else SHARES)]


if __name__ == "__main__":
    main(__doc__, "arxiv", load)
