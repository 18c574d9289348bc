"""`lsml pilot`: what would selection be worth tonight? Trains on random rows and on the selected ones,
compares, fits β.

Each arm is the night's own stages from select to evaluate in a folder beside them, from fresh weights; only
`select` differs. What was learnt stays as `runs/<pipeline>/<date>/pilot/`, for `zipf` with `beta: fitted` and
for the report; the arms are removed.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from lsml_spark.core.bands import KNOWN  # keys that were never seen have no curve
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.seeds import generator
from lsml_spark.core.stages import between, until
from lsml_spark.core.tables import read_table
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.flow import arms
from lsml_spark.flow.night import run_stage
from lsml_spark.flow.produce import Night, produce, refuse_failed
from lsml_spark.tasks.classify import Classify

BEFORE, ARM = until("zipf"), between("select", "evaluate")  # the night's own stages; those of each arm
RESAMPLES = 300


def run(night: Night) -> Source:
    """The pilot of a night, as it is where nothing has changed since; ConfigError where selection would keep
    every row.
    """
    night.pipeline.check(until("evaluate"))
    _refuse_numbers(night)
    own = {}
    for stage in BEFORE:
        own[stage], _ = run_stage(night, stage)
        refuse_failed(night, own[stage])
    del own["quality"]  # prepare's manifest names it
    sections = {stage: night.pipeline.resolved(stage) for stage in ARM}
    made, _ = produce(night, "pilot", own, (), sections, lambda work: _compare(night, work))
    arms.clear(night, "pilot")
    return made


def _refuse_numbers(night: Night) -> None:
    """A pilot measures how log loss falls with rows; other figures have no law that it could fit."""
    task = night.pipeline.general.task
    if not isinstance(task, Classify):
        raise ConfigError(
            f"{night.pipeline.path}: task.use: a pilot compares log losses of a choice among labels, and "
            f"`{task.use}` has none"
        )


def _compare(night: Night, work: Work) -> Outcome:
    rows = work.inputs["prepare"].manifest.tables["train"].rows
    selected = _train(night, "selected", {})
    kept = selected["select"].json("selection.json")["budget"]
    if not 0 < kept < rows:
        raise ConfigError(
            f"select.budget takes all {rows} rows of the window, so there is nothing to compare; set a "
            "smaller one"
        )
    shares = {"quarter": kept / rows / 2, "random": kept / rows, "full": 1.0}
    made = {
        name: _train(night, name, {"use": "uniform", "share": share}) for name, share in shares.items()
    } | {"selected": selected}
    scores = {name: _scores(stages["evaluate"]) for name, stages in made.items()}
    facts = learn(scores, shares, seed=work.seed)
    facts |= {
        "date": night.date.isoformat(),
        "rows": rows,
        "arms": {name: _figures(stages) for name, stages in made.items()},
    }
    return Outcome(
        Ledger(),
        files=[write_json(work.folder, "pilot.json", facts)],
        metrics={k: facts[k] for k in ("beta", "gain_recovered")},
    )


def _train(night: Night, arm: str, select: Mapping[str, Any]) -> dict[str, Source]:
    """The stages of one arm; `select` replaces the policy by a uniform share, where it is given."""
    overrides = ["train.warm_start=false"]
    if (
        not select
        and "pilot" in getattr(night.pipeline.config("select"), "needs", ())
        and not _earlier(night)
    ):
        # the first pilot has none to learn from
        overrides += ["select.policy.beta=0.5", "select.policy.errors=equal"]
    if select:
        section = {"policy": {"use": select["use"]}, "budget": select["share"], "weights": False}
        overrides += [f"select={json.dumps(section)}"]
    return arms.run(night, "pilot", arm, ARM, overrides)


def learn(scores: Mapping[str, pa.Table], shares: Mapping[str, float], seed: int) -> dict[str, Any]:
    """β with its interval, errors per band, and the gain of `selected` over `random`, from (key, train_rows,
    log_prob) of each arm.

    All arms score the same rows in the same order. Intervals: 2.5 and 97.5 % of a bootstrap over keys.
    """
    from lsml_spark.select import learning

    rows_N = scores["full"]["train_rows"].to_numpy()
    loss_AN = {name: -table["log_prob"].to_numpy() for name, table in scores.items()}
    key_N = np.unique(scores["full"]["key"].to_numpy().astype(str), return_inverse=True)[1]
    random = generator(seed, "pilot", "bootstrap")
    weight_RN = [
        random.multinomial(key_N.max() + 1, np.full(key_N.max() + 1, 1 / (key_N.max() + 1)))[key_N]
        for _ in range(RESAMPLES)
    ]
    inside = {band: (rows_N >= low) & (rows_N <= (high or np.inf)) for band, (low, high) in KNOWN.items()}
    known = {band: mask for band, mask in inside.items() if len(np.unique(key_N[mask])) >= 10}
    share_S = np.array(list(shares.values()))

    def losses(weight_N: np.ndarray) -> np.ndarray:
        return np.array(
            [
                [np.average(loss_AN[arm][mask], weights=weight_N[mask] + 1e-12) for mask in known.values()]
                for arm in shares
            ]
        )

    loss_SB = losses(np.ones(len(key_N)))
    loss_RSB = np.array([losses(weight_N) for weight_N in weight_RN])
    deviation_SB = loss_RSB.std(axis=0) + 1e-9
    curve = learning.fit(share_S, loss_SB, deviation_SB)
    betas_R = [learning.fit(share_S, loss, deviation_SB).beta for loss in loss_RSB]
    typical_B = np.array([np.exp(np.log(rows_N[mask]).mean()) for mask in known.values()])
    error_B = learning.relative_errors(curve, typical_B)

    mean = {name: loss_N.mean() for name, loss_N in loss_AN.items()}
    against = loss_AN["random"] - loss_AN["selected"]
    against_R = [np.average(against, weights=weight_N) for weight_N in weight_RN]
    room = mean["random"] - mean["full"]
    fewer = [loss_AN[less] - loss_AN[more] for less, more in (("quarter", "random"), ("random", "full"))]
    # Where more random rows make a model that is surely worse, the training is at fault, and no arm's loss
    # tells of its rows.
    converged = all(
        _interval([np.average(gap, weights=weight_N) for weight_N in weight_RN])[1] >= 0 for gap in fewer
    )
    return {
        "converged": converged,
        "beta": round(curve.beta, 4),
        "beta_interval": _interval(betas_R),
        "bands": {band: round(float(error), 4) for band, error in zip(known, error_B, strict=True)},
        "errors": [
            [*KNOWN[band], round(float(error), 6)] for band, error in zip(known, error_B, strict=True)
        ],
        "against_random": round(float(against.mean()), 6),
        "against_random_interval": _interval(against_R),
        "gain_recovered": round(float((mean["random"] - mean["selected"]) / room), 4)
        if room > 0 and converged
        else None,
    }


def _interval(values: list[Any]) -> list[float]:
    return [round(float(value), 6) for value in np.percentile(values, [2.5, 97.5])]


def _scores(evaluate: Source) -> pa.Table:
    table = read_table(evaluate, "scores")
    own = table.filter(pa.array(table["system"].to_numpy() == "model"))
    return own.sort_by("sample_id").select(["key", "train_rows", "log_prob"])


def _figures(stages: Mapping[str, Source]) -> dict[str, Any]:
    model = stages["evaluate"].json("metrics.json")["systems"]["model"]
    bands = {band: model["bands"][band]["log_loss"] for band in KNOWN}
    return {
        "rows": stages["select"].manifest.tables["train"].rows,
        "log_loss": model["log_loss"],
        "recall": model["recall"],
        "bands": bands,
    }


def _earlier(night: Night) -> Source | None:
    return night.runs.source(night.date, "pilot") or night.history.latest("pilot")
