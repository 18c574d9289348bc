"""Words that help whoever mistyped one."""

import difflib
from collections.abc import Sequence


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """' (did you mean "x"?)' or, where nothing is near, the list of what there is."""
    near = difflib.get_close_matches(word[:100], known, n=1, cutoff=0.6)
    if near:
        return f" (did you mean '{near[0]}'?)"
    return f" (known: {', '.join(sorted(known))})" if known else ""
