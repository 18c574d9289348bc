"""What the five scripts share: find the data, run the protocol, print the tables, write
benchmarks/results/<script>.json.
"""

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from machine import machine

from selection.figures import report
from selection.protocol import Protocol

REPO = Path(__file__).resolve().parents[2]
SHARES = (0.05, 0.1, 0.25, 0.5)
SEEDS = (1, 2, 3, 4, 5)


def main(document: str, folder: str, load: Callable[[Path, bool], Sequence[tuple]]) -> None:
    """`load(data, quick)`: each task, its keep shares and, where not all, its arms, from the folder that has
    `folder` in it.
    """
    parser = argparse.ArgumentParser(
        description=document, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=REPO.parent / "shared" / "data")
    parser.add_argument(
        "--quick", action="store_true", help="two seeds on less data, nothing written: a check that it runs"
    )
    scratch = Path(tempfile.gettempdir()) / "lsml-selection"
    parser.add_argument(
        "--scratch", type=Path, default=scratch, help="finished fits; delete it to begin anew"
    )
    arguments = parser.parse_args()
    if not (arguments.data / folder).is_dir():
        print(
            f"{arguments.data / folder}: no such folder, and the proof on this data needs it; --data says "
            "where the data sets are"
        )
        sys.exit(0)
    stem, tasks = Path(sys.argv[0]).stem, {}
    print(machine())
    for task, shares, *arms in load(arguments.data, arguments.quick):
        seeds, folder = (SEEDS[:2], "quick") if arguments.quick else (SEEDS, "full")
        protocol = Protocol(task, shares, seeds, arguments.scratch / folder, *arms)
        tasks[task.name] = report(protocol, protocol.run())
        show(tasks[task.name])
        if not arguments.quick:
            write(stem, tasks)


def write(stem: str, tasks: dict) -> None:
    """The results so far, into benchmarks/results."""
    facts = {
        "date": str(datetime.date.today()),
        "machine": machine(),
        "command": f"python benchmarks/{stem}.py",
    }
    path = REPO / "benchmarks" / "results" / f"{stem}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(compact(facts | {"tasks": tasks}))
    print(f"wrote {path}")


def compact(facts: dict) -> str:
    """JSON, indented down to the arms, so that a diff shows what moved and the file stays small."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"))
    return text.replace('},"', '},\n"') + "\n"


def show(figures: dict) -> None:
    """One table per keep share."""
    gains, times = figures["headline"]["gain"]["log_loss"], figures["headline"]["multiplier"]["log_loss"]
    for share, arms in figures["arms"].items():
        print(f"\n{figures['task']} keep {share}")
        heads = (
            f"{'log loss':>8} {'− random':>26} {'key loss':>8} {'− random':>26} {'error':>6} "
            f"{'gain':>6} {'×':>6}"
        )
        print(f"{'arm':<17} {'rows':>8} {'ess':>5} {'lr':>6} {heads}")
        for arm, entry in arms.items():
            cells = [f"{arm:<17} {entry['rows']:>8.0f} {entry['ess']:>5.2f} {entry['lr']:>6g}"]
            for metric in ("log_loss", "key_loss"):
                difference = entry.get(metric + "_against_random")
                cells.append(f"{entry[metric][0]:>8.4f} {spread(difference) if difference else '':>26}")
            cells.append(
                f"{entry['error'][0]:>6.3f} {gains.get(share, {}).get(arm, [''])[0]:>6} "
                f"{times.get(share, {}).get(arm, [''])[0]:>6}"
            )
            print(" ".join(cells))
    print(json.dumps(figures["headline"]["versus"], ensure_ascii=False)[:2000], flush=True)


def spread(difference: Sequence[float]) -> str:
    """An estimate and its interval."""
    return f"{difference[0]:+.4f} [{difference[1]:+.4f}, {difference[2]:+.4f}]"
