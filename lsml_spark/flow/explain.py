"""Why a day failed its gate, or what its checks found, in words for a terminal."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsml_spark.core.work import Source
from lsml_spark.flow.produce import Night
from lsml_spark.flow.screens import plain_table

STYLES = {"fail": "bold red", "warn": "yellow", "quarantine": "cyan"}
GRAVE = ("fail", "warn", "quarantine")


def explain(console: Console, quality: Source, night: Night) -> None:
    """The verdict, what is wrong (the gravest first, with example rows), where the rows went, and what to do
    next.
    """
    made, metrics = quality.manifest, quality.manifest.metrics
    failed = metrics.get("failed")
    words = {"ok": "fit to train on", "warn": "fit to train on, with warnings"}
    verdict = "stopped at the quality gate" if failed else words.get(str(metrics.get("verdict")), "checked")
    console.print(f"{made.pipeline} {made.date}: {verdict}", style="bold red" if failed else "bold")
    ledger = made.ledger
    quarantined, dropped = sum(ledger.quarantined.values()), sum(ledger.dropped.values())
    tail = f", {dropped:,} dropped" if dropped else ""
    console.print(f"{ledger.rows_in:,} rows in, {ledger.rows_out:,} clean, {quarantined:,} quarantined{tail}")
    for sentence in metrics.get("schema_drift") or []:
        console.print(_line("warn", str(sentence)))
    broken = [finding for finding in metrics.get("findings") or [] if not finding.get("ok")]
    for finding in sorted(
        broken, key=lambda check: (GRAVE.index(check["severity"]), -(check.get("share") or 0))
    ):
        console.print(_line(finding["severity"], str(finding["message"])))
        for example in _examples(finding):
            console.print(Text(f"            e.g. {example}", style="dim"))
    if not broken:
        console.print("every check holds")
    if ledger.quarantined:
        console.print(_reasons(ledger.quarantined))
    for hint in _next(quality, bool(failed), night):
        console.print(f"next: {hint}", soft_wrap=True, markup=False)


def _line(severity: str, message: str) -> Text:
    return Text.assemble((f"{severity:>10}  ", STYLES.get(severity, "")), message)


def _examples(finding: Mapping[str, Any]) -> Iterator[str]:
    for example in (finding.get("examples") or [])[:3]:
        yield json.dumps(example, ensure_ascii=False, default=str)[:300]


def _reasons(quarantined: Mapping[str, int]) -> Table:
    table = plain_table("quarantined, by first reason")
    table.add_column("rows", justify="right")
    table.add_column("reason", overflow="fold")
    for reason, rows in sorted(quarantined.items(), key=lambda item: -item[1]):
        table.add_row(f"{rows:,}", Text(reason))
    return table


def _next(quality: Source, failed: bool, night: Night) -> Iterator[str]:
    if failed:
        yield (
            f"mend the raw file or the rule, then `{night.command('run')}`; later nights leave this day "
            "out meanwhile"
        )
    if quarantined := quality.manifest.ledger.quarantined:
        reason = max(quarantined, key=lambda name: quarantined[name])
        yield f"look at the rows: `{night.command('quarantine show', '--rule', reason)}`"
        yield f"or put them back: `{night.command('quarantine release', '--rule', reason)}`"
