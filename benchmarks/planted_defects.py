"""Claim: the quality stage names the lines that are wrong, and the days that are, and stops no good day.

    python benchmarks/planted_defects.py [--data retail taxi] [--rates 0.01] [--defects "line twice" …]
    [--history 7] [--suggest]

Corrupts a real day in the ways of tests/quality/defects.py, at several rates, and judges it after a history
of clean days with the checks of tests/quality/planted.yaml, with `--suggest` those that `lsml quality
suggest` proposes from that history too. Recall of a defect in lines: the share of the wrong lines that a row
check names; of a defect of the day: whether the stage says something that it does not say of the clean day.
"""

import argparse
import csv
import datetime
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from machine import machine

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests" / "quality"))

from defects import DEFECTS, Defect, Raw, Roles  # noqa: E402
from planted import Bench, Found, checks_of, days_of, roles_of, without_named  # noqa: E402

FOLDERS = {"retail": REPO / "pipelines" / "data" / "retail", "taxi": REPO.parent / "shared" / "data" / "taxi"}
LAST = {"retail": datetime.date(2011, 2, 17), "taxi": datetime.date(2019, 9, 30)}  # the day that is corrupted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["retail", "taxi"], choices=FOLDERS)
    parser.add_argument("--rates", nargs="+", type=float, default=[0.001, 0.01, 0.05])
    parser.add_argument("--defects", nargs="+", default=[defect.name for defect in DEFECTS])
    parser.add_argument("--history", type=int, default=7)
    parser.add_argument("--suggest", action="store_true")
    arguments = parser.parse_args()
    from lsml_spark.spark.session import session

    spark = session({"spark.sql.shuffle.partitions": "2"})
    print(machine(), flush=True)
    for name in arguments.data:
        if not FOLDERS[name].is_dir():
            print(f"{name}: {FOLDERS[name]} is not there")
            continue
        with tempfile.TemporaryDirectory() as root:
            days = days_of(FOLDERS[name], name)
            before = [date for date in days if date < LAST[name]]
            known = write_known(
                Path(root, "known.csv"), [days[date] for date in before], roles_of(name, days[before[-1]])
            )
            checks = checks_of(name, known)
            if arguments.suggest:
                checks = with_suggested(
                    spark, Path(root), checks, [days[date] for date in before[-arguments.history :]]
                )
            bench = Bench(spark, Path(root), checks)
            judge(bench, name, days, before[-arguments.history :], arguments)


def judge(
    bench: Bench,
    name: str,
    days: dict[datetime.date, Raw],
    history: list[datetime.date],
    arguments: argparse.Namespace,
) -> None:
    failed = []
    for date in [*history, LAST[name]]:
        found = bench.remember(date, days[date].text().encode())
        failed += [f"{date}: {found.failed}"] if found.failed else []
    bench.history.popitem()  # the day that is judged is not its own past
    print(
        f"\n{name}: {len(history) + 1} clean days, {len(failed)} "
        f"failed{''.join(f'; {why}' for why in failed)}",
        flush=True,
    )
    day, roles = days[LAST[name]], roles_of(name, days[history[-1]])
    usual = bench.judge(LAST[name], day.text().encode())
    reasons = Counter(reason for reasons in usual.lines.values() for reason in reasons)
    share = len(usual.lines) / usual.rows
    print(
        f"of the clean day's {usual.rows} lines {share:.2%} named: "
        f"{'; '.join(f'{n} {why}' for why, n in reasons.most_common())}"
    )
    day = without_named(day, usual)
    usual = bench.judge(LAST[name], day.text().encode())
    print(
        f"said of the other lines: {'; '.join(sorted(usual.broken)) or 'nothing'}; {len(usual.lines)} of "
        "them named\n"
    )
    rates = "".join(f"{rate:>8.1%}" for rate in arguments.rates)
    print(f"{'defect':<24} {'found by':<24}{rates}   seconds  missed or said", flush=True)
    recalls: dict[float, list[float]] = {rate: [] for rate in arguments.rates}
    for defect in DEFECTS:
        if defect.name in arguments.defects and defect.fits(roles):
            rates = arguments.rates if defect.kind != "day" else arguments.rates[:1]
            line(bench, defect, day, roles, LAST[name], usual, rates, recalls)
    print(
        f"{'mean over defects':<49}"
        + "".join(f"{sum(found) / max(1, len(found)):>8.1%}" for found in recalls.values()),
        flush=True,
    )


def line(
    bench: Bench,
    defect: Defect,
    day: Raw,
    roles: Roles,
    date: datetime.date,
    usual: Found,
    rates: list[float],
    recalls: dict[float, list[float]],
) -> None:
    """Judge the day with one defect at each rate and print a line of the table."""
    started, cells, said = time.perf_counter(), [], ""
    for rate in rates:
        truth = defect.plant(day, roles, rate)
        found = bench.judge(date, truth.data)
        if truth.lines is None:
            news = found.news(usual)
            said = "; ".join(sorted(news))[:120] or "nothing"
            for all_rates in recalls.values():
                all_rates.append(float(bool(news)))
            cells = [f"{'found' if news else 'missed':>8}"] + [" " * 8] * (len(recalls) - 1)
        else:
            recall = found.recall(truth)
            recalls[rate].append(recall)
            cells.append(f"{recall:>8.1%}")
            missed = sorted(truth.lines - found.lines.keys())
            said = f"{len(missed)} of {len(truth.lines)}, e.g. line {missed[0]}" if missed else ""
    took = (time.perf_counter() - started) / len(rates)
    print(f"{defect.name:<24} {defect.found_by:<24}" + "".join(cells) + f"{took:>10.1f}  {said}", flush=True)


def write_known(path: Path, days: list[Raw], roles: Roles) -> Path:
    """Keys and categories of earlier days, for `references`."""
    columns = [column for column in (roles.key, roles.category) if column]
    known = {tuple(row[day.header.index(column)] for column in columns) for day in days for row in day.rows}
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *sorted(known)])
    return path


def with_suggested(spark: Any, root: Path, checks: dict[str, Any], days: list[Raw]) -> dict[str, Any]:
    """Hand-written checks and those proposed from these days, in one list; the hand-written contract."""
    from lsml_spark.quality.suggest import section

    folder = root / "shown"
    folder.mkdir()
    for number, day in enumerate(days):
        (folder / f"{number}.csv").write_text(day.text())
    proposed = section(spark, [folder])
    columns = {
        name: checks["columns"].get(name, []) + proposed.get("columns", {}).get(name, [])
        for name in checks["contract"]
    }
    return {
        **checks,
        "columns": columns,
        "rows": checks["rows"] + proposed.get("rows", []),
        "table": checks["table"] + proposed.get("table", []),
    }


if __name__ == "__main__":
    main()
