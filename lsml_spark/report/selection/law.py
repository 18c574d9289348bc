"""The law of the keys in words and small tables: what the zipf profile found, and how the keys shifted since
the last night.

Sentences are made here and not in the template, so that tests can read them. Whatever the profile lacks is
left out: a night of a former version knows fewer figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lsml_spark.report.facts import dig
from lsml_spark.report.text import NONE, count, counted, decimal, is_number, percent, rows, signed, visible

LIKELY = 0.001  # below, p is not written out
# Fewer keys in the tail, or counts that differ by less than this factor, tell no law: any curve is straight
# over so short a way.
TAIL, SPAN = 50, 10.0
RIVALS = {"lognormal": "lognormal", "cutoff": "power law with a cut-off"}


def describe(profile: Mapping[str, Any], shift: Mapping[str, Any] | None) -> dict[str, Any]:
    """Everything that the page says of the keys; empty where they were not counted."""
    if not profile:
        return {}
    forecast = [[t, rows(t * profile["rows"]), new, sd] for t, new, sd in _forecast(profile)]
    return {
        "words": [(name, sentence) for name, sentence in _words(profile) if sentence],
        "facts": list(_facts(profile)),
        "fits": list(_fits(profile)),
        "tests": list(_tests(profile)),
        "coverage": profile.get("coverage") or [],
        "top": [[visible(key, 60), number] for key, number in (profile.get("top") or [])[:20]],
        "forecast": forecast,
        "shift": _shift(shift) if shift else None,
    }


def _words(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(about what, sentences)."""
    yield "Sample", _sample(profile)
    yield "Traffic", _spread(profile)
    yield "Law", shape(profile)
    yield "Growth", _growth(profile)


def power_law_holds(profile: Mapping[str, Any]) -> bool:
    """Whether the counts speak for a power law: its line is drawn there alone.

    Better than a lognormal by the likelihood ratio, no sign of a cut-off, and a tail that is long enough to
    tell.
    """
    rivals = {rival: dig(profile, "tests", rival) for rival in RIVALS}
    known = all(map(bool, rivals.values())) and not _too_short(profile)
    return (
        known
        and rivals["lognormal"].get("favoured") == "power_law"
        and rivals["cutoff"].get("favoured") != "cutoff"
    )


def spread_out(profile: Mapping[str, Any]) -> bool:
    """Whether the keys are many and unlike enough for any law over their ranks."""
    spectrum = profile.get("spectrum") or []
    counts = [frequency for frequency, _ in spectrum]
    return bool(counts) and sum(keys for _, keys in spectrum) >= TAIL and max(counts) >= SPAN * min(counts)


def _too_short(profile: Mapping[str, Any]) -> str:
    """Why the tail tells no law; empty where it may."""
    fit, counts = profile.get("fit") or {}, [frequency for frequency, _ in profile.get("spectrum") or []]
    if not counts or not is_number(fit.get("xmin")) or not is_number(fit.get("tail_keys")):
        return "there is no tail to look at"
    tail = f"the {counted(fit['tail_keys'], 'key')} with {counted(fit['xmin'], 'row')} or more"
    if max(counts) < SPAN * fit["xmin"]:
        return f"{tail} have at most {count(max(counts))}, so they are too much alike to tell one"
    return f"{tail} are too few to tell one" if fit["tail_keys"] < TAIL else ""


def half_of_rows(spectrum: Sequence[Sequence[float]]) -> int | None:
    """The fewest keys that make at least half of the rows; None of no rows."""
    frequency_F, keys_F = np.array(sorted(map(tuple, spectrum), reverse=True), dtype=float).reshape(-1, 2).T
    rows_F = frequency_F * keys_F
    if not rows_F.sum():
        return None
    place = int(np.searchsorted(np.cumsum(rows_F), rows_F.sum() / 2))
    missing = rows_F.sum() / 2 - rows_F[:place].sum()
    return int(keys_F[:place].sum() + np.ceil(missing / frequency_F[place]))


def probability(p: float) -> str:
    """p = 0.012, p < 0.001."""
    return f"p = {decimal(p)}" if p >= LIKELY else f"p < {decimal(LIKELY)}"


def _spread(profile: Mapping[str, Any]) -> str:
    half, keys, once = (
        half_of_rows(profile.get("spectrum") or []),
        profile.get("keys"),
        profile.get("hapaxes"),
    )
    if not half or not is_number(keys) or not keys:
        return ""
    rare = f"{percent(once / keys)} of all keys were seen once." if once else "No key was seen once alone."
    most = "the most frequent key" if half == 1 else f"the {count(half)} most frequent keys"
    return f"Half of the rows belong to {most}, {percent(half / keys)} of {count(keys)}. {rare}"


def shape(profile: Mapping[str, Any]) -> str:
    """Is it a power law? As Clauset et al. decide it, said without Greek."""
    fit, tests = profile.get("fit") or {}, profile.get("tests") or {}
    if not is_number(fit.get("alpha")):
        return "There are too few different counts to fit a law to." if profile.get("spectrum") else ""
    tail = f"the {counted(fit.get('tail_keys'), 'key')} with {counted(fit.get('xmin'), 'row')} or more"
    if short := _too_short(profile):
        return f"No power law: {short}."
    slope = f"The nearest power law to {tail} has the exponent {decimal(fit['alpha'], 2)}."
    favoured = {rival: dig(tests, rival, "favoured") for rival in RIVALS}
    chance = {rival: dig(tests, rival, "p") for rival in RIVALS}
    if not all(map(is_number, chance.values())):
        return slope
    lognormal = {
        "power_law": "a power law describes the counts better than a lognormal "
        f"({probability(chance['lognormal'])})",
        "lognormal": f"a lognormal describes the counts better ({probability(chance['lognormal'])})",
    }.get(
        str(favoured["lognormal"]),
        f"the counts do not tell it from a lognormal ({probability(chance['lognormal'])})",
    )
    cut = f"the largest keys have fewer rows than a power law foretells ({probability(chance['cutoff'])})"
    if favoured["cutoff"] == "cutoff":
        joined = "but" if favoured["lognormal"] == "power_law" else "and"
        return f"Not a pure power law: {lognormal}, {joined} {cut}. {slope}"
    begin = {"power_law": "A power law", "lognormal": "Not a power law"}.get(
        str(favoured["lognormal"]), "Perhaps a power law"
    )
    return f"{begin}: {lognormal}; there is no sign of a cut-off ({probability(chance['cutoff'])}). {slope}"


def _growth(profile: Mapping[str, Any]) -> str:
    exponent = dig(profile, "heaps", "exponent")
    grew = (
        f"Twice the rows have brought {decimal(2**exponent, 2)} times the keys (Heaps’ exponent "
        f"{decimal(exponent, 2)})."
        if is_number(exponent)
        else ""
    )
    again = next(((new, sd) for t, new, sd in _forecast(profile) if t == 1), None)
    if not again:
        return grew
    return (
        f"{grew} As many rows again would bring {counted(again[0], 'new key')}, give or take "
        f"{count(again[1])}."
    ).strip()


def _sample(profile: Mapping[str, Any]) -> str:
    sampled = profile.get("sampled") or {}
    if not sampled:
        return ""
    counted_exactly = (
        f"the {counted(sampled.get('head'), 'most frequent key')}"
        if sampled.get("head")
        else "the most frequent keys"
    )
    estimated, off = sampled.get("rows_estimated"), dig(sampled, "errors", "rows")
    check = (
        f" Scaled up they make {count(estimated)} ± {count(off)} rows; there are "
        f"{count(profile.get('rows'))}."
        if is_number(estimated) and is_number(off)
        else ""
    )
    return (
        f"Not every key was counted: {counted_exactly} were, and of the others one in "
        f"{count(sampled.get('one_in'))}, "
        f"{counted(sampled.get('keys_counted'), 'key')} with {counted(sampled.get('rows_counted'), 'row')} "
        f"in all.{check} "
        "Figures of keys are estimates; ± is one standard error."
    )


def _facts(profile: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(name, figure, note) of what was counted and what is yet to come."""
    errors = dig(profile, "sampled", "errors") or {}
    off = {name: f" ± {count(errors[name])}" for name in ("keys",) if is_number(errors.get(name))}
    keys, once = profile.get("keys"), profile.get("hapaxes")
    share = profile.get("hapax_share", once / keys if keys and is_number(once) else None)
    mass = f"± {errors['unseen_mass'] * 100:.2g} points" if is_number(errors.get("unseen_mass")) else ""
    yield "Rows", count(profile.get("rows")), ""
    yield "Keys", f"{count(keys)}{off.get('keys', '')}", ""
    yield "Keys seen once", count(once), percent(share) if is_number(share) else ""
    yield "Rows to come with an unseen key", percent(profile.get("unseen_mass")), mass or "Good–Turing"
    yield "Unseen keys, at least about", count(profile.get("unseen_keys")), "Chao 1"


def _fits(profile: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    fit, ranks = profile.get("fit") or {}, profile.get("mandelbrot") or {}
    if is_number(fit.get("alpha")) and not _too_short(profile):
        yield (
            "Nearest power law of the counts",
            f"α {decimal(fit['alpha'], 4)} from {counted(fit.get('xmin'), 'row')} on, "
            f"{counted(fit.get('tail_keys'), 'key')}; "
            f"largest distance of the distributions {decimal(fit.get('ks'), 4)}",
        )
    if is_number(ranks.get("s")) and spread_out(profile):
        yield (
            "Zipf–Mandelbrot on ranks",
            f"rows of rank r = c / (r + q)^s; s {ranks['s']:.4g}, q {ranks['q']:,.4g}, c {ranks['c']:.3g}",
        )
    exponent = dig(profile, "heaps", "exponent")
    if is_number(exponent):
        yield "Heaps’ law of growth", f"keys grow as rows^{decimal(exponent, 4)} (upper half of the curve)"


def _tests(profile: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """(rival, ratio, p, who is favoured) of the likelihood ratio tests."""
    for name, label in {} if _too_short(profile) else RIVALS.items():
        test = dig(profile, "tests", name)
        if test:
            favoured = {"power_law": "power law", None: "neither"}.get(test.get("favoured"), label)
            p = probability(test.get("p")) if is_number(test.get("p")) else NONE
            yield label, signed(test.get("ratio"), 2), p.removeprefix("p ").removeprefix("= "), favoured


def _forecast(profile: Mapping[str, Any]) -> list[list[float]]:
    """[t, new keys, sd] that are numbers, where the rows are known."""
    if not is_number(profile.get("rows")):
        return []
    return [list(row) for row in profile.get("forecast") or [] if all(map(is_number, row))]


def _shift(shift: Mapping[str, Any]) -> dict[str, Any]:
    """Sentence and movers; `length` of a mover's bar is of the largest change, 0 … 100."""
    movers = [row for row in shift.get("movers") or [] if is_number(row[1]) and is_number(row[2])]
    largest = max((abs(now - before) for _, before, now in movers), default=0)
    came, went = shift.get("entered") or {}, shift.get("left") or {}
    entered = (
        f"{counted(came['keys'], 'key')} entered with {percent(came.get('share'))} of tonight’s rows"
        if came.get("keys")
        else "No key entered"
    )
    left = (
        f"{counted(went['keys'], 'key')} left that had {percent(went.get('share'))} of the rows"
        if went.get("keys")
        else "none left"
    )
    distance = (
        f" {percent(shift['distance'])} of the rows would have to change their key to turn one night into "
        "the other."
        if is_number(shift.get("distance"))
        else ""
    )
    return {
        "since": shift.get("since"),
        "words": f"{entered}, {left}.{distance}",
        "movers": [
            {
                "key": visible(key, 60),
                "before": before,
                "now": now,
                "change": now - before,
                "state": "new" if not before else "gone" if not now else "",
                "length": round(100 * abs(now - before) / largest, 1) if largest else 0,
            }
            for key, before, now in movers
        ],
    }
