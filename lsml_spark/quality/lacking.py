"""What keeps a check from judging: a day without rows, a column that is not there."""

from lsml_spark.core.config import did_you_mean
from lsml_spark.quality.check import Judged
from lsml_spark.quality.day import Day


def lacking(day: Day, *columns: str, kinds: tuple[str, ...] = ()) -> Judged | None:
    """A problem where the day has no rows or its profile lacks one of the columns; a check never passes on
    nothing.
    """
    if not day.rows:
        return Judged("the day has no rows to judge")
    known = list(day.profile.get("columns", {}))
    for name in columns:
        if not name:
            return Judged(f"say which column: `column: …`{did_you_mean('', known)}")
        if name not in known:
            return Judged(f"column '{name}' is not in the day's profile{did_you_mean(name, known)}")
        kind = day.column(name).get("kind", "")
        if kinds and kind not in kinds:
            return Judged(
                f"column '{name}' is of kind {kind or 'unknown'}; this check is for {', '.join(kinds)}"
            )
    return None


def percent(share: float) -> str:
    """A share for people: 12.3 %, and more digits where it is small."""
    return (
        f"{share:.1%}"
        if abs(share) >= 0.01 or share == 0
        else f"{share:.2g}"
        if abs(share) < 0.0001
        else f"{share:.2%}"
    )


def listed(names: list[str], most: int = 3) -> str:
    """The first few names, quoted, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in names[:most]) + more
