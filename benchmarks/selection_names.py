"""Claim: half of the births, chosen by how often a name was seen, teach as much about first names as all of
them.

    python benchmarks/selection_names.py [--quick] [--data ../shared/data]

Hashed n-grams with one pass and with three passes over the rows kept of 2 M births, and a character GRU with
three passes over 60 000 (at ½, fewer arms). The protocol is that of benchmarks/selection/protocol.py;
docs/selection_proof.md reads the results.
"""

from pathlib import Path

from selection.names import Ngrams, births
from selection.names_gru import Gru
from selection.script import SHARES, main

GRU_ARMS = ("random", "rs2", "zipf", "zipf_redrawn", "placebo", "full")


def load(data: Path, quick: bool) -> list:
    drawn = births(data, 100_000 if quick else 2_000_000)
    fewer = births(data, 10_000 if quick else 60_000)
    return [
        (Ngrams.of("names_ngrams_1_pass", drawn, batch=512, epochs=1.0, lrs=(0.15, 0.25, 0.4, 0.65)), SHARES),
        (
            Ngrams.of("names_ngrams_3_passes", drawn, batch=1024, epochs=3.0, lrs=(0.15, 0.25, 0.4, 0.65)),
            SHARES,
        ),
        (Gru.of("names_gru", fewer, batch=128, epochs=3.0, lrs=(0.01, 0.02, 0.03)), SHARES[3:], GRU_ARMS),
    ]


if __name__ == "__main__":
    main(__doc__, "names", load)
