"""What selection did, in words and small tables: how much was kept of which keys, what the weights are worth,
what a pilot gained.

All from selection.json; each of its fields may be missing (a night of a former version) and is then left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lsml_spark.core.bands import KNOWN
from lsml_spark.report.facts import dig
from lsml_spark.report.text import count, counted, decimal, is_number, percent, rows, signed, visible

ARMS = {"random": "Random", "selected": "Selected", "full": "All rows"}
PROTECTED = {"new": "new since the night before", "poor": "recalled poorly by the model before"}
ORDERS = {
    "frequent_first": "frequent keys first",
    "rare_first": "rare keys first",
    "easy_first": "keys that are recalled well first",
    "hard_first": "keys that are recalled poorly first",
}


def describe(selection: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the page says of the selection; empty where nothing was selected."""
    if not selection:
        return {}
    return {
        **policy_of(selection),
        "headline": headline(selection),
        "worth": worth(selection),
        "facts": list(_facts(selection)),
        "rules": list(_rules(selection)),
        "bands": bands_of(selection.get("by_frequency") or []),
        "alike": _alike(selection),
        "weights": selection.get("weights") or [],
        "lost": _lost(selection),
        "pilot": _pilot(selection["pilot"]) if selection.get("pilot") else None,
        "no_pilot": "pilot" in selection and not selection["pilot"],
    }


def policy_of(selection: Mapping[str, Any]) -> dict[str, Any]:
    """`policy` by name and `parameters` as (name, value) pairs that are shown."""
    given = selection.get("policy")
    parameters = given if isinstance(given, dict) else {"use": given}
    shown = [
        (key, _written(value))
        for key, value in sorted(parameters.items())
        if key != "use" and value is not None
    ]
    return {"policy": parameters.get("use"), "parameters": shown}


def bands_of(by_frequency: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """Rows and kept rows by band of key frequency."""
    bands = []
    for name, (low, high) in KNOWN.items():
        inside = [row for row in by_frequency if row[0] >= low and (high is None or row[0] <= high)]
        if inside:
            total, kept = sum(row[1] for row in inside), sum(row[2] for row in inside)
            keys = sum(row[1] / row[0] for row in inside)
            bands.append(
                {"band": name, "keys": keys, "rows": total, "kept": kept, "share": share(kept, total)}
            )
    return bands


def share(part: Any, whole: Any) -> float | None:
    return part / whole if is_number(part) and is_number(whole) and whole else None


def headline(selection: Mapping[str, Any]) -> str:
    """How much was kept, in one sentence."""
    kept, of = selection.get("rows_kept"), selection.get("rows_in")
    redrawn = _redrawn(selection)
    if redrawn is not None:
        return f"All {rows(kept)} stay; every epoch reads a new {percent(redrawn)} of them"
    part = share(kept, of)
    return f"{count(kept)} of {rows(of)} were selected to train" + (
        f", {percent(part)}" if part is not None else ""
    )


def worth(selection: Mapping[str, Any]) -> str:
    """What the kept rows are worth for an average: Kish's effective sample size."""
    ess, kept = selection.get("ess"), selection.get("rows_kept")
    part = share(ess, kept)
    if part is None:
        return ""
    if part > 0.9995:
        return f"They weigh the same, so the effective sample size is {count(ess)}, all of them."
    return (
        f"With their weights they are worth {rows(ess)} of equal weight: the effective sample size is "
        f"{percent(part)} of those kept."
    )


def _facts(selection: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(name, figure, note)."""
    requested = selection.get("budget_asked")
    yield (
        "Budget",
        rows(selection.get("budget")),
        f"asked for as {visible(requested, 40)}" if requested is not None else "",
    )
    expected = selection.get("expected")
    yield (
        "Kept",
        rows(selection.get("rows_kept")),
        f"{count(expected)} expected of the draw" if is_number(expected) else "",
    )
    part = share(selection.get("ess"), selection.get("rows_kept"))
    yield (
        "Effective sample size",
        count(selection.get("ess")),
        f"{percent(part)} of the kept rows" if part is not None else "",
    )


def _rules(selection: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, sentence): how the rows were chosen beyond policy and budget."""
    if selection.get("unbiased"):
        yield "Weights", _sentence(selection["unbiased"])
    level = selection.get("level")
    if is_number(level) and level >= 1 and _redrawn(selection) is None:
        yield "Kept whole", f"Keys with at most {rows(int(level))}."
    kept = [
        f"{counted(counts.get('keys'), 'key')} ({rows(counts.get('rows'))}) "
        f"{PROTECTED.get(reason, visible(reason, 40))}"
        for reason, counts in (selection.get("protected") or {}).items()
        if counts
    ]
    if kept:
        yield "Protected", f"{'; '.join(kept)}: kept whole, whatever the budget."
    coarse = selection.get("coarse_below")
    if is_number(coarse):
        yield (
            "Shared rate",
            f"Keys with at most {rows(coarse)} share one keep rate, because the list of keys with a rate of "
            "their own is bounded.",
        )
    epochs = selection.get("epochs") or {}
    if _redrawn(selection) is not None:
        yield (
            "Epochs",
            f"All rows are kept here; every epoch reads a new draw of {percent(epochs['share'])} of them.",
        )
    elif epochs.get("use") == "turns":
        yield (
            "Epochs",
            f"{counted(epochs.get('draws'), 'draw')} of about so many rows were written; every epoch reads "
            "the next one.",
        )
    elif epochs.get("use") == "curriculum":
        order = ORDERS.get(str(epochs.get("order")), visible(epochs.get("order"), 40))
        full = (
            f"; from {percent(epochs['full_by'])} of the training on, all are read"
            if is_number(epochs.get("full_by"))
            else ""
        )
        yield (
            "Epochs",
            f"The kept rows enter training in {counted(epochs.get('stages'), 'stage')}, {order}{full}.",
        )


def _redrawn(selection: Mapping[str, Any]) -> float | None:
    """The share of the rows that an epoch draws anew; None where select itself draws."""
    fraction = dig(selection, "epochs", "share")
    return fraction if dig(selection, "epochs", "use") == "redraw" and is_number(fraction) else None


def _alike(selection: Mapping[str, Any]) -> str:
    """What there is to say of weights that make no histogram."""
    weights = selection.get("weights") or []
    if len(weights) != 1:
        return ""
    low, high, _ = weights[0]
    return f"All kept rows weigh about the same, between {_short(low)} and {_short(high)}."


def _lost(selection: Mapping[str, Any]) -> dict[str, Any] | None:
    """The keys that lost the most rows, and which share of all dropped rows was theirs."""
    named = [
        row
        for row in selection.get("dropped_keys") or []
        if is_number(row[1]) and is_number(row[2]) and row[1] > row[2]
    ]
    if not named:
        return None
    of = [selection.get(name) for name in ("rows_in", "rows_kept")]
    dropped = of[0] - of[1] if is_number(of[0]) and is_number(of[1]) else None
    total = sum(row[1] - row[2] for row in named)
    return {
        "rows": [
            {
                "key": visible(key, 60),
                "rows": before,
                "kept": kept,
                "lost": before - kept,
                "share": kept / before,
            }
            for key, before, kept in named
        ],
        "total": total,
        "share": share(total, dropped),
    }


def _pilot(pilot: Mapping[str, Any]) -> dict[str, Any]:
    """The gain against random as sentences, the arms as columns, bands as rows."""
    arms = [name for name in ARMS if dig(pilot, "arms", name)]
    errors = pilot.get("bands") or {}
    bands = list(
        dict.fromkeys([*errors, *(band for arm in arms for band in dig(pilot, "arms", arm, "bands") or {})])
    )
    bands.sort(key=_start)
    table = [
        {
            "band": visible(band, 20),
            "error": errors.get(band),
            "losses": [dig(pilot, "arms", arm, "bands", band) for arm in arms],
        }
        for band in bands
    ]
    return {
        "words": list(_gain(pilot)),
        "date": pilot.get("date"),
        "arms": [
            {
                "name": ARMS[arm],
                **{figure: dig(pilot, "arms", arm, figure) for figure in ("rows", "log_loss", "recall")},
            }
            for arm in arms
        ],
        "bands": table,
        "errors": bool(errors),
    }


def _gain(pilot: Mapping[str, Any]) -> Iterator[str]:
    gain, against, beta = pilot.get("gain_recovered"), pilot.get("against_random"), pilot.get("beta")
    if is_number(against):
        better = "lower" if against > 0 else "higher" if against < 0 else "neither lower nor higher"
        size = f"{decimal(abs(against), 4)} {better} than" if against else f"{better} than"
        low, high = interval(pilot.get("against_random_interval"))
        helped = "" if against > 0 and not (is_number(low) and low <= 0) else "Selection did not help here: "
        chance = (
            f", a difference that may be chance (95 %: {signed(low, 4)} to {signed(high, 4)})"
            if helped and against and low is not None
            else ""
        )
        yield (
            f"{helped}{'with' if helped else 'With'} as many rows, the log loss of the selection is "
            f"{size} that of a random draw{chance}."
        )
    if pilot.get("converged") is False:
        yield (
            "More random rows made a worse model: at its settings the training did not converge, and this "
            "says little of selection."
        )
    elif is_number(gain):
        yield f"Of what all rows gain over the random draw, the selection recovers {percent(gain)}."
    elif "gain_recovered" in pilot:
        yield "All rows gained nothing over the random draw, so there is no gain to recover."
    if is_number(beta):
        low, high = interval(pilot.get("beta_interval"))
        between = f" (interval {decimal(low, 2)} to {decimal(high, 2)})" if low is not None else ""
        yield (
            f"Errors fall with the rows n of a key as n to the power −{decimal(beta, 2)}{between}: β as "
            "fitted."
        )


def interval(given: Any) -> tuple[float, float] | tuple[None, None]:
    """(low, high); nothing where it has no width: that a fit never moved says nothing of how sure it is."""
    low, high = (
        (list(given) + [None, None])[:2]
        if isinstance(given, Sequence) and not isinstance(given, str)
        else (None, None)
    )
    return (
        (low, high)
        if is_number(low) and is_number(high) and decimal(low, 4) != decimal(high, 4)
        else (None, None)
    )


def difference(value: Any, base: Any) -> str:
    """The change of a loss against another, in signs."""
    return signed(value - base, 4) if is_number(value) and is_number(base) else ""


def _start(band: str) -> tuple[float, str]:
    """Bands in the order of their lower edge."""
    digits = "".join(letter if letter.isdigit() else " " for letter in str(band)).split()
    return (float(digits[0]) if digits else float("inf"), str(band))


def _sentence(text: Any) -> str:
    """Foreign words as a sentence."""
    shown = visible(text, 400).strip().rstrip(".")
    return f"{shown[:1].upper()}{shown[1:]}."


def _written(value: Any) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)


def _short(value: float) -> str:
    """A weight in three digits: 1, 1.19, 22.6."""
    return f"{value:.3g}"
