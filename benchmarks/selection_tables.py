"""Writes the tables of docs/selection_proof.md from benchmarks/results/selection_*.json, between the page's own markers.

    python benchmarks/selection_tables.py

The lines from `<!-- table NAME -->` to the next empty one are replaced by that table: `headline`, `versus`, `bands`, or the name of a task.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PAGE = REPO / "docs" / "selection_proof.md"
CHOSEN = ("zipf", "zipf_redrawn", "zipf_weighted", "mixed")
ASIDE = ("bandit_item_id",)  # in the results alone
SAME_IN_ONE_PASS = ("rs2", "zipf_redrawn", "full_fewer")  # as random, zipf and random
BLOCK = re.compile(r"(<!-- table (\S+) -->\n)(?:.+\n)*")


def main() -> None:
    tasks: dict[str, dict] = {}
    for path in sorted((REPO / "benchmarks" / "results").glob("selection_*.json")):
        tasks |= json.loads(path.read_text())["tasks"]
    whole: dict[str, Callable[[dict], list[str]]] = {"headline": headline, "versus": versus, "bands": bands}

    def table(block: re.Match) -> str:
        name = block[2]
        if name not in whole and name not in tasks:
            return f"{block[1]}Not measured yet.\n"
        lines = whole[name]({name: task for name, task in tasks.items() if name not in ASIDE}) if name in whole else of_task(tasks[name])
        return block[1] + "\n".join(lines) + "\n"

    PAGE.write_text(BLOCK.sub(table, PAGE.read_text()))
    print(f"{PAGE}: {len(tasks)} tasks")


def headline(tasks: dict) -> list[str]:
    """What selection recovers, beside what there is to recover."""
    lines = row("task", "full − random at ½", *(f"gain ½ {arm}" for arm in CHOSEN), *(f"× ¼ {arm}" for arm in CHOSEN[:2]), "per key ½ zipf")
    for task in tasks.values():
        found = task["headline"]
        gains, times = found["gain"]["log_loss"]["0.5"], found["multiplier"]["log_loss"].get("0.25", {})
        per_key = task["arms"]["0.5"]["zipf"]["key_loss_against_random"]
        full = found["full_against_random"]["log_loss"]["0.5"]
        worth = [(ratio(gains[arm]) if full[2] < 0 else "–") if arm in gains else "" for arm in CHOSEN]
        reach = [factor(times[arm], 4.0) if arm in times else "" for arm in CHOSEN[:2]]
        lines.append(cells(task["task"], thousandths(full), *worth, *reach, thousandths(per_key)))
    return lines


def versus(tasks: dict) -> list[str]:
    """zipf against the two baselines that look most like it, each drawn as zipf is: once, or anew for every epoch."""
    pairs = (("zipf", "rs2"), ("zipf_redrawn", "rs2"), ("zipf", "placebo"), ("zipf_weighted", "placebo_weighted"))
    lines = row("task", *(f"{one} − {other}, {share}" for one, other in pairs for share in ("½", "¼")))
    for task in tasks.values():
        values = []
        for one, other in pairs:
            for share in ("0.5", "0.25"):
                found = task["headline"]["versus"].get(share, {}).get(f"{one} − {other}")
                values.append(thousandths(found["log_loss"]) if found else "")
        lines.append(cells(task["task"], *values))
    return lines


def bands(tasks: dict) -> list[str]:
    """Where the difference of zipf against random at ½ comes from."""
    names = ("0", "1", "2–9", "10–99", "100–999", "1000+")
    lines = row("task", *names)
    for task in tasks.values():
        found = task["arms"]["0.5"]["zipf"]["bands"]
        values = [thousandths(found[band]["log_loss_against_random"]) if band in found else "" for band in names]
        lines.append(cells(task["task"], *values))
    return lines


def of_task(task: dict) -> list[str]:
    """Every arm at ½, and its multipliers at all shares."""
    shares = [str(share) for share in sorted(task["shares"], reverse=True)]
    lines = row(
        "arm at ½", "ESS", "lr", "log loss", "− random", "per key", "− random", "error", "gain", *(f"× at {share}" for share in shares)
    )
    times = task["headline"]["multiplier"]["log_loss"]
    worth = task["headline"]["full_against_random"]["log_loss"]["0.5"][2] < 0
    for arm, found in (task["arms"]["0.5"] | task["arms"]["1.0"]).items():
        if arm == "placebo_weighted" or (task["epochs"] <= 1 and arm in SAME_IN_ONE_PASS):
            continue
        differences = [thousandths(found[name]) if name in found else "" for name in ("log_loss_against_random", "key_loss_against_random")]
        gain = task["headline"]["gain"]["log_loss"]["0.5"].get(arm)
        reach = [factor(times[share][arm], 1 / float(share)) if arm in times[share] else "" for share in shares]
        lines.append(
            cells(
                arm.replace("_", " "), f"{found['ess']:.2f}", f"{found['lr']:g}", f"{found['log_loss'][0]:.4f}",
                "" if arm == "random" else differences[0], f"{found['key_loss'][0]:.4f}", "" if arm == "random" else differences[1],
                f"{found['error'][0]:.1%}", f"{gain[0]:.2f}".replace("-", "−") if gain and worth else "", *reach,
            )
        )  # fmt: skip
    return lines


def row(*heads: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [cells(*(head.replace("_", " ") for head in heads)), "|" + "---|" * len(heads)]


def cells(*values: str) -> str:
    return "| " + " | ".join(values) + " |"


def thousandths(value: Sequence[float]) -> str:
    """A difference of losses and its interval, × 10³; bold where the interval excludes 0."""
    estimate, low, high = (f"{1000 * x:+.1f}".replace("-", "−") for x in value)
    text = f"{estimate} [{low}, {high}]"
    return f"**{text}**" if value[1] > 0 or value[2] < 0 else text


def ratio(value: Sequence[float]) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*value).replace("-", "−")


def factor(value: Sequence[float], most: float) -> str:
    """A data multiplier; > where all rows drawn at random do not reach the loss."""
    return f"> {most:g}" if value[0] >= most else f"{value[0]:.1f}"


if __name__ == "__main__":
    main()
