"""The train stage: shards to a model. Writes the spec, starts the ranks, and checks what they say they did.

The folder's weights depend on the rows, the config and the seed, not on the number of ranks (see
`train.lane_sums`) or on an interruption: a run that was killed goes on from its last checkpoint, bit for bit.
Imports no torch; the ranks do.
"""

import importlib.metadata
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from lsml_spark.core import seeds
from lsml_spark.core.config import digest
from lsml_spark.core.errors import ConfigError, IntegrityError, TrainingError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import checksum_of, describe
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.data.order.epochs import EveryRow, Rule, rule_of
from lsml_spark.data.order.plan import Plan, plan
from lsml_spark.data.read import OFFSET, Shards
from lsml_spark.train import spec
from lsml_spark.train.books.progress import passing
from lsml_spark.train.config import Config
from lsml_spark.train.prior import starting_outputs
from lsml_spark.train.spec import Spec
from lsml_spark.train.survival import launch as launchers
from lsml_spark.train.survival import results
from lsml_spark.train.survival.launch import Launcher
from lsml_spark.transforms.encode import read_encoders, read_json

__all__ = ["Config", "run"]

LOG = logging.getLogger("lsml")
SCRATCH = ".train"  # beside the stage folders: outlives a killed run, removed after a finished one
SELECTION = "selection.json"
# Of the config, what the weights do not depend on.
INDIFFERENT: Any = {"workers": True, "launcher": True, "survival": True, "data": {"reader"}}


def run(work: Work, config: Config, launch: Launcher | None = None) -> Outcome:
    """Inputs `shard`, `features`, `select` (for its rule of epochs) and `champion` (an earlier train folder)
    where there is one.

    `launch`: see `train/survival/launch.py`; without one, torchrun's own rank where torchrun started us, else
    processes of this host. TrainingError where a rank fails; IntegrityError where a shard does; ConfigError
    where ranks and lanes do not fit.
    """
    job = _tell(work, config)
    log = job.scratch / "train.log"

    def say(line: str) -> None:
        LOG.info(line, extra={"date": work.date.isoformat(), "stage": work.stage, "passing": passing(line)})

    def local(spec_path: Path, ranks: int, log_path: Path) -> None:
        launchers.local(spec_path, ranks, log_path, say, config.survival.restarts)

    launch = launch or (_in_process if "RANK" in os.environ else local)
    rows = work.inputs["shard"].manifest.tables["train"].rows
    if rows < config.batch:
        say(f"train.batch is {config.batch}, and there are {rows} training rows: every epoch is one step")
    path = job.scratch / "spec.json"
    spec.write(path, job)
    results.clear(job.scratch)
    try:
        launch(path, config.workers, log)
    except TrainingError as error:
        raise results.failure(job.scratch) or TrainingError(
            f"{_last_error(log) or error}; log: {log}"
        ) from error
    outcome = _finish(work, config, job)
    if job.champion and outcome.metrics["start"] is None:
        say(
            f"the model of {job.champion_date} has another architecture or other features, so training "
            "began from fresh weights"
        )
    shutil.rmtree(job.scratch)
    return outcome


def _tell(work: Work, config: Config) -> Spec:
    shard, features, champion = work.inputs["shard"], work.inputs["features"], work.inputs.get("champion")
    champion = champion if config.warm_start and _learned_the_same(champion, config) else None
    table = shard.manifest.tables["train"]
    if not table.rows:
        raise TrainingError(f"{shard.folder}: there are no training rows; look at the select stage")
    scratch = work.folder.parent / SCRATCH
    scratch.mkdir(exist_ok=True)
    encoders = features.file("encoders.json")
    prior = scratch / "prior.npy"
    known = read_encoders(encoders)
    if champion:  # hashed: what starts wrong stays wrong for nights
        champion.file("model.safetensors")
        champion.file("encoders.json")
    shards = Shards.of(shard.folder, table.files, [], known["label"], rows=table.rows)
    np.save(prior, starting_outputs(shards, known, config))
    rule = _rule(work, config)
    origin = None if champion else _origin(work, config)
    identity = {
        "config": config.model_dump(mode="json", exclude=INDIFFERENT),
        "seed": work.seed,
        "date": work.date.isoformat(),
        "inputs": [source.manifest.identity if source else None for source in (shard, features, champion)],
        "rule": rule.model_dump(mode="json"),
        "torch": importlib.metadata.version("torch"),
    } | ({"from": checksum_of(origin / "model.safetensors" if origin.is_dir() else origin)} if origin else {})
    return Spec(
        config=config,
        seed=seeds.derive(work.seed, "train", work.date),
        shards=shard.folder.resolve(),
        files=table.files,
        optional=[name for name in (OFFSET,) if name in table.columns],
        rule=rule,
        encoders=encoders.resolve(),
        prior=prior.resolve(),
        champion=champion.folder.resolve() if champion else None,
        champion_date=champion.manifest.date if champion else None,
        origin=origin.resolve() if origin else None,
        out=work.folder.resolve(),
        scratch=scratch.resolve(),
        identity=digest(identity),
    )


def _origin(work: Work, config: Config) -> Path | None:
    """The place that `train.from` names. ConfigError where there is no such file or folder."""
    origin = config.from_
    if origin is None:
        return None
    if origin.pipeline is not None:
        key, path = "pipeline", work.folder.parents[2] / origin.pipeline / str(origin.date) / "train"
    else:
        key, path = (
            ("file", Path(origin.file)) if origin.file is not None else ("folder", Path(str(origin.folder)))
        )
    there = path.is_file() if key == "file" else (path / "model.safetensors").is_file()
    if not there:
        what = "no such file" if key == "file" else "no model in this folder"
        raise ConfigError(f"train.from.{key}: {what}: {path}")
    return path


def _learned_the_same(champion: Source | None, config: Config) -> bool:
    """Weights that were fitted to another target teach nothing here."""
    if champion is None:
        return False
    learned = read_json(champion.folder / "model.json").get("task") or {}
    return (learned.get("use", "classify"), learned.get("target", config.task.target)) == (
        config.task.use,
        config.task.target,
    )


def _rule(work: Work, config: Config) -> Rule:
    """Which rows each epoch reads, as the select stage asked; every row where it did not."""
    select, shard = work.inputs.get("select"), work.inputs["shard"]
    rule = read_json(select.file(SELECTION)).get("epochs") if select else None
    if select is None or rule is None:
        return EveryRow()
    where, files = f"{select.folder / SELECTION}: epochs", shard.manifest.tables["train"].files
    paces = shard.manifest.metrics.get("pace")
    if rule.get("use") in ("curriculum", "turns") and paces is None:
        raise IntegrityError(
            f"{shard.folder}: its manifest does not say the pace of its files; run the shard stage again "
            f"({where})"
        )
    pace_G = [
        pace for file, pace in zip(files, paces or [0] * len(files), strict=True) for _ in file.row_groups
    ]
    return rule_of(rule, config.epochs, pace_G, where)


def _finish(work: Work, config: Config, job: Spec) -> Outcome:
    """Believe nothing but files: every rank's result, the curve's rows, the model."""
    ranks = results.read(job.scratch)
    failure = results.failure(job.scratch)
    if failure:
        raise failure
    world = ranks[0]["world"] if 0 in ranks else config.workers
    missing = sorted(set(range(world)) - set(ranks))
    if missing:
        raise TrainingError(
            f"rank {missing[0]} of {world} ended without a result; log: {job.scratch / 'train.log'}"
        )

    curve, description = read_json(work.folder / "curve.json"), read_json(work.folder / "model.json")
    rows = work.inputs["shard"].manifest.tables["train"].rows
    planned = _planned(job, config, world)
    resumed = max(result["resumed"] for result in ranks.values())
    for epoch, order in zip(curve["epochs"], planned, strict="stopped" not in curve):
        by_rank = [result["rows_by_epoch"].get(str(epoch["epoch"])) for result in ranks.values()]
        earlier = epoch["epoch"] < resumed  # another process made it, or a part of it
        due = _due(epoch, order)
        lost = sum(result["lost"]["rows_by_epoch"].get(str(epoch["epoch"]), 0) for result in ranks.values())
        told_lost = config.data.on_bad_shard == "skip" and (earlier or epoch["rows"] + lost == due)
        if not (epoch["rows"] == due or told_lost) or not (earlier or sum(by_rank) == epoch["rows"]):
            raise IntegrityError(
                f"epoch {epoch['epoch']} read {epoch['rows']} rows, ranks counted {by_rank}, its plan has "
                f"{due}"
            )

    files = [
        describe(work.folder, work.folder / name)
        for name in ("model.safetensors", "model.json", "encoders.json", "curve.json")
    ]
    ended = curve["epochs"][-1]
    last, order = ended["rows"], planned[ended["epoch"]]
    due, steps = (
        _due(ended, order),
        sum(epoch.get("steps", order.steps) for epoch, order in zip(curve["epochs"], planned, strict=False)),
    )
    metrics = {
        "loss": ended["loss"],
        "epochs": len(curve["epochs"]),
        "steps": steps,
        "world": world,
        "parameters": description["parameters"],
        "start": curve["start"],
        "peak_rate": config.peak_rate,
    } | ({"stopped": curve["stopped"]} if "stopped" in curve else {})
    dropped = {
        "left to other epochs": rows - order.rows,
        "after the end of training": order.rows - due,
        "in unreadable row groups": due - last,
    }
    if due > last:
        unreadable = {
            name: why for result in ranks.values() for name, why in result["lost"]["row_groups"].items()
        }
        metrics["unreadable"] = {"rows": due - last, "row_groups": unreadable}
    ledger = Ledger(rows, last, dropped={reason: count for reason, count in dropped.items() if count})
    # whose times no run repeats
    told_files = [work.folder / "metrics.jsonl", *sorted((work.folder / "events").glob("events.*"))]
    described = [vars(describe(work.folder, path)) for path in told_files if path.is_file()]
    return Outcome(ledger, files=files, metrics=metrics, run=_speed(ranks) | {"files": described})


def _due(epoch: dict[str, Any], order: Plan) -> int:
    """Rows that an epoch of the curve should have read; it may have ended within its plan."""
    return order.rows_until(epoch["steps"]) if "steps" in epoch else order.rows


def _planned(job: Spec, config: Config, world: int) -> list[Plan]:
    """A plan for every epoch, for its counts of steps and rows (which the seed does not change)."""
    rows_G, batch, lanes = Shards.of(job.shards, job.files, []).rows_G, config.batch, config.lanes
    return [
        plan(rows_G, seed=0, epoch=epoch, world=world, batch=batch, lanes=lanes, rule=job.rule)
        for epoch in range(config.epochs)
    ]


def _speed(ranks: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Of this process's epochs: rows per second over all ranks, and where rank 0's time went."""
    rows = sum(count for result in ranks.values() for count in result["rows_by_epoch"].values())
    seconds = ranks[0]["seconds"]
    busy = sum(seconds[phase] for phase in ("data", "compute", "all-reduce"))
    speed = round(rows / busy) if busy else None
    shown = {name: ranks[0][name] for name in ("device", "time", "restarts")}
    return {"rows_per_second": speed, "rank_0_seconds": seconds, "resumed": ranks[0]["resumptions"], **shown}


def _last_error(log: Path) -> str | None:
    """The last line of the log that reads like an error of a rank."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    errors = [
        line
        for line in lines
        if line.startswith("error: ") or (line[:1].isalpha() and "Error: " in line[:60])
    ]
    own = [line for line in errors if "ChildFailedError" not in line]
    return own[-1].removeprefix("error: ") if own else None


def _in_process(spec_path: Path, ranks: int, log_path: Path) -> None:
    from lsml_spark.train.worker import in_process  # imports torch

    in_process(spec_path, ranks, log_path)
