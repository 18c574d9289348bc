"""The commands that README.md and docs/*.md print in code blocks."""

import re
import shlex
from pathlib import Path

REPO = Path(__file__).parents[2]
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md")), REPO / "docker" / "README.md"]


def code(page: Path) -> list[tuple[str, str]]:
    """(language, line) of the lines of code blocks: fenced ones, and those indented by four, which have no
    language.
    """
    found, fence = [], None
    for line in re.sub(r"\\\n\s*", "", page.read_text()).splitlines():  # one line where \ ends it
        if line.startswith("```"):
            fence = line.removeprefix("```").strip() if fence is None else None
        elif fence is not None or line.startswith("    "):
            found.append((fence or "", line if fence else line[4:]))
    return found


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def commands(page: Path, program: str) -> list[list[str]]:
    """Words behind `program` of each command, comments and redirections left out; of a chain the last
    command.
    """
    found = []
    for language, line in code(page):
        told = re.search(rf"^(?:.*&& )?(?:\S*/)?{program} (.*)$", line)
        if told and language in ("", "sh"):
            words = shlex.split(told.group(1), comments=True)
            ends = [i for i, word in enumerate(words) if re.match(r"\d?[>|&]", word)]
            found.append(words[: ends[0]] if ends else words)
    return found


def file_keys(page: Path) -> dict[tuple[str, str], set[str]]:
    """{(file, stages): words in code} of each section "### `file` (stages)": what a page says of the file's
    keys.
    """
    sections = re.findall(
        r"^### `(\S+)` \(([^)]*)\)\n(.*?)(?=^##)", page.read_text(), re.MULTILINE | re.DOTALL
    )
    return {(name, stages): set(re.findall(r"`(\w+)`", text)) for name, stages, text in sections}
