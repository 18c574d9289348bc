"""The parts of a night's page as plain values, so that the templates hold no logic."""

import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from lsml_spark.core.scoreboard import Figure, competitors, deciding, figures
from lsml_spark.report.facts import Night, dig
from lsml_spark.report.quality.columns import GRAVITY
from lsml_spark.report.quality.findings import message_of, severity_of
from lsml_spark.report.selection.law import shape
from lsml_spark.report.selection.selected import bands_of, policy_of, share
from lsml_spark.report.text import is_number, unbroken, weekday

TILES = 3  # figures with a tile of their own at the head of the page
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
        "serves": night.serves(),
        "test_rows": metrics.get("rows"),
        "figures": [
            (figure, bars) for figure in figures(metrics)[:TILES] if (bars := _bars(metrics, figure))
        ],
        "promoted": decision.get("promoted"),
        "champion": decision.get("champion"),
    }


def _day(date: str) -> str:
    """2011-02-27, Sunday: a shop sells less on some days."""
    return f"{date}, {weekday(date)}" if weekday(date) else date


def flow_numbers(night: Night) -> dict[str, int | None]:
    """Rows by what became of them: raw, clean, quarantined, window (train rows before selection),
    selected.
    """
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
    failure = unbroken(str(facts.get("failed") or ""))
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
        "failed": None if any(item["message"] and item["message"] in failure for item in broken) else failure,
    }


def _finding(given: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of a finding, None where it has none; a message that begins with the check's name says it
    once.
    """
    return {name: given.get(name) for name in FINDING} | {
        "message": message_of(given),
        "severity": severity_of(given),
    }


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


def features(night: Night) -> list[dict[str, Any]]:
    """What each column became for the model, in the order of the YAML; none where the night is of a former
    version.
    """
    source = night.sources.get("features")
    columns = source.manifest.metrics.get("columns") if source else None
    unknown = dict.fromkeys(("of", "like", "size", "shape", "collisions"))
    return [{**unknown, "name": name, **facts} for name, facts in (columns or {}).items()]


def metric_table(night: Night, figure: Figure, groups: str = "bands") -> dict[str, Any] | None:
    """Rows overall and by band, or by slice, columns the systems; marks the best of a row, adds the change
    since last night.
    """
    metrics = night.facts("evaluate", "metrics.json")
    before = night.facts_before("evaluate", "metrics.json")
    systems = competitors(metrics)
    if not systems:
        return None
    rows = []
    for group in [None, *(metrics.get(groups) or [])]:
        path = (groups, str(group)) if group is not None else ()
        values = {one.name: dig(metrics, "systems", one.name, *path, figure.name) for one in systems}
        known = [value for value in values.values() if is_number(value)]
        if group is not None and not known:
            continue  # no test row has such a key: a classifier by column has 15 keys, all of them frequent
        best = (min if figure.better == "lower" else max)(known, default=None)
        last = dig(before, "systems", "model", *path, figure.name)
        ours = values.get("model")
        change = ours - last if is_number(ours) and is_number(last) else None
        rows.append(
            {
                "group": group,
                "rows": metrics.get("rows")
                if group is None
                else dig(metrics, "systems", systems[0].name, *path, "rows"),
                "cells": [
                    (name, value, len(set(known)) > 1 and value == best) for name, value in values.items()
                ],
                "change": change,
                "better": None if not change else (change < 0) == (figure.better == "lower"),
            }
        )
    previous = night.previous["evaluate"].manifest.date if "evaluate" in night.previous else None
    return {
        "figure": figure,
        "systems": [one.title for one in systems],
        "rows": rows,
        "previous": previous if before else None,
    }


def metric_tables(night: Night) -> list[dict[str, Any]]:
    """Of the first two figures, by band; by slice of the one that decides, where there are slices."""
    metrics = night.facts("evaluate", "metrics.json")
    tables = [(figure.name, "key frequency", metric_table(night, figure)) for figure in figures(metrics)[:2]]
    if metrics.get("slices"):
        tables.append(("slices", "slice", metric_table(night, deciding(metrics), "slices")))
    return [{"name": name, "by": by, **table} for name, by, table in tables if table]


def other_figures(night: Night) -> dict[str, Any] | None:
    """Rows the figures that have no tile, columns the systems; beside the area under the ROC curve its 95 %
    interval.
    """
    metrics = night.facts("evaluate", "metrics.json")
    systems = competitors(metrics)
    rows = []
    for figure in figures(metrics)[TILES:]:
        values = [dig(metrics, "systems", one.name, figure.name) for one in systems]
        known = [value for value in values if is_number(value)]
        best = (min if figure.better == "lower" else max)(known, default=None)
        ends = [
            [dig(metrics, "systems", one.name, f"{figure.name}_{end}") for end in ("low", "high")]
            for one in systems
        ]
        cells = [
            (value, len(set(known)) > 1 and value == best, pair if all(map(is_number, pair)) else None)
            for value, pair in zip(values, ends, strict=True)
        ]
        if known:
            rows.append({"figure": figure, "cells": cells})
    return {"systems": [one.title for one in systems], "rows": rows} if rows else None


def provenance(night: Night) -> dict[str, Any]:
    """What made this night: raw files, identity and config hash of each stage, versions, the command to
    repeat it.
    """
    versions: dict[str, str] = {}
    for source in night.sources.values():
        recorded = source.manifest.run.get("versions")
        versions.update(
            {str(name): str(version) for name, version in recorded.items()}
            if isinstance(recorded, dict)
            else {}
        )
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
    """The words that ran the latest stage; where a manifest of a former version does not say, the usual
    ones.
    """
    for source in reversed(list(night.sources.values())):
        command = source.manifest.run.get("command")
        if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
            return command
    return ["lsml", "run", f"pipelines/{night.pipeline}.yaml", "--date", night.date]


def _bars(metrics: Mapping[str, Any], figure: Figure) -> list[dict[str, Any]]:
    """One bar per system, the longest 100; a figure below 0 has none."""
    values = [(one, dig(metrics, "systems", one.name, figure.name)) for one in competitors(metrics)]
    longest = max((value for _, value in values if is_number(value)), default=0)
    return [
        {
            "style": one.style,
            "label": one.title,
            "value": value,
            "length": round(100 * max(value, 0) / longest, 1) if longest > 0 else 0,
        }
        for one, value in values
        if is_number(value)
    ]
