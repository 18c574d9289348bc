"""Which folders each stage reads: the one place that knows how the stages hang together."""

import datetime
import json
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from lsml_spark.core import manifest
from lsml_spark.core.errors import IntegrityError, QualityGateError
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
    "train": ("shard", "features", "select"),
    "evaluate": ("shard", "prepare", "zipf", "train"),
    "promote": ("evaluate", "train"),
    "report": STAGES[:-1],
}
HISTORY = {"quality": 28, "report": 90}  # good days before the night that a stage may look at


def inputs(runs: Runs, date: datetime.date, stage: str, window: int, needs: Collection[str] = ()) -> dict[str, Source]:
    """The finished folders that a stage of a night reads, by name; for `report` those that there are.

    `needs`: what else of earlier nights the stage's config asks for (see `earlier`).
    """
    found = {}
    for name in READS[stage]:
        source = runs.source(date, name)
        if source is not None:
            found[name] = source
        elif stage != "report":
            raise IntegrityError(f"{runs.stage(date, name)}: no manifest; run stage {name} of {date} first")
    if stage == "prepare":
        found |= clean_days(runs, date, window)
    found |= earlier(runs, date, window, needs)
    if stage in ("train", "evaluate", "report"):
        found |= _named("champion", champion(runs, date))
    if stage == "promote":
        found |= _named("previous", runs.latest_before(date, "promote"))
    if stage == "report":
        found |= earlier(runs, date, window, ("pilot",))
        for name in ("quality", "prepare", "zipf", "evaluate"):
            found |= _named(f"previous/{name}", runs.latest_before(date, name))
    return found


def earlier(runs: Runs, date: datetime.date, window: int, needs: Collection[str]) -> dict[str, Source]:
    """What nights before this one left, by need, where there is such: `previous` (the last zipf), `speed` (the last train),
    `pilot` (the last, or that of this date), `scores` (evaluate and promote of the window's nights)."""
    found: dict[str, Source] = {}
    if "previous" in needs:
        found |= _named("previous", runs.latest_before(date, "zipf"))
    if "speed" in needs:
        found |= _named("speed", runs.latest_before(date, "train"))
    if "pilot" in needs:
        found |= _named("pilot", runs.source(date, "pilot") or runs.latest_before(date, "pilot"))
    if "scores" in needs:
        for day in runs.dates():
            if date - datetime.timedelta(days=window) <= day < date and (scores := runs.source(day, "evaluate")):
                found |= {f"scores/{day}": scores} | _named(f"promote/{day}", runs.source(day, "promote"))
    return found


def clean_days(runs: Runs, date: datetime.date, window: int) -> dict[str, Source]:
    """`quality/<day>` for the `window` days before `date` and for `date`; days that failed their gate are left out."""
    today = runs.source(date, "quality")
    if today is None:
        raise IntegrityError(f"{runs.stage(date, 'quality')}: no manifest; run stage quality of {date} first")
    if (held := today.manifest.metrics.get("failed")) and today.manifest.settings.get("on_gate") != "train_on_last_good":
        raise QualityGateError(f"quality of {date}: {held}")
    found: dict[str, Source] = {}
    for ago in range(window, -1, -1):
        day = date - datetime.timedelta(days=ago)
        source = runs.source(day, "quality")
        if source is not None and not source.manifest.metrics.get("failed"):
            found[f"quality/{day}"] = source
            found |= _named(f"released/{day}", released(runs, source, day))
    return found


def released(runs: Runs, quality: Source, date: datetime.date) -> Source | None:
    """The rows of a day that were released from its quarantine, unless that quarantine has changed since."""
    source = runs.source(date, "released")
    return source if source and source.manifest.inputs["quality"].identity == quality.manifest.identity else None


def context(runs: Runs, date: datetime.date, stage: str) -> dict[str, Source]:
    """What a stage may look at without its rows depending on it, so that it is not part of the stage's fingerprint.

    A day is judged once, against the nights known then: an earlier day that comes late does not make it stale.
    """
    if stage == "zipf":
        return _named("previous", runs.latest_before(date, "zipf"))
    if stage not in HISTORY:
        return {}
    found: dict[str, Source] = {}
    for earlier in reversed([other for other in runs.dates() if other < date]):
        source = _good_day(runs.stage(earlier, "quality"))
        if source is not None:
            found[f"history/{earlier}"] = source
            if len(found) == HISTORY[stage]:
                break
    if stage == "quality" and found:
        last = next(iter(found)).removeprefix("history/")
        found |= _named(f"scores/{last}", runs.source(datetime.date.fromisoformat(last), "evaluate"))
    return dict(reversed(found.items()))


def _good_day(folder: Path) -> Source | None:
    try:
        stat = (folder / manifest.NAME).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _read_good_day(folder, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)  # a catch-up of 60 days looks at each of them many times
def _read_good_day(folder: Path, _changed: int, _bytes: int) -> Source | None:
    found = manifest.read(folder)
    return Source(folder, found) if found and not found.metrics.get("failed") else None


def champion(runs: Runs, date: datetime.date) -> Source | None:
    """The train folder of the model that stood before this night; what later nights promoted does not count."""
    decided = runs.latest_before(date, "promote")
    if decided is None:
        return None
    night = json.loads(decided.file("decision.json").read_text())["champion"]
    return runs.source(datetime.date.fromisoformat(night), "train") if night else None


def _named(name: str, source: Source | None) -> dict[str, Source]:
    return {name: source} if source is not None else {}
