"""Claim: what selection does for clicks, of which the training days hold 71 among 12 000 impressions.

    python benchmarks/selection_bandit.py [--quick] [--data ../shared/data]

The key is the user's segment, and once more the item.
The protocol is that of benchmarks/selection/protocol.py; docs/selection_proof.md reads the results.
"""

from pathlib import Path

from selection.bandit import load as bandit
from selection.script import SHARES, main


def load(data: Path, quick: bool) -> list:
    shares = SHARES[-1:] if quick else SHARES
    return [(bandit(data, by), shares) for by in ("segment", "item_id")]


if __name__ == "__main__":
    main(__doc__, "bandit", load)
