"""The parts of a night's page as plain values, so that the templates hold no logic."""

import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from lsml_spark.report.facts import SYSTEMS, Night, dig
from lsml_spark.report.quality.columns import GRAVITY
from lsml_spark.report.quality.findings import message_of, severity_of
from lsml_spark.report.selection.law import shape
from lsml_spark.report.selection.selected import bands_of, policy_of, share
from lsml_spark.report.text import capital, is_number, measure, unbroken, weekday

FINDING = ("check", "column", "severity", "rows", "share", "message", "ok")


def headline(night: Night) -> dict[str, Any]:
    """The numbers to know before coffee; None where the night did not get that far."""
    metrics = night.facts("evaluate", "metrics.json")
    decision = night.facts("promote", "decision.json")
    rows = flow_numbers(night)
    before = flow_numbers(Night(night.pipeline, "", 0, night.previous))
    return {
        **rows,
        "quarantined_share": share(rows["quarantined"], rows["raw"]),
        "before": {
            **before,
            "quarantined_share": share(before["quarantined"], before["raw"]),
            "date": _day(night.previous["quality"].manifest.date) if "quality" in night.previous else None,
        },
        "selected_share": share(rows["selected"], rows["window"]),
        "k": metrics.get("k", 20),
        "measure": capital(measure(metrics.get("k", 20))),
        "serves": night.serves(),
        "test_rows": metrics.get("rows"),
        "recall": _bars(night, "recall"),
        "log_loss": _bars(night, "log_loss"),
        "breadth": _bars(night, "breadth"),
        "promoted": decision.get("promoted"),
        "champion": decision.get("champion"),
    }


def _day(date: str) -> str:
    """2011-02-27, Sunday: a shop sells less on some days."""
    return f"{date}, {weekday(date)}" if weekday(date) else date


def flow_numbers(night: Night) -> dict[str, int | None]:
    """Rows by what became of them: raw, clean, quarantined, window (train rows before selection), selected."""
    quality = night.sources.get("quality")
    select = night.sources.get("select")
    ledger = quality.manifest.ledger if quality else None
    return {
        "raw": ledger.rows_in if ledger else None,
        "clean": ledger.rows_out if ledger else None,
        "quarantined": sum(ledger.quarantined.values()) if ledger else None,
        "window": select.manifest.ledger.rows_in if select else None,
        "selected": select.manifest.ledger.rows_out if select else None,
    }


def quality(night: Night) -> dict[str, Any]:
    """Findings that do not hold, the gravest first, and those that do."""
    facts = night.quality()
    said = unbroken(str(facts.get("failed") or ""))
    findings = [_finding(finding) for finding in facts.get("findings") or []]
    grave = {severity: rank for rank, severity in enumerate(GRAVITY)}
    broken = sorted(
        (finding for finding in findings if not finding.get("ok")),
        key=lambda finding: (grave.get(str(finding.get("severity")), 3), -(finding.get("rows") or 0)),
    )
    return {
        "verdict": facts.get("verdict"),
        "broken": broken,
        "held": [finding for finding in findings if finding.get("ok")],
        "drift": [str(sentence) for sentence in facts.get("schema_drift") or []],
        "failed": None if any(item["message"] and item["message"] in said for item in broken) else said,
    }


def _finding(given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a finding, None where it has none; a message that begins with the check's name says it once."""
    return {name: given.get(name) for name in FINDING} | {"message": message_of(given), "severity": severity_of(given)}


def keys(night: Night) -> dict[str, Any]:
    """The profile of the keys and what selection kept of each band of frequency."""
    profile = night.facts("zipf", "profile.json")
    selection = night.facts("select", "selection.json")
    total, hapaxes = profile.get("keys"), profile.get("hapaxes")
    return {
        "profile": profile,
        "law": shape(profile),
        "hapax_share": hapaxes / total if total and is_number(hapaxes) else None,
        "selection": selection,
        **policy_of(selection),
        "bands": bands_of(selection.get("by_frequency") or []),
        "ess_share": share(selection.get("ess"), selection.get("rows_kept")),
    }


def metric_table(night: Night, metric: str, lower_is_better: bool) -> dict[str, Any] | None:
    """Rows overall and by band, columns the systems; marks the best of a row, adds the change since last night."""
    metrics = night.facts("evaluate", "metrics.json")
    before = night.facts_before("evaluate", "metrics.json")
    systems = [name for name in SYSTEMS if dig(metrics, "systems", name)]
    if not systems:
        return None
    rows = []
    for band in [None, *(metrics.get("bands") or [])]:
        path = ("bands", str(band)) if band is not None else ()
        values = {name: dig(metrics, "systems", name, *path, metric) for name in systems}
        known = [value for value in values.values() if is_number(value)]
        if band is not None and not known:
            continue  # no test row has such a key: a classifier by column has 15 keys, all of them frequent
        best = (min if lower_is_better else max)(known, default=None)
        last = dig(before, "systems", "model", *path, metric)
        ours = values.get("model")
        change = ours - last if is_number(ours) and is_number(last) else None
        rows.append(
            {
                "band": band,
                "rows": metrics.get("rows") if band is None else dig(metrics, "systems", systems[0], *path, "rows"),
                "cells": [(name, value, len(set(known)) > 1 and value == best) for name, value in values.items()],
                "change": change,
                "better": None if not change else (change < 0) == lower_is_better,
            }
        )
    previous = night.previous["evaluate"].manifest.date if "evaluate" in night.previous else None
    return {"systems": [SYSTEMS[name] for name in systems], "rows": rows, "previous": previous if before else None}


def provenance(night: Night) -> dict[str, Any]:
    """What made this night: raw files, identity and config hash of each stage, versions, the command to repeat it."""
    versions: dict[str, str] = {}
    for source in night.sources.values():
        found = source.manifest.run.get("versions")
        versions.update({str(name): str(version) for name, version in found.items()} if isinstance(found, dict) else {})
    quality = night.sources.get("quality")
    inputs = quality.manifest.inputs if quality else {}
    command = _command(night)
    return {
        "stages": [
            (stage, source.manifest.identity, source.manifest.config_hash, source.manifest.fingerprint)
            for stage, source in night.sources.items()
        ],
        "raw": [(PurePosixPath(item.path).name, item.identity) for _, item in sorted(inputs.items())],
        "versions": sorted(versions.items()),
        "command": shlex.join(command),
        "masked": any("***" in word for word in command),
    }


def _command(night: Night) -> list[str]:
    """The words that ran the latest stage; where a manifest of a former version does not say, the usual ones."""
    for source in reversed(list(night.sources.values())):
        found = source.manifest.run.get("command")
        if isinstance(found, list) and found and all(isinstance(word, str) for word in found):
            return found
    return ["lsml", "run", f"pipelines/{night.pipeline}.yaml", "--date", night.date]


def _bars(night: Night, metric: str) -> list[dict[str, Any]]:
    """One bar per system, the longest 100."""
    systems = night.facts("evaluate", "metrics.json").get("systems")
    values = {name: dig(systems, name, metric) for name in SYSTEMS}
    longest = max((value for value in values.values() if is_number(value)), default=0)
    return [
        {
            "system": name,
            "label": SYSTEMS[name],
            "value": value,
            "length": round(100 * value / longest, 1) if longest else 0,
        }
        for name, value in values.items()
        if is_number(value)
    ]
