"""Writes the tables of docs/selection_proof.md from benchmarks/results/selection_*.json, between its markers.

    python benchmarks/selection_tables.py

The lines from `<!-- table NAME, PART -->` to the next empty one are replaced by that part of a table: of
`headline` loss, gain or times; of `versus` rs2 or placebo; of `bands` rare or frequent; of a task loss or
times. A whole table is wider than a page.
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
BLOCK = re.compile(r"(<!-- table (\S+?)(?:, (\w+))? -->\n)(?:.+\n)*")
PAIRS = {
    "rs2": (("zipf", "rs2"), ("zipf_redrawn", "rs2")),
    "placebo": (("zipf", "placebo"), ("zipf_weighted", "placebo_weighted")),
}
FREQUENCIES = {"rare": ("0", "1", "2–9"), "frequent": ("10–99", "100–999", "1000+")}
SHORT = {"names_ngrams_1_pass": "names 1×", "names_ngrams_3_passes": "names 3×", "names_gru": "names GRU"}


def main() -> None:
    tasks: dict[str, dict] = {}
    for path in sorted((REPO / "benchmarks" / "results").glob("selection_*.json")):
        tasks |= json.loads(path.read_text())["tasks"]
    whole: dict[str, Callable[[dict, str], list[str]]] = {
        "headline": headline,
        "versus": versus,
        "bands": bands,
    }

    def table(block: re.Match) -> str:
        name, part = block[2], block[3]
        if name not in whole and name not in tasks:
            return f"{block[1]}Not measured yet.\n"
        shown = {name: task for name, task in tasks.items() if name not in ASIDE}
        lines = whole[name](shown, part) if name in whole else of_task(tasks[name], part)
        return block[1] + "\n".join(lines) + "\n"

    PAGE.write_text(BLOCK.sub(table, PAGE.read_text()))
    print(f"{PAGE}: {len(tasks)} tasks")


def headline(tasks: dict, part: str) -> list[str]:
    """What selection recovers, beside what there is to recover."""
    heads = {
        "loss": ("full − random at ½", "loss a key, ½ zipf − random"),
        "gain": tuple(f"gain ½ {arm}" for arm in CHOSEN),
        "times": tuple(f"× ¼ {arm}" for arm in CHOSEN[:2]),
    }
    lines = row("task", *heads[part])
    for name, task in tasks.items():
        found = task["headline"]
        gains, times = found["gain"]["log_loss"]["0.5"], found["multiplier"]["log_loss"].get("0.25", {})
        full = found["full_against_random"]["log_loss"]["0.5"]
        values = {
            "loss": [thousandths(full), thousandths(task["arms"]["0.5"]["zipf"]["key_loss_against_random"])],
            "gain": [(ratio(gains[arm]) if full[2] < 0 else "–") if arm in gains else "" for arm in CHOSEN],
            "times": [factor(times[arm], 4.0) if arm in times else "" for arm in CHOSEN[:2]],
        }
        lines.append(cells(SHORT.get(name, name), *values[part]))
    return lines


def versus(tasks: dict, part: str) -> list[str]:
    """zipf against one of the two baselines that look most like it, drawn alike: once, or anew every
    epoch.
    """
    lines = row("task", *(f"{one}, {share}" for one, _ in PAIRS[part] for share in ("½", "¼")))
    for name, task in tasks.items():
        values = []
        for one, other in PAIRS[part]:
            for share in ("0.5", "0.25"):
                found = task["headline"]["versus"].get(share, {}).get(f"{one} − {other}")
                values.append(thousandths(found["log_loss"]) if found else "")
        lines.append(cells(SHORT.get(name, name), *values))
    return lines


def bands(tasks: dict, part: str) -> list[str]:
    """Where the difference of zipf against random at ½ comes from."""
    names = FREQUENCIES[part]
    lines = row("task", *names)
    for name, task in tasks.items():
        found = task["arms"]["0.5"]["zipf"]["bands"]
        values = [
            thousandths(found[band]["log_loss_against_random"]) if band in found else "" for band in names
        ]
        lines.append(cells(SHORT.get(name, name), *values))
    return lines


def of_task(task: dict, part: str) -> list[str]:
    """Every arm at ½: its loss, or its gain and its multipliers at all shares."""
    shares = [str(share) for share in sorted(task["shares"], reverse=True)]
    times = task["headline"]["multiplier"]["log_loss"]
    worth = task["headline"]["full_against_random"]["log_loss"]["0.5"][2] < 0
    lines = row(*(("arm", "ESS", "log loss", "− random", "a key", "− random", "error") if part == "loss" else
                  ("arm", "lr", "gain", *(f"× at {share}" for share in shares))))  # fmt: skip
    for arm, found in (task["arms"]["0.5"] | task["arms"]["1.0"]).items():
        if arm == "placebo_weighted" or (task["epochs"] <= 1 and arm in SAME_IN_ONE_PASS):
            continue
        name = arm.replace("_", " ")
        if part == "loss":
            less, less_a_key = (
                thousandths(found[kind]) if kind in found and arm != "random" else ""
                for kind in ("log_loss_against_random", "key_loss_against_random")
            )
            loss, a_key = f"{found['log_loss'][0]:.4f}", f"{found['key_loss'][0]:.4f}"
            lines.append(
                cells(name, f"{found['ess']:.2f}", loss, less, a_key, less_a_key, f"{found['error'][0]:.1%}")
            )
        elif arm not in ("random", "full"):
            gain = task["headline"]["gain"]["log_loss"]["0.5"].get(arm)
            reach = [
                factor(times[share][arm], 1 / float(share)) if arm in times[share] else "" for share in shares
            ]
            lines.append(
                cells(
                    name,
                    f"{found['lr']:g}",
                    f"{gain[0]:.2f}".replace("-", "−") if gain and worth else "",
                    *reach,
                )
            )
    return lines


def row(*heads: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return [cells(*(head.replace("_", " ") for head in heads)), "|" + "---|" * len(heads)]


def cells(*values: str) -> str:
    return "| " + " | ".join(values) + " |"


def thousandths(value: Sequence[float]) -> str:
    """A difference of losses and its interval, × 10³; bold where the interval excludes 0."""
    digits = 0 if max(map(abs, value)) >= 0.05 else 1
    estimate, low, high = (f"{1000 * x:+.{digits}f}".replace("-", "−") for x in value)
    text = f"{estimate} [{low}, {high}]"
    return f"**{text}**" if value[1] > 0 or value[2] < 0 else text


def ratio(value: Sequence[float]) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*value).replace("-", "−")


def factor(value: Sequence[float], most: float) -> str:
    """A data multiplier; > where all rows drawn at random do not reach the loss."""
    return f"> {most:g}" if value[0] >= most else f"{value[0]:.1f}"


if __name__ == "__main__":
    main()
