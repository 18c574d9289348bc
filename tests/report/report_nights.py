"""Synthetic nights of a small shop: stage folders with manifests as docs/reference.md draws them.

`hostile` plants markup wherever a value of the data or of the user can reach the page: EVIL, or the text that
it is.
"""

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from report_keys import law_facts, selection_facts, shift_facts
from report_profiles import figures, metrics_table, profile, shop_rows
from report_training import training_metrics, training_run

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Input, Manifest, Table, describe, read, write_json
from lsml_spark.core.work import Source, Work
from lsml_spark.report.run import Config, run

PIPELINE = "retail"
BANDS = ["0", "1", "2–9", "10–99", "100+"]
EVIL = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)


def make_stage(
    runs: Path,
    date: str,
    stage: str,
    ledger: Ledger,
    metrics: Mapping[str, Any] | None = None,
    files: Mapping[str, Any] | None = None,
    tables: Mapping[str, Table] | None = None,
    inputs: Mapping[str, Input] | None = None,
    run: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Source:
    """A stage folder with JSON files and a manifest; tables are described, not written, unless their files
    exist.
    """
    folder = runs / PIPELINE / date / stage
    folder.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(
        stage=stage,
        pipeline=PIPELINE,
        date=date,
        seed=7,
        config=config or {"stage": stage},
        fingerprint=f"{stage}{date}".encode().hex().ljust(64, "0")[:64],
        inputs=inputs or {},
        tables=tables or {},
        files=[write_json(folder, name, value) for name, value in (files or {}).items()],
        ledger=ledger,
        metrics=metrics or {},
        run={
            "started": "never the same",
            "seconds": 12.3,
            "versions": {"python": "3.11.9", "pyspark": "4.3.0"},
        }
        | dict(run or {}),
    )
    manifest.write(folder)
    found = read(folder)
    assert found is not None
    return Source(folder, found)


def evil_of(hostile: bool | str) -> str:
    """The text to plant; empty for none."""
    return hostile if isinstance(hostile, str) else EVIL if hostile else ""


def as_name(evil: str) -> str:
    """As the name of a file may hold it."""
    return evil.replace("/", "").replace("\\", "").replace("\0", "")


def counted(rows: int) -> Table:
    """A table that the manifest counts and nobody reads."""
    return Table(columns={}, rows=rows, rows_hash="0" * 16, files=[])


def quality(
    runs: Path,
    date: str,
    *,
    failed: str | None = None,
    hostile: bool | str = False,
    warn: bool = False,
    profiled: bool = True,
    missing: float = 0.23,
) -> Source:
    """A quality folder; `profiled=False` is one from before there were profiles."""
    raw, seed, evil = 1737, int(date[-2:]), evil_of(hostile)
    quarantined = {
        "price out of range": 20 + seed,
        "cancelled invoice": 31,
        "description is missing": 9,
        "line does not parse": 2,
    }
    if failed:
        quarantined = {"line does not parse": 1602}
    if hostile:
        quarantined[f"odd <b>{evil}"] = 3
    findings = [
        finding(
            "price out of range",
            "UnitPrice",
            "quarantine",
            20 + seed,
            raw,
            f"{20 + seed} prices are outside 0.01 … 1000",
            False,
        ),
        finding(
            "cancelled invoice",
            "InvoiceNo",
            "quarantine",
            31,
            raw,
            "31 lines belong to cancelled invoices (InvoiceNo starts with C)",
            False,
        ),
        finding(
            "description is missing", "Description", "quarantine", 9, raw, "9 descriptions are empty", False
        ),
        finding(
            "CustomerID: missing",
            "CustomerID",
            "warn",
            402,
            raw,
            "23.1 % of CustomerID is missing, at most 40 % may be",
            True,
        ),
        finding("rows", None, "fail", 0, raw, "1,737 rows, within 50 % of the trailing median 1,902", True),
    ]
    if warn:
        findings.append(
            finding(
                "fresh",
                "InvoiceDate",
                "warn",
                0,
                raw,
                "The last line is from 14:02, four hours before closing time",
                False,
            )
        )
    if failed:
        findings.append(finding("rejected", None, "fail", 1602, raw, failed, False))
    if hostile:
        example = {f"column {evil}": evil, evil: evil, "_file": f"/data/{as_name(evil)}", "_line": "7"}
        odd = finding(f"check {evil}", f"column {evil}", "warn", 1, raw, f"message {evil}", False)
        findings.append(odd | {"rule": evil, "examples": [example]})
        findings.append(
            finding(f"held {evil}", f"column {evil}", "warn", 0, raw, f"held {evil}", True) | {"rule": evil}
        )
    folder = runs / PIPELINE / date / "quality"
    (folder / "quarantine").mkdir(parents=True, exist_ok=True)
    tables = {
        "quarantine": quarantine(folder, date, quarantined, evil),
        "clean": counted(raw - sum(quarantined.values())),
    }
    metrics = {
        "verdict": "failed" if failed else "warn" if warn or hostile else "ok",
        "findings": findings,
        "schema_drift": [f"column {evil} appeared"]
        if hostile
        else ["column Loyalty appeared (string)"]
        if warn
        else [],
        **({"failed": failed} if failed else {}),
    }
    ledger = Ledger(rows_in=raw, rows_out=raw - sum(quarantined.values()), quarantined=quarantined)
    inputs = {"raw": Input(path=f"data/retail/{date}{as_name(evil)}.csv.gz", identity="ab" * 32)}
    files: dict[str, Any] = {"findings.json": {"findings": findings}}
    if profiled:
        rows = shop_rows(date, raw, missing, 0.4 if warn else 0.0, evil)
        if hostile:
            rows[f"column {evil}\u202e"] = rows.pop("Gift")
        described = profile(rows)
        files["profile.json"] = described
        tables["metrics"] = metrics_table(folder, figures(described))
    return make_stage(runs, date, "quality", ledger, metrics, files, tables, inputs)


def history(runs: Path, dates: Sequence[str], **kind: Any) -> dict[str, Source]:
    """Quality folders of earlier good nights under the names that tonight knows them by."""
    return {f"history/{date}": quality(runs, date, **kind) for date in dates}


def finding(
    check: str, column: str | None, severity: str, rows: int, of: int, message: str, ok: bool
) -> dict[str, Any]:
    return {
        "check": check, "column": column, "severity": severity, "rows": rows, "share": rows / of,
        "message": message, "ok": ok,
    }  # fmt: skip


def quarantine(folder: Path, date: str, reasons: Mapping[str, int], evil: str = "", files: int = 2) -> Table:
    """The quarantine table, in `files` Parquet files whose rows are dealt out in turn."""
    rows = []
    for reason, number in reasons.items():
        for index in range(number):
            line = 2 + (len(rows) * 37) % 1700
            values = [
                "C536379",
                "22720",
                "SET OF 3 CAKE TINS PANTRY DESIGN",
                "-1",
                f"{date} 09:41:00",
                "0.00",
                "14527.0",
                "United Kingdom",
            ]
            if index % 5 == 1:
                values[2] = None
            if index % 5 == 2:
                values[6] = ""
            if evil:
                values[2] = evil
                values[7] = "Nul\x00, tab\t, \u202eright-to-left"
            place = f"/data/secret-folder/{date}{as_name(evil)}.csv.gz"
            rows.append(
                {
                    **{f"_raw_{name}": value for name, value in zip(COLUMNS, values, strict=True)},
                    "_corrupt": "536370;10002" if reason == "line does not parse" else None,
                    "date": datetime.date.fromisoformat(date),
                    "_file": place,
                    "_line": line,
                    "reason": reason,
                    "reasons": [reason],
                }
            )
    described = []
    for part in range(files):
        path = folder / "quarantine" / f"part-{part}.parquet"
        table = pa.Table.from_pylist(rows[part::files])
        pq.write_table(table, path)
        found = describe(folder, path)
        described.append(File(found.path, found.bytes, found.checksum, table.num_rows, [table.num_rows]))
    return Table(columns={}, rows=len(rows), rows_hash="1" * 16, files=described)


def zipf_spectrum(keys: int = 2800, rows: int = 46_000) -> dict[int, int]:
    """{frequency: keys} of a shop: f(r) ∝ 1 / (r + 20)^0.95, rounded, at least 1."""
    weights = 1 / (np.arange(1, keys + 1) + 20) ** 1.35
    counts = np.maximum(1, np.round(weights / weights.sum() * rows)).astype(int)
    frequencies, numbers = np.unique(counts, return_counts=True)
    return dict(zip(frequencies.tolist(), numbers.tolist(), strict=True))


def metrics_of(date: str, *, empty: bool = False, evil: str = "") -> dict[str, Any]:
    shift, names = int(date[-2:]) / 1000, [*BANDS[:-1], f"{BANDS[-1]}{evil}"]

    def system(recall: float, loss: float, breadth: int) -> dict[str, Any]:
        by_band = {
            name: {
                "rows": 0 if empty else rows,
                "recall": None if empty or not rows else round(min(1, recall * factor), 4),
                "log_loss": None if empty or not rows else loss + extra,
                "breadth": None if empty else int(breadth * factor / 4),
            }
            for name, rows, factor, extra in zip(
                names, (41, 63, 240, 611, 320), (0, 0.3, 0.55, 1, 1.7), (6, 2.4, 1.1, 0, -1.2), strict=True
            )
        }
        overall = (
            {"log_loss": None, "recall": None, "breadth": None}
            if empty
            else {"log_loss": loss, "recall": recall, "breadth": breadth}
        )
        return {**overall, "bands": by_band}

    systems = {
        "model": system(0.231 + shift, 6.712 - shift, 311),
        "champion": system(0.226 + shift, 6.731 - shift, 305),
        "popularity": system(0.091 + shift, 7.402, 20),
        "cooccurrence": system(0.214, 7.105, 342),
    }
    return {
        "k": 20,
        "rows": 0 if empty else 1275,
        "bands": names,
        "unseen": {"mass": 0.012, "keys": 800},
        "systems": systems,
    }


def full(
    runs: Path,
    date: str,
    *,
    hostile: bool | str = False,
    warn: bool = False,
    promoted: bool = True,
    empty: bool = False,
) -> dict[str, Source]:
    """All stages of a night that ended."""
    evil = evil_of(hostile)
    sources = {"quality": quality(runs, date, hostile=hostile, warn=warn)}
    clean = sources["quality"].manifest.ledger.rows_out
    spectrum = zipf_spectrum()
    train, test = sum(frequency * keys for frequency, keys in spectrum.items()), 1275
    dropped = {
        f"not merchandise (postage, fees){evil}": 388,
        "no other item in the basket": clean - 1275 + 610,
    }
    window = {f"2011-02-{day:02}": Input(f"2011-02-{day:02}/quality", "cd" * 32) for day in range(1, 20)}
    sources["prepare"] = make_stage(
        runs, date, "prepare",
        Ledger(rows_in=train + test + sum(dropped.values()), rows_out=train + test, dropped=dropped),
        tables={"train": counted(train), "test": counted(test)}, inputs=window,
    )  # fmt: skip
    top = [[evil if hostile and rank == 0 else f"{22000 + rank}", 450 - 6 * rank] for rank in range(50)]
    profile = {
        "rows": train, "keys": sum(spectrum.values()), "hapaxes": spectrum[1],
        "unseen_mass": spectrum[1] / train,
        "unseen_keys": 812.5,
        "fit": {
            "alpha": 1.82, "xmin": 4, "ks": 0.031,
            "tail_keys": sum(n for f, n in spectrum.items() if f >= 4),
        },
        "spectrum": [[frequency, keys] for frequency, keys in sorted(spectrum.items())], "top": top,
        "coverage": [[1, 0.01], [10, 0.06], [100, 0.29], [1000, 0.86], [sum(spectrum.values()), 1.0]],
    } | law_facts(spectrum)  # fmt: skip
    if empty:
        profile = dict.fromkeys(profile) | {"spectrum": [], "top": [], "coverage": [], "fit": None}
    shift = None if empty else shift_facts(evil if hostile else "22086", evil)
    sources["zipf"] = make_stage(
        runs, date, "zipf", Ledger(train, train), {"shift": shift}, files={"profile.json": profile}
    )
    by_frequency = []
    for frequency, keys in sorted(spectrum.items()):
        rate = min(1.0, 3.2 * frequency ** (-1 / 3))
        by_frequency.append([frequency, frequency * keys, round(frequency * keys * rate * 0.82), rate])
    kept = sum(row[2] for row in by_frequency)
    selection = selection_facts(train, kept, by_frequency, evil if hostile else "85123A")
    if hostile:
        selection |= {name: f"{name} {evil}" for name in ("budget_asked", "unbiased")}
        selection["policy"] = {"use": evil, evil: evil}
        selection["pilot"] |= {"date": evil, "bands": {evil: 1.0}}
        selection["protected"] = {evil: {"keys": 1, "rows": 2}}
        selection["epochs"] = {"use": "curriculum", "stages": 3, "full_by": 0.5, "order": evil}
    sources["select"] = make_stage(
        runs,
        date,
        "select",
        Ledger(train, kept, dropped={"policy": train - kept}),
        files={"selection.json": selection},
    )
    sources["augment"] = make_stage(runs, date, "augment", Ledger(kept, kept))
    both = {"train": counted(kept), "test": counted(test)}
    columns = {
        f"basket{evil}": {
            "use": f"my.shop.Hashed{evil}",
            "of": f"context{evil}",
            "becomes": "lists of ids",
            "size": 4096,
            "collisions": 0.031,
        },
        "photo": {"use": "image", "becomes": "tensor of uint8", "shape": [32, 32, 3]},
    }
    told_of = {} if empty else {"columns": columns}
    sources["features"] = make_stage(
        runs, date, "features", Ledger(kept + test, kept + test), told_of, tables=both
    )
    sources["shard"] = make_stage(runs, date, "shard", Ledger(kept + test, kept + test), tables=both)
    noise = np.random.default_rng(int(date[-2:]))
    steps = [
        {
            "step": step,
            "epoch": step // 120,
            "loss": float(6.2 + 1.9 * np.exp(-step / 90) + noise.normal(0, 0.05)),
            "lr": 0.01,
        }
        for step in range(1, 480)
    ]
    epochs = [
        {"epoch": epoch, "rows": kept, "loss": 6.25 + 1.7 * float(np.exp(-epoch * 1.2))} for epoch in range(4)
    ]
    curve = {
        "steps": [] if empty else steps,
        "epochs": [] if empty else epochs,
        "world": 2,
        "start": f"2011-02-24{evil}",
    }
    folder = runs / PIPELINE / date / "train"
    figures, config = ({}, None) if empty else training_run(folder, steps, evil)
    metrics = {} if empty else training_metrics(epochs, evil)
    sources["train"] = make_stage(
        runs, date, "train", Ledger(kept, kept), metrics, {"curve.json": curve}, run=figures, config=config
    )
    sources["evaluate"] = make_stage(
        runs,
        date,
        "evaluate",
        Ledger(test, test),
        files={"metrics.json": metrics_of(date, empty=empty, evil=evil)},
    )
    reason = (
        "No worse than the champion overall or in any band"
        if promoted
        else "Recall@20 in band 2–9 fell by 0.021, more than 0.01"
    )
    decision = {
        "promoted": promoted,
        "champion": f"{date if promoted else '2011-02-24'}{evil}",
        "previous": "2011-02-24",
        "reasons": [f"{reason}{evil}"],
    }
    command = [
        "lsml",
        "run",
        f"pipelines/{evil or 'shop'}.yaml",
        "--date",
        date,
        "--set",
        f"raw.folder={evil or 'my days'}",
    ]
    told = {"versions": {f"library{evil}": f"1.0{evil}"}, "command": command} if hostile else {}
    sources["promote"] = make_stage(
        runs, date, "promote", Ledger(), files={"decision.json": decision}, run=told
    )
    return sources


def report(runs: Path, date: str, sources: Mapping[str, Source], config: Config | None = None) -> Path:
    """Run the report stage over the sources, write its manifest as `flow` does, and return the path of
    night.html.
    """
    folder = runs / PIPELINE / date / "report"
    folder.mkdir(parents=True, exist_ok=True)
    work = Work(PIPELINE, "report", datetime.date.fromisoformat(date), 7, folder, sources)
    outcome = run(work, config or Config())
    outcome.ledger.check("report")
    Manifest(
        stage="report", pipeline=PIPELINE, date=date, seed=7, config={}, fingerprint="0" * 64, inputs={},
        tables=outcome.tables,
        files=outcome.files, ledger=outcome.ledger, metrics=json.loads(json.dumps(outcome.metrics)),
        run=outcome.run,
    ).write(folder)  # fmt: skip
    return folder / "night.html"


def rewritten(source: Source, name: str, facts: Mapping[str, Any]) -> None:
    """Another content of a stage's JSON file, which the manifest then names by its new checksum."""
    file = write_json(source.folder, name, facts)
    source.manifest.files[:] = [file if file.path == old.path else old for old in source.manifest.files]
    source.manifest.write(source.folder)


def before(sources: Mapping[str, Source]) -> dict[str, Source]:
    """Last night's sources under the names that tonight knows them by."""
    return {f"previous/{stage}": source for stage, source in sources.items()}
