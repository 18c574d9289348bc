"""Proposals as YAML that reads back as what was meant, whatever the names and values hold."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from lsml_spark.quality.proposals import Proposal

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*( [A-Za-z0-9_.-]+)*")
SHOWN = re.compile("[\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")


def lines_of(
    raw: Mapping[str, Any],
    why: Mapping[str, str],
    notes: Sequence[str],
    contract: Mapping[str, Any],
    proposals: Sequence[Proposal],
    source: str,
) -> Iterator[str]:
    """The YAML of a `raw:` section, where there is something to say, and of a `quality:` section."""
    yield f"# Proposed {source}. Read it, and change what you know better."
    for note in notes:
        yield f"# {comment(note)}"
    if raw:
        yield "raw:"
        yield from (
            f"  {key}: {flow(value)}" + (f"  # {comment(why[key])}" if key in why else "")
            for key, value in raw.items()
        )
        yield ""
    yield "quality:"
    yield "  contract:"
    yield from (f"    {flow(name)}: {flow(type_)}" for name, type_ in contract.items())
    columns = [proposal for proposal in proposals if proposal.place == "columns"]
    if columns:
        yield "  columns:"
    for name in dict.fromkeys(proposal.column for proposal in columns):
        yield f"    {flow(name)}:"
        yield from (f"      - {flow(of.item)}  # {comment(of.why)}" for of in columns if of.column == name)
    for place in ("rows", "table"):
        items = [proposal for proposal in proposals if proposal.place == place]
        if items:
            yield f"  {place}:"
            yield from (f"    - {flow(proposal.item)}  # {comment(proposal.why)}" for proposal in items)


def flow(value: Any) -> str:
    """One line of YAML that reads back as `value`."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    text: str = yaml.safe_dump([value], default_flow_style=True, width=math.inf)
    return text.strip()[1:-1]


def _text(text: str) -> str:
    if PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    if SHOWN.fullmatch(text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if SHOWN.fullmatch(character):
        return character
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}.get(character)
    return named or f"\\u{ord(character):04x}"


def comment(text: str) -> str:
    """Text that ends with its line."""
    return " ".join("".join(character if SHOWN.fullmatch(character) else " " for character in text).split())
