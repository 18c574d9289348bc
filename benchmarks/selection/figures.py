"""From the runs to the figures of the docs: losses by frequency, differences, the gain recovered and the data
multiplier.
"""

from collections.abc import Sequence

import numpy as np

from selection.bootstrap import interval, resampled
from selection.protocol import Protocol, Runs

# name, least count in all training rows
BANDS = (("0", 0), ("1", 1), ("2–9", 2), ("10–99", 10), ("100–999", 100), ("1000+", 1000))
METRICS = ("log_loss", "key_loss", "error")
VERSUS = (
    ("zipf", "rs2"), ("zipf_weighted", "rs2"), ("mixed", "rs2"), ("zipf_redrawn", "rs2"),
    ("zipf", "placebo"), ("zipf_weighted", "placebo_weighted"), ("mixed", "placebo_weighted"),
)  # fmt: skip


def gain(random: np.ndarray, arm: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Share of what the other rows are worth that selection recovers: 1 is the loss of all rows, 0 that of
    random ones.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return (random - arm) / (random - full)


def multiplier(losses_Q: Sequence[float], shares_Q: Sequence[float], loss: float, share: float) -> float:
    """Random rows needed to reach `loss`, per row of an arm that keeps `share`; random's losses at ascending
    shares, the last all rows.

    Interpolated in log loss over log rows. Held within the curve: 1/share where even all rows do not reach
    it, and the least share over `share` where fewer random rows than were tried would do.
    """
    curve: list[tuple[float, float]] = []
    for random, q in zip(losses_Q, shares_Q, strict=True):
        if not curve or np.log(random) < curve[-1][0]:  # a larger share that is no better is never needed
            curve.append((float(np.log(random)), float(np.log(q))))
    x, y = np.array(curve[::-1]).T
    return float(np.exp(np.interp(np.log(loss), x, y)) / share)


def report(protocol: Protocol, runs: Runs) -> dict:
    """Everything that the docs say of one task, as plain numbers."""
    task = protocol.task
    pairs = list(runs.loss)
    index = {pair: i for i, pair in enumerate(pairs)}
    count_K = np.bincount(task.key_N)
    seen_K = np.where(protocol.keys < len(count_K), count_K[np.minimum(protocol.keys, len(count_K) - 1)], 0)
    band_K = np.searchsorted([least for _, least in BANDS], seen_K, side="right") - 1
    weight_K = np.bincount(protocol.place_M, protocol.weight_M)
    stacked = {
        "log_loss": (np.stack([runs.loss[pair] for pair in pairs]), weight_K),
        "key_loss": (np.stack([runs.loss[pair] / weight_K for pair in pairs]), np.ones(len(weight_K))),
        "error": (np.stack([runs.error[pair] for pair in pairs]), weight_K),
    }
    mean, banded = {}, {}
    for metric, (total_ASK, of_K) in stacked.items():
        number_RGA, of_RG = resampled(total_ASK, of_K, band_K, len(BANDS), seed=1)
        mean[metric] = number_RGA.sum(axis=1) / of_RG.sum(axis=1)[:, None]
        with np.errstate(invalid="ignore"):
            banded[metric] = number_RGA / of_RG[:, :, None]

    full = index.get(("full", 1.0))
    table: dict[str, dict] = {}
    for (arm, share), i in index.items():
        random = index["random", share] if arm != "full" else None
        entry: dict = {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in runs.facts[arm, share].items()
        }
        for metric in METRICS:
            entry[metric] = interval(mean[metric][:, i])
            by_seed = stacked[metric][0][i].sum(axis=1) / stacked[metric][1].sum()
            entry[metric + "_seeds"] = [round(float(x), 5) for x in by_seed]
            if random is not None:
                entry[metric + "_against_random"] = interval(mean[metric][:, i] - mean[metric][:, random])
        entry["bands"] = {}
        for g, (band, _) in enumerate(BANDS):
            if not (band_K == g).any():
                continue
            figures = {metric: round(float(banded[metric][0, g, i]), 5) for metric in METRICS}
            if random is not None:
                for metric in ("log_loss", "key_loss"):
                    figures[metric + "_against_random"] = interval(
                        banded[metric][:, g, i] - banded[metric][:, g, random]
                    )
            entry["bands"][band] = figures
        table.setdefault(str(share), {})[arm] = entry

    headline: dict = {"gain": {}, "full_against_random": {}, "multiplier": {}, "versus": {}}
    for share in protocol.shares:
        arms = [arm for arm, q in pairs if q == share]
        random = index["random", share]
        if full is not None:
            for metric in ("log_loss", "key_loss"):
                values_RA = mean[metric]
                gains = {
                    a: interval(
                        gain(values_RA[:, random], values_RA[:, index[a, share]], values_RA[:, full]), 3
                    )
                    for a in arms
                }
                del gains["random"]
                headline["gain"].setdefault(metric, {})[str(share)] = gains
                against = interval(values_RA[:, full] - values_RA[:, random])
                headline["full_against_random"].setdefault(metric, {})[str(share)] = against
                curve = [index["random", q] for q in protocol.shares] + [full]
                shares = [*protocol.shares, 1.0]
                times = {
                    a: interval(
                        np.array(
                            [multiplier(row[curve], shares, row[index[a, share]], share) for row in values_RA]
                        ),
                        2,
                    )
                    for a in arms
                    if a != "random"
                }
                headline["multiplier"].setdefault(metric, {})[str(share)] = times
        headline["versus"][str(share)] = {
            f"{one} − {other}": {
                m: interval(mean[m][:, index[one, share]] - mean[m][:, index[other, share]])
                for m in ("log_loss", "key_loss")
            }
            for one, other in VERSUS
            if (one, share) in index and (other, share) in index
        }
    bands = {
        band: {
            "keys": int((band_K == g).sum()),
            "share": round(float(weight_K[band_K == g].sum() / weight_K.sum()), 4),
        }
        for g, (band, _) in enumerate(BANDS)
    }
    return {
        "task": task.name, "rows": len(task.key_N), "keys": len(count_K),
        "test_rows": round(float(protocol.weight_M.sum())),
        "test_keys": len(protocol.keys), "batch": task.batch, "epochs": task.epochs, "lrs": list(task.lrs),
        "shares": protocol.shares,
        "seeds": protocol.seeds, "training_minutes": round(runs.seconds / 60, 1), "test_bands": bands,
        "pilot": runs.pilot, "headline": headline, "arms": table,
    }  # fmt: skip
