"""Which folders each stage reads: the one place that knows how the stages hang together."""

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lsml_spark.core import manifest
from lsml_spark.core.errors import ConfigError, IntegrityError, QualityGateError
from lsml_spark.core.stages import BY_NAME
from lsml_spark.core.work import Source, gone_champion
from lsml_spark.flow.dates import days_before
from lsml_spark.flow.layout import Runs


def inputs(runs: Runs, date: datetime.date, stage: str, window: int, needs: Collection[str] = ()) -> dict[str, Source]:
    """The finished folders that a stage of a night reads, by name; for `report` those that there are.

    `needs`: what else of earlier nights the stage's config asks for (see `earlier`).
    """
    found = {}
    for name in BY_NAME[stage].reads:
        source = runs.source(date, name)
        if source is not None:
            found[name] = source
        elif stage != "report":
            raise IntegrityError(f"{runs.stage(date, name)}: no manifest; run stage {name} of {date} first")
    if stage == "report" and not found:
        raise ConfigError(f"{date}: no stage of this night has been run in {runs.folder}, so there is nothing to report")
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
            if (date - day).days <= window and day < date and (scores := runs.unless_damaged(day, "evaluate")):
                found |= {f"scores/{day}": scores} | _named(f"promote/{day}", runs.unless_damaged(day, "promote"))
    return found


def clean_days(runs: Runs, date: datetime.date, window: int) -> dict[str, Source]:
    """`quality/<day>` for the `window` days before `date` and for `date`; days that failed their gate are left out."""
    today = runs.source(date, "quality")
    if today is None:
        raise IntegrityError(f"{runs.stage(date, 'quality')}: no manifest; run stage quality of {date} first")
    if (held := today.manifest.metrics.get("failed")) and today.manifest.settings.get("on_gate") != "train_on_last_good":
        raise QualityGateError(f"quality of {date}: {held}")
    found: dict[str, Source] = {}
    for day in [*days_before(date, window), date]:
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
    if stage == "promote":
        return _named("champion", champion(runs, date))
    days = BY_NAME[stage].history if stage in BY_NAME else 0  # what is made beside a night, as a pilot, looks at none
    if not days:
        return {}
    found: dict[str, Source] = {}
    for earlier in reversed([other for other in runs.dates() if other < date]):
        source = _good_day(runs, earlier)
        if source is not None:
            found[f"history/{earlier}"] = source
            if len(found) == days:
                break
    if stage == "quality" and found:
        last = next(iter(found)).removeprefix("history/")
        found |= _named(f"scores/{last}", runs.unless_damaged(datetime.date.fromisoformat(last), "evaluate"))
    return dict(reversed(found.items()))


def _good_day(runs: Runs, date: datetime.date) -> Source | None:
    try:
        stat = (runs.stage(date, "quality") / manifest.NAME).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _read_good_day(runs, date, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)  # a catch-up of 60 days looks at each of them many times
def _read_good_day(runs: Runs, date: datetime.date, _changed: int, _bytes: int) -> Source | None:
    found = runs.unless_damaged(date, "quality")
    return found if found and not found.manifest.metrics.get("failed") else None


@dataclass(frozen=True)
class Standing:
    """The train folder of the model that stands, and a sentence where it is not the one that was promoted last."""

    model: Source | None
    lost: str | None = None


def warnings(runs: Runs, date: datetime.date, stage: str, sources: Mapping[str, Source]) -> Iterator[str]:
    """What is odd about the inputs of a stage and does not stop it."""
    if stage == "train" and (lost := standing(runs, date).lost):
        yield lost
    if stage == "prepare":
        days = [source.manifest for source in sources.values() if source.manifest.stage == "quality"]
        # Days whose raw files are still there have been checked anew before this.
        kept = [day.date for day in days if day.config_hash != days[-1].config_hash]
        if kept:
            which = (
                f"{len(kept)} days of the window ({kept[0]} to {kept[-1]}) were"
                if len(kept) > 1
                else f"{kept[0]}, a day of the window, was"
            )
            yield f"{which} checked under other rules than {days[-1].date}; the raw files are gone, so what was clean then is taken"


def champion(runs: Runs, date: datetime.date) -> Source | None:
    """The train folder of the model that stood before this night; what later nights promoted does not count."""
    return standing(runs, date).model


def standing(runs: Runs, date: datetime.date) -> Standing:
    """The same. Where that model's folder is gone (pruned, say), the one that stood before it takes its place, and so on back."""
    gone: list[str] = []
    for earlier in reversed([other for other in runs.dates() if other < date]):
        decided = runs.source(earlier, "promote")
        night = decided.json("decision.json")["champion"] if decided else None
        if decided and not night and not gone:
            return Standing(None)  # none had been promoted until then
        if not night or night in gone:
            continue
        model = runs.source(datetime.date.fromisoformat(night), "train")
        if model and all((model.folder / file.path).is_file() for file in model.manifest.files):
            return Standing(model, gone_champion(gone[0], night) if gone else None)
        gone.append(night)
    return Standing(None, gone_champion(gone[0], None) if gone else None)


def _named(name: str, source: Source | None) -> dict[str, Source]:
    return {name: source} if source is not None else {}
