"""What the makers of docs pages share: the part of a page that is theirs, lines of 110, and `--check`."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

WIDTH = 110


def between(page: Path, name: str, text: str) -> str:
    """The page with what stands between its two markers of this name written anew."""
    start, end = f"<!-- {name}: written by `make docs` -->", f"<!-- end of {name} -->"
    before, rest = page.read_text().split(start)
    return f"{before}{start}\n\n{text}\n\n{end}{rest.split(end)[1]}"


def wrapped(text: str, indent: str = "", rest: str = "") -> str:
    """Lines of at most WIDTH; the first begins with `indent`, the others with `rest`."""
    return textwrap.TextWrapper(WIDTH, indent, rest, break_long_words=False, break_on_hyphens=False).fill(
        text
    )


def write_or_check(pages: Mapping[Path, str]) -> None:
    """Write the files; with `--check` only name those that would change, and end with 1 if there are any."""
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:] and stale:
        sys.exit("\n".join(f"{path}: not what the code and the results say; `make docs`" for path in stale))
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(pages[path])
