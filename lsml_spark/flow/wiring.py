"""Which folders each stage reads: the one place that knows how the stages hang together."""

import datetime
from collections.abc import Collection, Iterator, Mapping

from lsml_spark.core.errors import ConfigError, IntegrityError, QualityGateError
from lsml_spark.core.stages import BY_NAME
from lsml_spark.core.work import Source
from lsml_spark.flow.dates import days_before
from lsml_spark.flow.history import History
from lsml_spark.flow.layout import Runs


def inputs(history: History, stage: str, window: int, needs: Collection[str] = ()) -> dict[str, Source]:
    """The finished folders that a stage of the night after `history` reads, by name; for `report` those that
    there are.

    `needs`: what else of earlier nights the stage's config asks for (see `earlier`).
    """
    runs, date = history.runs, history.date
    sources = {}
    for name in BY_NAME[stage].reads:
        source = runs.source(date, name)
        if source is not None:
            sources[name] = source
        elif stage != "report":
            raise IntegrityError(f"{runs.stage(date, name)}: no manifest; run stage {name} of {date} first")
    if stage == "report" and not sources:
        raise ConfigError(
            f"{date}: no stage of this night has been run in {runs.folder}, so there is nothing to report"
        )
    if stage == "prepare":
        sources |= clean_days(runs, date, window)
    sources |= earlier(history, window, needs)
    if stage in ("train", "evaluate", "report"):
        sources |= _named("champion", history.standing.model)
    if stage == "promote":
        sources |= _named("previous", history.latest("promote"))
    if stage == "report":
        sources |= earlier(history, window, ("pilot",))
        for name in ("quality", "prepare", "zipf", "evaluate"):
            sources |= _named(f"previous/{name}", history.latest(name))
    return sources


def earlier(history: History, window: int, needs: Collection[str]) -> dict[str, Source]:
    """What nights before this one left, by need, where there is such: `previous` (the last zipf), `speed`
    (the last train), `pilot` (the last, or that of this date), `scores` (evaluate and promote of the window's
    nights)."""
    sources: dict[str, Source] = {}
    if "previous" in needs:
        sources |= _named("previous", history.latest("zipf"))
    if "speed" in needs:
        sources |= _named("speed", history.latest("train"))
    if "pilot" in needs:
        sources |= _named("pilot", history.runs.source(history.date, "pilot") or history.latest("pilot"))
    if "scores" in needs:
        for day in reversed(history.dates):
            if (history.date - day).days <= window and (scores := history.unless_damaged(day, "evaluate")):
                sources |= {f"scores/{day}": scores} | _named(
                    f"promote/{day}", history.unless_damaged(day, "promote")
                )
    return sources


def clean_days(runs: Runs, date: datetime.date, window: int) -> dict[str, Source]:
    """`quality/<day>` for the `window` days before `date` and for `date`; days that failed their gate are
    left out.
    """
    today = runs.source(date, "quality")
    if today is None:
        raise IntegrityError(f"{runs.stage(date, 'quality')}: no manifest; run stage quality of {date} first")
    if (failed := today.manifest.metrics.get("failed")) and today.manifest.settings.get(
        "on_gate"
    ) != "train_on_last_good":
        raise QualityGateError(f"quality of {date}: {failed}")
    sources: dict[str, Source] = {}
    for day in [*days_before(date, window), date]:
        source = runs.source(day, "quality")
        if source is not None and not source.manifest.metrics.get("failed"):
            sources[f"quality/{day}"] = source
            sources |= _named(f"released/{day}", released(runs, source, day))
    return sources


def released(runs: Runs, quality: Source, date: datetime.date) -> Source | None:
    """The rows of a day that were released from its quarantine, unless that quarantine has changed since."""
    source = runs.source(date, "released")
    return (
        source if source and source.manifest.inputs["quality"].identity == quality.manifest.identity else None
    )


def context(history: History, stage: str) -> dict[str, Source]:
    """What a stage may look at without its rows depending on it, so that it is not part of the stage's
    fingerprint.

    A day is judged once, against the nights known then: an earlier day that comes late does not make it
    stale.
    """
    if stage == "zipf":
        return _named("previous", history.latest("zipf"))
    if stage == "promote":
        return _named("champion", history.standing.model)
    # what is made beside a night, as a pilot, looks at none
    most = BY_NAME[stage].history if stage in BY_NAME else 0
    days = history.good_days(most)
    sources = {f"history/{day.manifest.date}": day for day in reversed(days)}
    if stage == "quality" and days:
        last = datetime.date.fromisoformat(days[0].manifest.date)
        sources = _named(f"scores/{last}", history.unless_damaged(last, "evaluate")) | sources
    return sources


def warnings(history: History, stage: str, sources: Mapping[str, Source]) -> Iterator[str]:
    """What is odd about the inputs of a stage and does not stop it."""
    if stage == "train" and (lost := history.standing.lost):
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
            yield (
                f"{which} checked under other rules than {days[-1].date}; the raw files are gone, so what "
                "was clean then is taken"
            )


def _named(name: str, source: Source | None) -> dict[str, Source]:
    return {name: source} if source is not None else {}
