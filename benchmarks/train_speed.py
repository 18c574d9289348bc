"""Goals: our trainer, reading shards, saving checkpoints and keeping metrics, at 0.97 of the rows per second
of a bare PyTorch loop on tensors in memory; two ranks over gloo scale at 0.9 of bare DDP's; it trains again
within 10 s of a kill; checkpoints take < 1 %.

    python benchmarks/train_speed.py --venvs DIR --prepare  # the peers' environments: minutes, and gigabytes
    python benchmarks/train_speed.py --venvs DIR [--rounds 3] [--shapes retail …] [--peers fabric …]
        [--worlds 1 2] [--scratch DIR]

Peers: Lightning Fabric, Hugging Face Accelerate, Ray Train, all on tensors in memory (`training/child.py`);
ours twice: with a lane for each rank, and with the eight lanes that give any number of ranks the same bits.
Same network, batch, optimiser, clipping, one thread a rank, the same environment of the ranks. Each reading
is a process of its own, in rounds in which every trainer has a turn; ratios are medians of the rounds' ratios
against the bare loop of the same round.
"""

import argparse
import importlib.metadata
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import machine
from training.rows import SHAPES, drawn, write

from lsml_spark.train.survival.launch import environment

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent / "training"
COMMON = ["torch==2.13.0", "numpy", "pyarrow", "pydantic", "PyYAML", "safetensors", "scipy", "xxhash"]
PEERS = {"fabric": "lightning-fabric", "accelerate": "accelerate", "ray": "ray[train]"}
LANES = 8
LIMIT = 300.0
EXACT, PLAIN = "lsml, 8 lanes", "lsml, a lane a rank"


def prepare(venvs: Path) -> None:
    """An environment for each peer that has none. One that cannot be made is said and left out."""
    for peer, package in PEERS.items():
        folder = venvs / peer
        if (folder / ".ready").exists():
            continue
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        command = [
            folder / "bin" / "python",
            "-m",
            "pip",
            "install",
            "-q",
            "--no-compile",
            "-c",
            ROOT / "constraints.txt",
            package,
            *COMMON,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        (folder / (".ready" if done.returncode == 0 else ".failed")).write_text(
            done.stderr[-500:] if done.returncode else ""
        )
        print(f"{peer}: {'ready' if done.returncode == 0 else done.stderr.strip()[-500:]}", flush=True)


def said(command: list) -> dict:
    """The JSON that a process says last."""
    path = f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}"
    told = {
        **os.environ,
        **environment(),
        "PYTHONPATH": path,
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen(list(map(str, command)), env=told, **pipes)
    try:
        out, error = process.communicate(timeout=LIMIT)
        return json.loads(out.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # ranks, and what Ray starts beside them
        process.communicate()
        return {"failed": f"not done within {LIMIT:.0f} s"}
    except (IndexError, ValueError):
        return {"failed": f"exit code {process.returncode}: {' '.join(error.split())[-300:]}"}


def peer(name: str, shape: str, world: int, venvs: Path) -> dict:
    python = sys.executable if name == "bare" else venvs / name / "bin" / "python"
    if name != "bare" and not (venvs / name / ".ready").exists():
        return {"failed": "not installed: --prepare"}
    ranks = (
        ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}"]
        if world > 1 and name != "ray"
        else []
    )
    return said([python, *ranks, HERE / "child.py", name, shape, world])


def ours(shape: str, world: int, lanes: int, night: Path, *kill: str) -> dict:
    return said([sys.executable, HERE / "ours.py", shape, world, lanes, night, *kill])


def measure(shape: str, world: int, told: argparse.Namespace, night: Path) -> dict:
    runs: dict[str, list[dict]] = {name: [] for name in ("bare", PLAIN, EXACT, *told.peers)}
    for number in range(told.rounds):
        for name, found in runs.items():
            if number and "failed" in found[0]:
                continue
            for left in ("train", ".train"):
                shutil.rmtree(night / left, ignore_errors=True)
            if name in (PLAIN, EXACT):
                found.append(ours(shape, world, world if name == PLAIN else LANES, night))
            else:
                found.append(peer(name, shape, world, told.venvs))
            print(f"{shape}, {world} ranks, round {number + 1}: {name}: {found[-1]}", flush=True)
    limit = [run.get("rows_per_second") for run in runs["bare"]]
    return {name: summary(found, limit) for name, found in runs.items()}


def summary(found: list[dict], limit: list[float | None]) -> dict:
    rates = [run["rows_per_second"] for run in found if "rows_per_second" in run]
    if not rates:
        return found[0]
    ratios = [
        run["rows_per_second"] / bare
        for run, bare in zip(found, limit, strict=False)
        if bare and "rows_per_second" in run
    ]
    told = {"rows_per_second": round(statistics.median(rates)), "all": [round(rate) for rate in rates]}
    told |= (
        {"of_bare": round(statistics.median(ratios), 3), "of_bare_all": [round(ratio, 3) for ratio in ratios]}
        if ratios
        else {}
    )
    shares = [run["checkpoint_share"] for run in found if "checkpoint_share" in run]
    return told | (
        {"checkpoint_share": round(statistics.median(shares), 4), "by_phase": found[-1]["by_phase"]}
        if shares
        else {}
    )


def goals(shapes: dict) -> list[str]:
    """What was aimed at and what came of it."""
    lines = []
    for shape, found in shapes.items():
        for name in (PLAIN, EXACT):
            for world, readings in found["worlds"].items():
                reading = readings[name]
                if "of_bare" in reading:
                    lines.append(
                        line(f"{shape}, {world} rank(s), {name}: of the bare loop", reading["of_bare"], 0.97)
                    )
                    share = reading["checkpoint_share"]
                    lines.append(
                        f"{shape}, {world} rank(s), {name}: checkpoints {share:.2%} of the time, goal < 1 %: "
                        f"{word(share < 0.01)}"
                    )
            one, two = (found["worlds"].get(world, {}) for world in ("1", "2"))
            rates = [of.get(who, {}).get("rows_per_second") for who in (name, "bare") for of in (two, one)]
            if all(rates):
                lines.append(
                    line(
                        f"{shape}, {name}: scaling to two ranks, of bare DDP's",
                        rates[0] / rates[1] / (rates[2] / rates[3]),
                        0.9,
                    )
                )
        again = found["resume"].get("seconds_to_train_again")
        if again:
            lines.append(
                f"{shape}: start, resume and end beside the steps {again:.1f} s, goal 10: {word(again <= 10)}"
            )
    return lines


def line(what: str, ratio: float, goal: float) -> str:
    return f"{what}: {ratio:.3f}, goal {goal}: {word(ratio >= goal)}"


def word(reached: bool) -> str:
    return "reached" if reached else "missed"


def table(shapes: dict) -> str:
    heads = [(shape, world) for shape, found in shapes.items() for world in found["worlds"]]
    lines = [
        "| thousand rows/s (of bare) | " + " | ".join(f"{shape}, {world}" for shape, world in heads) + " |"
    ]
    lines.append("|---" * (len(heads) + 1) + "|")
    for name in dict.fromkeys(name for shape, world in heads for name in shapes[shape]["worlds"][world]):
        cells = []
        for shape, world in heads:
            reading = shapes[shape]["worlds"][world].get(name, {})
            ratio = f" ({reading['of_bare']:.2f})" if "of_bare" in reading else ""
            cells.append(
                f"{reading['rows_per_second'] / 1000:,.1f}{ratio}" if "rows_per_second" in reading else "–"
            )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def versions(venvs: Path, peers: list[str]) -> dict[str, str]:
    found = {"torch": importlib.metadata.version("torch")}
    for name in peers:
        package = PEERS[name].partition("[")[0]
        script = f"import importlib.metadata as m; print(m.version({package!r}), m.version('torch'))"
        done = subprocess.run([venvs / name / "bin" / "python", "-c", script], capture_output=True, text=True)
        found[package] = done.stdout.strip() or "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--venvs", type=Path, required=True)
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--worlds", nargs="+", type=int, choices=(1, 2), default=[1, 2])
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "train_speed.json")
    told = parser.parse_args()
    told.venvs = told.venvs.resolve()
    if told.prepare:
        prepare(told.venvs)
        return
    scratch = Path(tempfile.mkdtemp(prefix="train-speed-", dir=told.scratch))
    result = {
        "machine": machine(),
        "command": " ".join(["python", "benchmarks/train_speed.py", *sys.argv[1:]]),
        "versions": versions(told.venvs, told.peers),
        "environment": {name: value for name, value in environment().items() if name != "PYTHONPATH"},
        "shapes": {},
    }
    try:
        for shape in told.shapes:
            night = scratch / shape
            write(SHAPES[shape], *drawn(SHAPES[shape]), night)
            worlds = {str(world): measure(shape, world, told, night) for world in told.worlds}
            resume = ours(shape, max(told.worlds), LANES, night, "kill")
            result["shapes"][shape] = {
                "rows": SHAPES[shape].rows,
                "batch": SHAPES[shape].batch,
                "worlds": worlds,
                "resume": resume,
            }
            result["goals"] = goals(result["shapes"])
            told.out.write_text(json.dumps(result, indent=1) + "\n")
        print("\n".join(["", result["machine"], "", table(result["shapes"]), "", *result["goals"]]))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
