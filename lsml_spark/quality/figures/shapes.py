r"""Which form values have: `15240.0` is `\d{5}\.0`, `C536379` is `C\d{6}`. Mines a regular expression from
examples.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import groupby

RUNS = (("digit", r"\d"), ("upper", "[A-Z]"), ("lower", "[a-z]"))


def shape_of(value: str) -> tuple[tuple[str, int], ...]:
    """Runs of like characters with their lengths; a character that is neither ASCII digit nor ASCII letter
    stands for itself.
    """
    return tuple((kind, len(list(run))) for kind, run in groupby(value, key=_kind))


def _kind(character: str) -> str:
    if character.isascii() and character.isalnum():
        return "digit" if character.isdigit() else "upper" if character.isupper() else "lower"
    return character


def pattern_of(values: Iterable[str], most: int = 4, coverage: float = 0.99) -> tuple[str, float] | None:
    """An anchored regular expression of at most `most` forms, and the share of `values` that it matches.

    Values whose forms differ in the lengths of their runs alone are one form. None where `most` forms match
    less than `coverage`: the text is free.
    """
    shapes = Counter(shape_of(value) for value in values)
    total = sum(shapes.values())
    families: dict[tuple[str, ...], Counter[tuple[int, ...]]] = {}
    for shape, count in shapes.items():
        kinds, lengths = tuple(kind for kind, _ in shape), tuple(length for _, length in shape)
        families.setdefault(kinds, Counter())[lengths] += count
    common = sorted(families.items(), key=lambda item: (-item[1].total(), item[0]))[:most]
    covered = sum(lengths.total() for _, lengths in common)
    if not total or covered < coverage * total or any(len(kinds) > 12 for kinds, _ in common):
        return None
    parts = [
        "".join(_run(kind, [key[i] for key in lengths]) for i, kind in enumerate(kinds))
        for kinds, lengths in common
    ]
    return (f"^{parts[0]}$" if len(parts) == 1 else f"^({'|'.join(parts)})$"), covered / total


def _run(kind: str, lengths: list[int]) -> str:
    low, high = min(lengths), max(lengths)
    one = dict(RUNS).get(kind) or re.escape(kind)
    return one if low == high == 1 else f"{one}{{{low}}}" if low == high else f"{one}{{{low},{high}}}"
