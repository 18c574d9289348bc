"""Text of data, files and users on a terminal: shown, never obeyed."""

import re

# C0 but for tab and line feed, DEL, C1 (0x9b alone begins an escape sequence), and what turns the direction
# of writing around.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    r"""The text with control characters written out, `\x1b` for ESC, so that a value can neither colour,
    clear nor retitle a terminal.
    """
    return OBEYED.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
