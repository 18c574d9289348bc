"""Rows kept aside: shown, exported to be repaired, and released into `runs/<pipeline>/<date>/released/`.

A release works from the quarantine itself, for raw files rotate. It writes a folder of its own beside
`quality`, so no row is moved or overwritten; nights whose window holds the day read both. A second release of
the same day begins anew from the quarantine with both requests together.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.text import Text

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.raw import Format
from lsml_spark.core.work import Source, Work
from lsml_spark.flow.held_text import texts
from lsml_spark.flow.produce import Night, config_of, produce
from lsml_spark.flow.repaired import CORRUPT, PLACE, Row, mended_rows
from lsml_spark.flow.screens import plain_table

RAW = "_raw_"


def rows_of(source: Source, rule: str | None) -> pa.Table:
    """Quarantined rows that have `rule` among their reasons, by file and line; ConfigError where no row has
    it.
    """
    if "quarantine" not in source.manifest.tables:
        raise ConfigError(
            f"{source.folder}: the day could not be read at all, so there are no rows in quarantine"
        )
    files = source.files("quarantine")
    if not files:
        raise ConfigError(f"{source.folder}: no row is in quarantine")
    table = pa.concat_tables([pq.read_table(path) for path in files]).sort_by(
        [("_file", "ascending"), ("_line", "ascending")]
    )
    if rule is None:
        return table
    rules = table["reasons"].to_pylist()
    rows = table.filter(pa.array([rule in reasons for reasons in rules]))
    if not rows.num_rows:
        known = sorted({reason for reasons in rules for reason in reasons})
        raise ConfigError(f"{source.folder}: no row was quarantined for '{rule}'{did_you_mean(rule, known)}")
    return rows


def show(console: Console, source: Source, rule: str | None, limit: int) -> None:
    """The first rows as a table, as they were found."""
    rows = rows_of(source, rule)
    columns = [name for name in rows.column_names if name.startswith(RAW)]
    table = plain_table(f"{min(limit, rows.num_rows)} of {rows.num_rows:,} rows in quarantine")
    for name in ("file:line", "reasons", *[name.removeprefix(RAW) for name in columns]):
        table.add_column(Text(name), overflow="fold")
    shown = rows.slice(0, limit)
    for row, reasons in zip(
        texts(shown, [*PLACE, CORRUPT, *columns]), shown["reasons"].to_pylist(), strict=True
    ):
        place = f"{row['_file']}:{row['_line']}"
        values = ["–" if row[name] is None else str(row[name])[:200] for name in columns]
        if row[CORRUPT] is not None:
            values = [str(row[CORRUPT])[:200], *[""] * (len(columns) - 1)]
        table.add_row(*map(Text, (place, "; ".join(reasons), *values)))
    console.print(table)


def export(source: Source, rule: str | None, path: Path) -> int:
    """Write rows as CSV, to be mended by hand; how many.

    `_file`, `_line`, `reasons`, the columns as found, and `_corrupt`, the text of a malformed line. Lines end
    as in the files that tools of Unix mend.
    """
    chosen = rows_of(source, rule)
    if path.exists():
        raise ConfigError(f"{path} exists already; name another file")
    columns = [name for name in chosen.column_names if name.startswith(RAW)]
    rows = zip(_as_exported(chosen, columns), chosen["reasons"].to_pylist(), strict=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*PLACE, "reasons", *[name.removeprefix(RAW) for name in columns], CORRUPT])
        for row, reasons in rows:
            writer.writerow(
                [
                    *[row[name] for name in PLACE],
                    "; ".join(reasons),
                    *[row[name] for name in columns],
                    row[CORRUPT],
                ]
            )
    return chosen.num_rows


def release(one: Night, rules: Sequence[str], repaired: Path | None) -> Source:
    """Check the named rows again, `rules` forgiven, and keep what is clean now in the day's `released`
    folder.
    """
    source = one.runs.source(one.date, "quality")
    if source is None:
        raise ConfigError(f"{one.date} has not been checked in {one.runs.folder}")
    if not rules and repaired is None:
        raise ConfigError("say which rows: --rule forgives a reason, --repaired brings rows that were mended")
    if source.manifest.config != config_of(one, "quality"):
        raise ConfigError(
            f"the rules have changed since {one.date} was checked; run `{one.command('quality check')}` first"
        )
    request = _requested_before(one)
    for rule in rules:
        rows_of(source, rule)  # refuses a rule that has no rows
        if rule.startswith("malformed"):
            raise ConfigError(
                f"'{rule}' cannot be forgiven, there are no values to take; mend the lines: `show --csv`, "
                "then `--repaired`"
            )
    request["rules"] = sorted({*request["rules"], *rules})
    if repaired is not None:
        config: Any = one.pipeline.config("quality")
        request["rows"] = request["rows"] | _repaired(source, repaired, config.sources, config.format)
    return _make(one, source, request)


def refresh(one: Night) -> None:
    """Make a release anew whose day has been checked again since."""
    source, before = one.runs.source(one.date, "quality"), one.runs.source(one.date, "released")
    if (
        source is None
        or before is None
        or before.manifest.inputs["quality"].identity == source.manifest.identity
    ):
        return
    if "quarantine" in source.manifest.tables:
        _make(one, source, _requested_before(one))


def _make(one: Night, source: Source, request: dict[str, Any]) -> Source:
    config: Any = one.pipeline.config("quality")

    def make(work: Work) -> Any:
        import lsml_spark.quality.release as stage
        from lsml_spark.spark.session import session

        return stage.run(work, config, request, session(one.pipeline.spark_settings))

    made, _ = produce(
        one,
        "released",
        {"quality": source},
        (),
        {"quality": one.pipeline.resolved("quality"), **request},
        make,
    )
    return made


def _requested_before(one: Night) -> dict[str, Any]:
    before = one.runs.source(one.date, "released")
    return before.json("request.json") if before else {"rules": [], "rows": {}}


def _as_exported(quarantined: pa.Table, columns: Sequence[str]) -> list[dict[str, str | None]]:
    """Rows as text; of a malformed line the line alone, not what a parser took for its fields."""
    rows = texts(quarantined, [*PLACE, CORRUPT, *columns])
    return [row if row[CORRUPT] is None else {**row, **dict.fromkeys(columns)} for row in rows]


def _repaired(source: Source, path: Path, contract: Mapping[str, str], form: Format) -> dict[str, Row]:
    """{`file:line`: {column: text}} of the rows of a mended export that differ from the quarantine."""
    rows = rows_of(source, None)
    raw = [name for name in rows.column_names if name.startswith(RAW)]
    known = {f"{row['_file']}:{row['_line']}": row for row in _as_exported(rows, raw)}
    named = {
        place: {name.removeprefix(RAW): text for name, text in row.items()} for place, row in known.items()
    }
    return mended_rows(path, source, named, contract, form)
