"""Facts of zipf and select by hand, as docs/reference.md draws profile.json and selection.json."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def law_facts(spectrum: Mapping[int, int]) -> dict[str, Any]:
    """What the profile says of the law beyond counts and coverage."""
    rows = sum(frequency * keys for frequency, keys in spectrum.items())
    sizes = np.unique(np.geomspace(1, rows, 30).round())
    keys = sum(spectrum.values())
    return {
        "hapax_share": spectrum[1] / keys,
        "tests": {
            "lognormal": {"ratio": -2.797, "p": 0.005157, "favoured": "lognormal"},
            "cutoff": {"ratio": -11.5975, "p": 1e-6, "favoured": "cutoff"},
        },
        "mandelbrot": {"s": 1.3521, "q": 20.4, "c": 57_407.0},
        "forecast": [[0.5, 125.6, 15.1], [1.0, 295.0, 55.3], [2.0, 512.8, 87.5]],
        "heaps": {
            "curve": [[int(n), round(float(keys * (n / rows) ** 0.62), 3)] for n in sizes],
            "exponent": 0.62,
        },
        "sampled": None,
    }


def shift_facts(key: str = "22086", evil: str = "") -> dict[str, Any]:
    return {
        "since": f"2011-02-24{evil}",
        "entered": {"keys": 61, "share": 0.0123},
        "left": {"keys": 44, "share": 0.0091},
        "distance": 0.0342,
        "movers": [
            [key, 0.0021, 0.0103],
            ["84879", 0.0, 0.0042],
            ["22960", 0.0031, 0.0],
            ["21212", 0.0104, 0.0098],
        ],
    }


SAMPLED = {
    "one_in": 100,
    "head": 1000,
    "keys_counted": 12_345,
    "rows_counted": 4_500_000,
    "rows_estimated": 5_012_000,
    "errors": {"rows": 20_100.0, "keys": 1234.0, "unseen_mass": 0.00021},
}


def selection_facts(
    rows: int, kept: int, by_frequency: list[list[float]], key: str = "85123A"
) -> dict[str, Any]:
    """selection.json in full, with a pilot that gained."""
    weights = [
        [round(2 ** (step / 4), 6), round(2 ** ((step + 1) / 4), 6), kept // 2 >> step]
        for step in range(8)
        if step != 5
    ]
    return {
        "policy": {"use": "zipf", "beta": 0.5, "objective": "average", "protect": ["new", "poor"]},
        "budget": kept + 4,
        "budget_asked": "2h on 8 workers",
        "unbiased": "sums over the kept rows, each times its weight 1/π, are unbiased for sums over all rows",
        "rows_in": rows,
        "rows_kept": kept,
        "expected": kept + 3.7,
        "ess": kept * 0.91,
        "level": 3,
        "by_frequency": by_frequency,
        "weights": weights,
        "dropped_keys": [
            [key, 450, 182],
            *([f"{22000 + rank}", 440 - 6 * rank, 180 - rank] for rank in range(1, 30)),
        ],
        "protected": {"new": {"keys": 61, "rows": 140}, "poor": {"keys": 12, "rows": 301}},
        "coarse_below": 2,
        "epochs": None,
        "pilot": {
            "date": "2011-02-20",
            "rows": 12_000,
            "beta": 0.314,
            "beta_interval": [0.24, 0.39],
            "bands": {"1": 1.31, "2–9": 1.12, "10–99": 0.97, "100+": 0.71},
            "arms": {
                "random": arm(12_000, 6.812, 0.201, [9.4, 8.31, 6.92, 5.41]),
                "selected": arm(12_000, 6.771, 0.209, [9.21, 8.18, 6.88, 5.43]),
                "full": arm(24_000, 6.766, 0.211, [9.2, 8.16, 6.87, 5.38]),
            },
            "gain_recovered": 0.891,
            "against_random": 0.041,
        },
    }


def arm(rows: int, loss: float, recall: float, bands: list[float]) -> dict[str, Any]:
    return {
        "rows": rows,
        "log_loss": loss,
        "recall": recall,
        "bands": dict(zip(("1", "2–9", "10–99", "100+"), bands, strict=True)),
    }
