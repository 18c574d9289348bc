"""Goals: shuffled batches at 0.3 (tabular), 0.4 (dense, images) or 0.15 (ragged) of the speed of pyarrow's
bare reading of the same bytes; at least 10 times petastorm's shuffling BatchedDataLoader (5 on ragged) and
every other streaming peer; a permuted TensorDataset on tabular.

    python benchmarks/loading.py --venvs DIR --prepare  # the peers' environments: minutes, and gigabytes
    python benchmarks/loading.py --venvs DIR [--rounds 3] [--seconds 8] [--shapes tabular …]
        [--readers lsml …] [--scale 1] [--scratch DIR]

One trainer process, batches of 1024, six shapes of rows (`loading/shapes.py`), all local. Each peer gets the
same rows in the format and the layout that its documentation recommends, and the ways to read that it offers
(`loading/*.py`). Each reading is a process of its own, `--seconds` long after its first batch, in rounds in
which every reader has a turn; figures are medians of rounds. What an epoch gave is checked by count and sum
of its labels where it ended in time. What cannot be installed or read says why.
"""

import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loading.shapes import ROWS, SHAPES
from machine import machine

ROOT = Path(__file__).parents[1]
OURS, LIMIT, MEMORY = "lsml", "limit: pyarrow read", "TensorDataset, permuted index"
PETASTORM = "petastorm BatchedDataLoader, shuffled"
PEERS = ("petastorm_loaders", "hf_datasets", "mosaicml", "litdata_stream", "webdataset_tars", "ray_data")


@dataclass(frozen=True)
class Entry:
    """A reader: the module that has it, and the one whose files it reads."""

    name: str
    reader: str
    module: str
    files: str


def entries() -> list[Entry]:
    found = []
    for module in ("ours", "limits", *PEERS):
        files = "limits" if module == "ours" else module
        found += [
            Entry(name, name, module, files) for name in importlib.import_module(f"loading.{module}").READERS
        ]
    on_ours = importlib.import_module("loading.petastorm_loaders").ON_OUR_SHARDS
    return found + [Entry(f"{name}, our shards", name, "petastorm_loaders", "limits") for name in on_ours]


def python_of(module: str, venvs: Path) -> Path:
    return Path(sys.executable) if module in ("ours", "limits") else venvs / module / "bin" / "python"


def prepare(venvs: Path) -> None:
    """An environment for each peer that has none. One that cannot be made is said and left out."""
    for module in PEERS:
        folder, requirements = venvs / module, importlib.import_module(f"loading.{module}").REQUIREMENTS
        if (folder / ".ready").exists():
            continue
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [folder / "bin" / "python", "-m", "pip", "install", "-q", "--no-compile", *requirements]
        done = subprocess.run(install, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            (folder / ".failed").write_text(done.stderr.strip().splitlines()[-1])
            print(f"{module}: {done.stderr.strip()[-500:]}", flush=True)
        else:
            (folder / ".ready").touch()
            print(f"{module}: ready", flush=True)


def child(module: str, venvs: Path, arguments: list, limit: float) -> dict:
    """The JSON that a reader's process says last."""
    python = python_of(module, venvs)
    if not python.exists() or (venvs / module / ".failed").exists():
        why = venvs / module / ".failed"
        return {"cannot": f"not installed: {why.read_text()}" if why.exists() else "not installed: --prepare"}
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [python, ROOT / "benchmarks" / "loading" / "child.py", *map(str, arguments)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"failed": f"no batch within {limit:.0f} s"}
    try:
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {"failed": f"exit code {done.returncode}: {' '.join(done.stderr.split())[-300:]}"}


def measure(shape: str, chosen: list[Entry], told: argparse.Namespace, scratch: Path) -> dict:
    count = max(1024, int(ROWS[shape] * told.scale))
    written = {}
    for files in dict.fromkeys(entry.files for entry in chosen):
        written[files] = child(
            files, told.venvs, ["write", files, shape, count, scratch / shape / files], 600
        )
        print(f"{shape}: written for {files}: {written[files]}", flush=True)
    runs: dict[str, list[dict]] = {entry.name: [] for entry in chosen}
    for number in range(told.rounds):
        for entry in chosen:
            gone = written[entry.files].keys() & {"cannot", "failed"} or (
                number and "rows_per_second" not in runs[entry.name][0]
            )
            if gone:
                continue
            arguments = [
                "read",
                entry.module,
                shape,
                count,
                scratch / shape / entry.files,
                entry.reader,
                told.seconds,
            ]
            runs[entry.name].append(child(entry.module, told.venvs, arguments, 60 + 4 * told.seconds))
            print(f"{shape}, round {number + 1}: {entry.name}: {runs[entry.name][-1]}", flush=True)
    return {
        "rows": count,
        "written": written,
        "readers": {
            name: summary(found) or written_of(name, chosen, written) for name, found in runs.items()
        },
    }


def summary(found: list[dict]) -> dict | None:
    rates = [run["rows_per_second"] for run in found if "rows_per_second" in run]
    if not rates:
        return found[0] if found else None
    wrong = [run["epoch"] for run in found if run.get("right") is False]
    checked = sum("right" in run for run in found)
    first = statistics.median(run["first_batch"] for run in found if "first_batch" in run)
    return {
        "rows_per_second": round(statistics.median(rates)),
        "all": [round(rate) for rate in rates],
        "first_batch": first,
        "checked": checked,
    } | ({"wrong_epochs": wrong} if wrong else {})


def written_of(name: str, chosen: list[Entry], written: dict) -> dict:
    return next(written[entry.files] for entry in chosen if entry.name == name)


def table(found: dict) -> str:
    """Thousand rows per second, and how many times slower than ours, for each shape."""
    shapes = list(found)
    names = list(dict.fromkeys(name for shape in shapes for name in found[shape]["readers"]))
    lines = ["| reader | " + " | ".join(shapes) + " |", "|---" * (len(shapes) + 1) + "|"]
    for name in names:
        cells = []
        for shape in shapes:
            mine, ours = found[shape]["readers"].get(name, {}), found[shape]["readers"].get(OURS, {})
            rate = mine.get("rows_per_second")
            ratio = (
                f" ({ours['rows_per_second'] / rate:.1f} ×)"
                if rate and "rows_per_second" in ours and name != OURS
                else ""
            )
            cells.append(f"{rate / 1000:,.1f}{ratio}" if rate else "–")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def goals(found: dict) -> list[str]:
    """What was aimed at and what came of it."""
    said = []
    for shape, result in found.items():
        rates = {
            name: reader["rows_per_second"]
            for name, reader in result["readers"].items()
            if "rows_per_second" in reader
        }
        if OURS not in rates:
            continue
        peers = {
            name: rate
            for name, rate in rates.items()
            if not name.startswith((OURS, "limit", "TensorDataset", "petastorm"))
        }
        petastorm = {name: rate for name, rate in rates.items() if name.startswith(PETASTORM)}
        wanted = [
            (
                LIMIT,
                rates.get(LIMIT),
                {"tabular": 0.3, "dense": 0.4, "images": 0.4, "ragged": 0.15}.get(shape),
            )
        ]
        wanted += (
            [
                (
                    max(petastorm, key=petastorm.__getitem__),
                    max(petastorm.values()),
                    5 if shape == "ragged" else 10,
                )
            ]
            if petastorm
            else []
        )
        wanted += [(max(peers, key=peers.__getitem__), max(peers.values()), 10)] if peers else []
        wanted += [(MEMORY, rates.get(MEMORY), 1.0 if shape == "tabular" else None)]
        for name, rate, goal in wanted:
            if rate:
                ratio = rates[OURS] / rate
                verdict = "" if goal is None else f", goal {goal}: {'reached' if ratio >= goal else 'missed'}"
                said.append(f"{shape}: {ratio:.2f} of {name}{verdict}")
    return said


def first_batch(scratch: Path, rounds: int) -> dict:
    """Seconds from the start of a process to its first batch of 10,000 shards, as arrays and, in another
    process, as tensors.
    """
    script, folder = ROOT / "benchmarks" / "loading" / "many_shards.py", scratch / "many_shards"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, script, "make", folder], check=True, env=environment)
    runs = []
    for _ in range(rounds):
        found = {}
        for what in ("read", "torch"):
            done = subprocess.run(
                [sys.executable, script, what, folder],
                check=True,
                env=environment,
                capture_output=True,
                text=True,
            )
            found |= json.loads(done.stdout)
        runs.append(found)
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--venvs", type=Path, required=True)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--readers", nargs="+", help="how their names begin; ours is always among them")
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "loading.json")
    told = parser.parse_args()
    if told.prepare:
        prepare(told.venvs)
        return
    told.venvs = told.venvs.resolve()
    chosen = [
        entry
        for entry in entries()
        if not told.readers or entry.name == OURS or entry.name.startswith(tuple(told.readers))
    ]
    scratch = Path(tempfile.mkdtemp(prefix="loading-", dir=told.scratch))
    result = {
        "machine": machine(),
        "command": " ".join(["python", "benchmarks/loading.py", *sys.argv[1:]]),
        "shapes": {},
    }
    try:
        result["first_batch_of_10000_shards"] = first_batch(scratch, told.rounds)
        for shape in told.shapes:
            result["shapes"][shape] = measure(shape, chosen, told, scratch)
            shutil.rmtree(scratch / shape)
            result["goals"] = goals(result["shapes"])
            told.out.parent.mkdir(exist_ok=True)
            told.out.write_text(json.dumps(result, indent=1) + "\n")
        print("\n".join(["", result["machine"], "", table(result["shapes"]), "", *result["goals"]]))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
