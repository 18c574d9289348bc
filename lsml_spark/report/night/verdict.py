"""The verdict of a night: ok, warning, stopped (a gate held it) or failed (it did not end), and why.

A pure function of the manifests and of what is unusual in the night (unusual.py), so that its pages and the
index cannot disagree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lsml_spark.core.scoreboard import competitors, figures
from lsml_spark.core.stages import BY_NAME
from lsml_spark.report.facts import STAGES, Night, dig
from lsml_spark.report.text import count, is_number, percent, rows, unbroken, written
from lsml_spark.report.unusual import Unusual

# share of the rows that are quarantined from which on a stopped night names the check that took most of them
MOST_LOST = 0.2
ORDER = ("note", "ok", "warning", "stopped", "failed")
SPOKEN = {
    "popularity": "the most popular items",
    "cooccurrence": "item–item co-occurrence",
    "key_frequency": "the past of each key",
}


@dataclass(frozen=True)
class Reason:
    """One sentence behind the verdict; `level` is one of ORDER, a note being neither good nor bad."""

    level: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """`kind` decides colour and icon, `sentence` says it in words, `reasons` why: the gravest first."""

    kind: str
    sentence: str
    reasons: list[Reason]


def judge(night: Night, strange: Unusual | None = None) -> Verdict:
    """The verdict of a night from whatever of it exists."""
    reasons = [*_flow(night), *_quality(night, strange or Unusual()), *_model(night), *_promotion(night)]
    reasons = [Reason(reason.level, unbroken(reason.text)) for reason in reasons]
    kind = max(["ok", *(reason.level for reason in reasons)], key=ORDER.index)
    reasons.sort(key=lambda reason: -ORDER.index(reason.level))
    return Verdict(kind, _sentence(night, kind, reasons), reasons)


def _sentence(night: Night, kind: str, reasons: list[Reason]) -> str:
    if kind in ("stopped", "failed"):
        return reasons[0].text
    decision = night.facts("promote", "decision.json")
    stays = "The standing model stays" if decision.get("champion") else "No model stands yet"
    outcome = "The new model is promoted" if decision.get("promoted") else stays
    if kind == "ok":
        return f"{outcome}; there are no warnings."
    warnings = sum(reason.level == "warning" for reason in reasons)
    return f"{outcome}; {warnings} thing{'s' * (warnings > 1)} to look at."


def _flow(night: Night) -> Iterator[Reason]:
    """Did the night end, and does every ledger balance?"""
    for stage, source in night.sources.items():
        if source.manifest.ledger.missing:
            text = (
                f"The ledger of {stage} does not balance: {count(source.manifest.ledger.missing)} rows "
                "unaccounted for."
            )
            yield Reason("failed", text)
    stopped = night.stopped_by()
    if stopped:
        stage, sentence = stopped
        if not _went_on(night):
            yield Reason("stopped", f"Stopped at {stage}: {_cause(night)}{sentence.rstrip('.')}.")
            return
        judged = dig(night.sources["prepare"].manifest.metrics, "days", "test") or ["an earlier one"]
        yield Reason(
            "warning",
            f"The day is held back: {sentence.rstrip('.')}. The last good day, {judged[0]}, took its place.",
        )
    missing = [stage for stage in STAGES if stage not in night.sources and not BY_NAME[stage].optional]
    if missing:
        yield Reason("failed", f"The night did not end: there is no finished {missing[0]} stage.")


def _cause(night: Night) -> str:
    """The check that took the most rows, where most were lost: a gate that counts rows does not say what
    became of them.
    """
    ledger = night.sources["quality"].manifest.ledger if "quality" in night.sources else None
    lost = ledger.quarantined if ledger else {}
    if ledger is None or not lost or sum(lost.values()) < MOST_LOST * ledger.rows_in:
        return ""
    check, number = max(lost.items(), key=lambda item: item[1])
    return f"‘{check}’ took {count(number)} of {rows(ledger.rows_in)} ({percent(number / ledger.rows_in)}); "


def _went_on(night: Night) -> bool:
    """Whether a night whose day failed the gate trained all the same, on the days before it."""
    return "prepare" in night.sources


def _quality(night: Night, strange: Unusual) -> Iterator[Reason]:
    quality = night.quality()
    failure = str(quality.get("failed") or "")
    warned = False
    for sentence in quality.get("schema_drift") or []:
        warned = True
        yield Reason("warning", f"Schema drift: {sentence}")
    for finding in quality.get("findings") or []:
        message = str(finding.get("message") or f"The check {finding.get('check')} did not hold.")
        if finding.get("ok") or finding.get("severity") == "quarantine" or message.rstrip(".") in failure:
            continue
        warned = True
        stops = finding.get("severity") == "fail" and failure and not _went_on(night)
        yield Reason("stopped" if stops else "warning", message)
    if quality.get("verdict") == "warn" and not warned:
        warned = True
        yield Reason("warning", "The quality stage warns; its findings are below.")
    if strange.warning and night.stopped_by() is None:
        warned = True
        yield Reason("warning", strange.warning)
    if strange.note and night.stopped_by() is None:
        yield Reason("note", strange.note)
    if quality and not warned and quality.get("verdict") == "ok":
        yield _fit(night, quality)


def _fit(night: Night, quality: Mapping[str, Any]) -> Reason:
    """Fit to train on; a tick only where no check found anything."""
    held_back = sum(night.sources["quality"].manifest.ledger.quarantined.values())
    findings = quality.get("findings") or []
    broken = sum(not finding.get("ok") for finding in findings)
    if not broken:
        return Reason("ok", f"The day’s data are fit to train on; {rows(held_back)} quarantined.")
    summary = f"{broken} of {len(findings)} checks found something, {rows(held_back)} quarantined"
    return Reason("note", f"The day’s data are fit to train on: {summary}.")


def _model(night: Night) -> Iterator[Reason]:
    """The model against the baselines on the held-out day, by the first two figures; losing to the plainest
    is a warning.
    """
    metrics = night.facts("evaluate", "metrics.json")
    systems, baselines = (
        metrics.get("systems"),
        [one for one in competitors(metrics) if one.name not in ("model", "champion")],
    )
    plainest = night.plainest()
    for one in sorted(baselines, key=lambda one: one.name != plainest):
        label = SPOKEN.get(one.name, f"‘{one.title}’")
        won: list[str] = []
        lost: list[str] = []
        for figure in figures(metrics)[:2]:
            ours, theirs = dig(systems, "model", figure.name), dig(systems, one.name, figure.name)
            if is_number(ours) and is_number(theirs):
                comparison = f"{figure.title} {written(figure, ours)} against {written(figure, theirs)}"
                sign = 1 if figure.better == "higher" else -1
                (won if sign * (ours - theirs) > 0 else lost).append(comparison)
        if won:
            yield Reason("ok", f"Better than {label}: {', '.join(won)}.")
        if lost:
            yield Reason(
                "warning" if one.name == plainest else "note", f"Not better than {label}: {', '.join(lost)}."
            )


def _promotion(night: Night) -> Iterator[Reason]:
    decision = night.facts("promote", "decision.json")
    if not decision:
        return
    why = " ".join(f"{str(reason).rstrip('.')}." for reason in decision.get("reasons") or [])
    if decision.get("promoted"):
        yield Reason("ok", f"Promoted. {why}".strip())
    else:
        stands = (
            f"the model of {decision['champion']} stands"
            if decision.get("champion")
            else "no model stands yet"
        )
        yield Reason("warning", f"Not promoted, {stands}. {why}".strip())
