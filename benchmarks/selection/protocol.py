"""Every arm alike: the same number of steps, the same trials of the learning rate, the same seeds.

At keep share q an arm takes T(q) = ⌈epochs · q · rows / batch⌉ steps over the rows that it keeps.
`full_fewer` takes T(q) steps over all rows; `full` takes T(1), 1/q times as much: it is the reference that
selection is to come near to. Learning rates are tuned per arm and share on the dev set, with a seed of their
own. Finished fits are kept in a scratch folder, so a run goes on.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from lsml_spark.core import seeds as randomness
from lsml_spark.select.policies.policy import effective_sample_size
from selection.arms import OTHERS, POLICIES, Draw, draw, uniforms
from selection.task import Task

TUNING_SEED = 1000
PILOT_SHARE = 0.1  # of the first half of the window


@dataclass
class Runs:
    """Per (arm, share): sums over the test rows of each key, (seeds, keys), and how the fits went. `full` has
    share 1.
    """

    loss: dict[tuple[str, float], np.ndarray] = field(default_factory=dict)
    error: dict[tuple[str, float], np.ndarray] = field(default_factory=dict)
    facts: dict[tuple[str, float], dict] = field(default_factory=dict)
    pilot: dict = field(default_factory=dict)
    seconds: float = 0.0  # of training, all fits together


def arms_of(task: Task) -> list[str]:
    """All arms of the protocol, `random` first; boundary with an offset where there are two labels."""
    arms = ["random", "rs2", *POLICIES, *OTHERS[2:]]
    return [arm for arm in arms if arm != "boundary_offset" or task.binary]


def steps_of(task: Task, share: float) -> int:
    """T(q), the same for every arm at q."""
    return int(np.ceil(task.epochs * share * len(task.key_N) / task.batch - 1e-9))


def visits(rows: Draw, length: int, seed: int) -> np.ndarray:
    """`length` row ids: the epochs' rows, each epoch shuffled anew, cut at the last step."""
    parts, total, epoch = [], 0, 0
    while total < length:
        part = randomness.generator(seed, "order", epoch).permutation(rows.rows_of(epoch))
        parts.append(part)
        total, epoch = total + len(part), epoch + 1
    return np.concatenate(parts)[:length]


class Protocol:
    """One task's fits. `scratch`: a folder for finished fits, of these settings alone."""

    def __init__(
        self,
        task: Task,
        shares: Sequence[float],
        seeds: Sequence[int],
        scratch: Path,
        arms: Sequence[str] | None = None,
    ):
        self.task, self.shares, self.seeds = task, sorted(shares), list(seeds)
        self.arms = list(arms or arms_of(task))
        settings = [
            task.name,
            len(task.key_N),
            int(task.key_N.sum()),
            int(task.test_key_M.sum()),
            task.batch,
            task.epochs,
        ]
        self.scratch = (
            scratch
            / f"{task.name}-{hashlib.blake2b(json.dumps(settings).encode(), digest_size=5).hexdigest()}"
        )
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.keys, self.place_M = np.unique(task.test_key_M, return_inverse=True)
        self.weight_M = np.ones(len(task.test_key_M)) if task.test_weight_M is None else task.test_weight_M
        self.runs = Runs()
        self.pilot_lr = 0.0
        self.own = lru_cache(maxsize=1)(self._own)

    def run(self) -> Runs:
        """Seeds outermost, so a pilot's scores serve all shares of a seed."""
        started = time.monotonic()
        todo = [(arm, share) for arm in self.arms if arm != "full" for share in self.shares] + [
            ("full", 1.0)
        ] * ("full" in self.arms)
        lrs: dict[tuple[str, float], tuple[float, dict]] = {}
        for arm, share in todo:
            lrs[arm, share] = self.tuned(arm, share)
            if arm == "random" and share == self.shares[0]:
                self.pilot_lr = lrs[arm, share][0]
        found: dict[tuple[str, float], list[dict]] = {pair: [] for pair in todo}
        for seed in self.seeds:
            for arm, share in todo:
                found[arm, share].append(self.tested(arm, share, seed, lrs[arm, share][0]))
            print(f"{self.task.name}: seed {seed} done after {time.monotonic() - started:.0f} s", flush=True)
        for pair, fits in found.items():
            self.runs.loss[pair] = np.stack([fit["loss"] for fit in fits])
            self.runs.error[pair] = np.stack([fit["error"] for fit in fits])
            facts = {name: float(np.mean([fit[name] for fit in fits])) for name in ("rows", "ess", "seconds")}
            self.runs.seconds += facts["seconds"] * len(fits)
            self.runs.facts[pair] = facts | {
                "steps": steps_of(self.task, pair[1]),
                "lr": lrs[pair][0],
                "trials": lrs[pair][1],
            }
        if (self.scratch / "pilot.json").exists():
            self.runs.pilot = json.loads((self.scratch / "pilot.json").read_text())
        return self.runs

    def tuned(self, arm: str, share: float) -> tuple[float, dict[float, float]]:
        """The learning rate with the least dev loss, and every trial's; one that diverges loses."""
        weight_D, trials = self.task.dev_weight_D, {}
        for lr in self.task.lrs:
            path = self.scratch / f"trial-{arm}-{share}-{lr}.json"
            if not path.exists():
                model, facts = self.fit(arm, share, TUNING_SEED, lr)
                loss = float(np.average(self.task.losses(model, "dev")[0], weights=weight_D))
                path.write_text(json.dumps({"loss": loss, "seconds": facts["seconds"]}))
            trial = json.loads(path.read_text())
            trials[lr] = trial["loss"]
            self.runs.seconds += trial["seconds"]
        return min(trials, key=lambda lr: (np.isnan(trials[lr]), trials[lr])), trials

    def tested(self, arm: str, share: float, seed: int, lr: float) -> dict:
        """Sums of the test losses and errors by key, and the facts of the fit."""
        path = self.scratch / f"{arm}-{share}-{seed}-{lr}.npz"
        if not path.exists():
            model, facts = self.fit(arm, share, seed, lr)
            loss_M, error_M = self.task.losses(model, "test")
            sums = {
                name: np.bincount(self.place_M, self.weight_M * x)
                for name, x in (("loss", loss_M), ("error", error_M))
            }
            np.savez(path, **sums, **facts)
        with np.load(path) as stored:
            return dict(stored)

    def fit(self, arm: str, share: float, seed: int, lr: float) -> tuple[object, dict[str, float]]:
        """The model of an arm, and: rows kept, effective sample size as a share of them, seconds of
        training.
        """
        chosen = draw(arm, self.task.key_N, share, seed, lambda: self.own(seed))
        kept = chosen.rows_of(0)
        rows_T = visits(chosen, steps_of(self.task, share) * self.task.batch, seed)
        ess = (
            1.0
            if chosen.weight_N is None
            else effective_sample_size(chosen.weight_N[kept], np.ones(len(kept))) / len(kept)
        )
        started = time.monotonic()
        if chosen.offset_N is not None:
            model = self.task.fit_offset(rows_T, chosen.offset_N, lr, seed)
        else:
            # Of mean 1: the loss of a step does not see the scale, but a smoothed label prior does, which
            # adds half a row to every label.
            weight_N = None if chosen.weight_N is None else chosen.weight_N / chosen.weight_N[kept].mean()
            model = self.task.fit(rows_T, weight_N, lr, seed)
        return model, {"rows": len(kept), "ess": ess, "seconds": time.monotonic() - started}

    def _own(self, seed: int) -> np.ndarray:
        """p̃ of every training row, from a pilot on a tenth of the window's first half: stands for the model
        promoted before.

        It visits its rows as often as the arms visit theirs, with the learning rate of `random` at the least
        share.
        """
        task, started = self.task, time.monotonic()
        half = len(task.key_N) // 2
        rows = np.flatnonzero(uniforms(half, seed, -1) < PILOT_SHARE)
        steps = int(np.ceil(task.epochs * len(rows) / task.batch))
        pool = Draw(lambda epoch: rows, np.ones(0))
        model = task.fit(visits(pool, steps * task.batch, seed), None, self.pilot_lr, seed)
        trained = time.monotonic() - started
        own_N = task.own_probability(model, np.arange(len(task.key_N)))
        scored = time.monotonic() - started - trained
        facts = {
            "rows": len(rows),
            "steps": steps,
            "seconds": round(trained, 2),
            "scoring_seconds": round(scored, 2),
        }
        (self.scratch / "pilot.json").write_text(json.dumps(facts))
        return own_N
