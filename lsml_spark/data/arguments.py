"""Arguments of the reader, checked before a file is opened: what they must be, and what was given."""

import operator
import os
from collections.abc import Mapping, Sequence
from typing import Any

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError

LARGEST = 2**63 - 1


def whole(value: Any, name: str, least: int = 1, most: int = LARGEST) -> int:
    """A whole number, numpy's too. ConfigError begins with the argument's name."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        must = "a positive whole number" if least == 1 else f"a whole number from {least} on"
        must = must if most == LARGEST else f"a whole number from {least:,} to {most:,}"
        raise ConfigError(f"{name}: must be {must}, not {shown(value)}")
    return number


def switch(value: Any, name: str) -> bool:
    """True or False. ConfigError begins with the argument's name."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name}: must be True or False, not {shown(value)}")
    return value


def one_of(value: Any, name: str, known: Sequence[str]) -> Any:
    """One of some words. ConfigError begins with the argument's name."""
    if not isinstance(value, str) or value not in known:
        raise ConfigError(f"{name}: {shown(value)}{did_you_mean(str(value), known)}")
    return value


def names(value: Any, name: str) -> tuple[str, ...]:
    """A list of column names. ConfigError begins with the argument's name, also for a single text: it is a
    list of letters too.
    """
    if (
        isinstance(value, str | bytes)
        or not isinstance(value, Sequence)
        or not all(isinstance(one, str) for one in value)
    ):
        hint = f"; for one column, [{value!r}]" if isinstance(value, str) else ""
        raise ConfigError(f"{name}: must be a list of column names, not {shown(value)}{hint}")
    return tuple(value)


def by_column(value: Any, name: str) -> Mapping[str, Any]:
    """{column: …}; empty for None. ConfigError begins with the argument's name."""
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{name}: must say what by column, {{column: …}}, not {shown(value)}")
    return dict(value or {})


def part(rank: int | None, world: int | None) -> tuple[Any, Any]:
    """Which rank reads, of how many: 0 of 1 where nothing is said.

    ConfigError where nothing is said and a launcher has set WORLD_SIZE: each of its processes would read all
    rows.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if rank is None and world is None and size not in ("", "0", "1"):
        raise ConfigError(
            f"rank, world: this is one of WORLD_SIZE={size} processes, and none of them is a rank yet, so "
            "that each would read all rows; "
            "call torch.distributed.init_process_group before make_torch_dataset, or pass rank= and world="
        )
    return 0 if rank is None else rank, 1 if world is None else world


def shown(value: Any) -> str:
    """A value as it was typed, at most 60 characters of it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
