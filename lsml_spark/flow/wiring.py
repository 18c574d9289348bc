"""Which folders each stage reads: the one place that knows how the stages hang together."""

import datetime
import json

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.work import Source
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.pipeline import STAGES

# Inputs from the same night, by stage. The rest (window, champion, previous night) is below.
READS = {
    "quality": (),
    "prepare": (),
    "zipf": ("prepare",),
    "select": ("prepare", "zipf"),
    "augment": ("select",),
    "features": ("augment", "prepare"),
    "shard": ("features",),
    "train": ("shard", "features"),
    "evaluate": ("shard", "prepare", "zipf", "train"),
    "promote": ("evaluate", "train"),
    "report": STAGES[:-1],
}


def inputs(runs: Runs, date: datetime.date, stage: str, window: int) -> dict[str, Source]:
    """The finished folders that a stage of a night reads, by name; for `report` those that there are."""
    found = {}
    for name in READS[stage]:
        source = runs.source(date, name)
        if source is not None:
            found[name] = source
        elif stage != "report":
            raise IntegrityError(f"{runs.stage(date, name)}: no manifest; run stage {name} of {date} first")
    if stage == "prepare":
        found |= clean_days(runs, date, window)
    if stage in ("train", "evaluate"):
        found |= _named("champion", champion(runs, date))
    if stage == "promote":
        found |= _named("previous", runs.latest_before(date, "promote"))
    if stage == "report":
        for name in ("quality", "evaluate"):
            found |= _named(f"previous/{name}", runs.latest_before(date, name))
    return found


def clean_days(runs: Runs, date: datetime.date, window: int) -> dict[str, Source]:
    """`quality/<day>` for the `window` days before `date` and for `date`; days that failed their gate are left out."""
    found = {}
    for ago in range(window, -1, -1):
        day = date - datetime.timedelta(days=ago)
        source = runs.source(day, "quality")
        if source is not None and not source.manifest.metrics.get("failed"):
            found[f"quality/{day}"] = source
    return found


def champion(runs: Runs, date: datetime.date) -> Source | None:
    """The train folder of the model that stood before this night; what later nights promoted does not count."""
    decided = runs.latest_before(date, "promote")
    if decided is None:
        return None
    night = json.loads(decided.file("decision.json").read_text())["champion"]
    return runs.source(datetime.date.fromisoformat(night), "train") if night else None


def _named(name: str, source: Source | None) -> dict[str, Source]:
    return {name: source} if source is not None else {}
