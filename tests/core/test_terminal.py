"""Control characters of data are shown, not obeyed."""

import pytest

from lsml_spark.core.terminal import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2Jcleared", r"\x9b2Jcleared"),
        ("overwritten\rby this", r"overwritten\rby this"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("a\x00b\x7f", r"a\x00b\x7f"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text, shown):
    assert plain(text) == shown


def test_all_other_text_stays_as_it_is():
    text = "ü漢🙂\tein Satz\nund noch einer: 100 % [b] \\x1b"
    assert plain(text) == text
    assert plain(plain("\x1b")) == plain("\x1b")
