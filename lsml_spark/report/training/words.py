"""What the page on the training says: where its time went, by phase and rank, what bounds it and what to do
about that.

Of the train stage's manifest it reads, each perhaps missing:
- `run.time` {steps, verdict, seconds {phase: s}, ranks [{phase: s, slowest: steps}]}: the critical path and
  every rank's own time.
- `run.rows_per_second`, `run.device`, `run.launcher`, `run.restarts` (count), `run.resumed` [{step, epoch,
  world}].
- `metrics.loss`, `.epochs`, `.steps`, `.world`, `.parameters`, `.unreadable` {rows, row_groups {name: why}}.
- `config`, of it what `USUAL`, `.stop` and `.parallel` name where it is not what nothing asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsml_spark.core.work import Source
from lsml_spark.report.facts import dig
from lsml_spark.report.selection.selected import share
from lsml_spark.report.text import count, counted, decimal, is_number, percent, visible
from lsml_spark.report.training.curves import PHASES, Record

ADVICE = {
    "data-bound": "Reading is the limit. Put the shards on a local disk, name fewer columns in the model, or "
    "start fewer ranks on a host, "
    "so that the threads that read have cores of their own.",
    "network-bound": "The exchange of gradients is the limit. A larger train.batch exchanges less often for "
    "the same rows, so does "
    "gradient accumulation; a compressing hook sends fewer bytes; fewer ranks have less to agree on.",
    "checkpoint-bound": "Saving is the limit. Save less often, or into a folder on a faster disk.",
    "compute-bound": "Computing is the limit, as it should be: more ranks or a faster device make the night "
    "shorter, not a faster disk.",
}
# from which share of the steps on, and of the time, one slow rank is worth a sentence
UNEVEN, WAITING = 0.75, 0.1
# Settings worth a word where they are not this, and the name of each in nights made when all lay flat in
# `train:`.
USUAL = {
    "exchange.hook": ("none", "hook"),
    "precision.compute": ("full", "precision"),
    "accumulate": (1, "accumulate"),
    "exchange.use": ("allreduce", "sync"),
    "schedule.scaling": ("none", "lr_scaling"),
    "l1": (0.0, "l1"),
}


def describe(train: Source, records: Sequence[Record]) -> dict[str, Any]:
    """All that the template shows, as plain values."""
    run, metrics = train.manifest.run, train.manifest.metrics
    time: Mapping[str, Any] = run.get("time") or {}
    lost = metrics.get("unreadable") or {}
    return {
        "headline": _headline(time, run),
        "advice": ADVICE.get(str(dig(time, "verdict")), ""),
        "uneven": _uneven(time),
        "facts": list(_facts(metrics, run, records)),
        "settings": [(name, visible(value, 60)) for name, value in _settings(train.manifest.config)],
        "path": _path(time),
        "ranks": _ranks(time),
        "phases": [name for name, _ in PHASES.values()],
        "resumed": [
            {name: position.get(name) for name in ("step", "epoch", "world")}
            for position in run.get("resumed") or []
        ],
        "restarts": run.get("restarts"),
        "lost": {
            "rows": lost.get("rows"),
            "groups": [(visible(name), visible(why)) for name, why in (lost.get("row_groups") or {}).items()],
        }
        if lost
        else None,
    }


def begins_anew(curve: Mapping[str, Any]) -> str:
    """A sentence on a warm start, whose first steps are the largest: without it a loss that climbs looks like
    unlearning.
    """
    steps = [
        step for step in curve.get("steps") or [] if is_number(step.get("loss")) and is_number(step.get("lr"))
    ]
    if not curve.get("start") or not steps:
        return ""
    sentence = "The weights go on from that model; the learning rate begins anew"
    first = [step["loss"] for step in steps if step.get("epoch") == steps[0].get("epoch")]
    few = max(1, len(first) // 10)
    before, highest = (
        sum(first[:few]) / few,
        max(sum(first[i : i + few]) / few for i in range(len(first) - few + 1)),
    )
    if highest < 1.01 * before:
        return f"{sentence}."
    rate = max(step["lr"] for step in steps)
    return (
        f"{sentence}, up to {rate:.3g}, so the loss climbs from {decimal(before, 2)} to "
        f"{decimal(highest, 2)} in the first epoch "
        f"and is at {decimal(steps[-1]['loss'], 2)} at the end."
    )


def _headline(time: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """The verdict in words."""
    speed = (
        f"{count(run.get('rows_per_second'))} rows per second"
        if is_number(run.get("rows_per_second"))
        else ""
    )
    words = {
        "data-bound": ("waited for data", "data"),
        "network-bound": ("waited for the exchange of gradients", "all_reduce"),
        "checkpoint-bound": ("waited for checkpoints", "checkpoint"),
        "compute-bound": ("computed", "compute"),
    }
    seconds = dig(time, "seconds") or {}
    doing, phase = words.get(str(dig(time, "verdict")), ("", ""))
    part = share(seconds.get(phase), sum(filter(is_number, seconds.values())))
    if part is None:
        return f"The training: {speed}" if speed else "The training"
    return f"{str(time['verdict']).capitalize()}: it {doing} for {percent(part)} of the time" + (
        f", {speed}" if speed else ""
    )


def _uneven(time: Mapping[str, Any]) -> str:
    """A sentence on a rank that the others wait for; nothing where they take turns."""
    ranks, steps = dig(time, "ranks") or [], dig(time, "steps")
    if len(ranks) < 2 or not steps:
        return ""
    slowest = max(range(len(ranks)), key=lambda rank: ranks[rank].get("slowest", 0))
    part = ranks[slowest]["slowest"] / steps
    others = [rank for place, rank in enumerate(ranks) if place != slowest]
    waited = sum(rank["all_reduce"] for rank in others) / len(others) - ranks[slowest]["all_reduce"]
    waits = waited / max(sum(ranks[slowest][phase] for phase in PHASES), 1e-9)
    if part < UNEVEN or waits < WAITING:
        return ""
    late = f"Rank {slowest} came last in {percent(part)} of the steps"
    return f"{late}; the others waited for it for {percent(waits)} of the time. Look at its host."


def _facts(
    metrics: Mapping[str, Any], run: Mapping[str, Any], records: Sequence[Record]
) -> Iterator[tuple[str, str]]:
    """(name, figure)."""
    yield "Loss at the end", decimal(metrics.get("loss"), 4)
    yield "Steps", f"{count(metrics.get('steps'))} in {counted(metrics.get('epochs'), 'epoch')}"
    yield "Ranks", f"{count(metrics.get('world'))}, {visible(run.get('device', '–'), 40)}"
    yield "Parameters", count(metrics.get("parameters"))
    if is_number(run.get("rows_per_second")):
        yield "Speed", f"{count(run['rows_per_second'])} rows/s"
    scales = [record["loss_scale"] for record in records if is_number(record.get("loss_scale"))]
    if scales:
        yield "Loss scale", f"{count(min(scales))} to {count(max(scales))}"


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What was asked for beside the usual."""
    for name, (usual, before) in USUAL.items():
        setting = dig(config, *name.split("."))
        setting = config.get(before, usual) if setting is None else setting
        setting = setting["use"] if isinstance(setting, Mapping) and "use" in setting else setting
        if setting != usual:
            yield name, setting
    for name in ("stop", "parallel"):
        for key, value in (config.get(name) or {}).items():
            if value not in (None, 1):
                yield f"{name}.{key}", value


def _path(time: Mapping[str, Any]) -> list[dict[str, Any]]:
    seconds = dig(time, "seconds") or {}
    total = sum(filter(is_number, seconds.values()))
    return (
        [
            {"phase": name, "seconds": seconds.get(phase), "share": share(seconds.get(phase), total)}
            for phase, (name, _) in PHASES.items()
        ]
        if total
        else []
    )


def _ranks(time: Mapping[str, Any]) -> list[dict[str, Any]]:
    steps = dig(time, "steps")
    return [
        {
            "rank": place,
            "seconds": [rank.get(phase) for phase in PHASES],
            "slowest": share(rank.get("slowest"), steps),
        }
        for place, rank in enumerate(dig(time, "ranks") or [])
    ]
