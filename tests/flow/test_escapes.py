"""No escape code of data reaches a terminal, by whatever way it is said; and where the traceback of a bug is
kept.
"""

import io
import logging
import os
import stat
import tempfile

import pytest
from rich.text import Text

from lsml_spark.core.errors import ConfigError
from lsml_spark.flow import bug, log
from lsml_spark.flow.guard import guarded
from lsml_spark.flow.screens import plain_table
from lsml_spark.flow.terminal import Terminal

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\rhidden"


def obeyed(text):
    return [
        character
        for character in text
        if character != "\n" and (ord(character) < 32 or 127 <= ord(character) < 160)
    ]


def test_a_screen_shows_values_in_strings_texts_and_tables_and_obeys_none():
    out = io.StringIO()
    console = Terminal(file=out, width=200, highlight=False)
    console.print(f"plain {EVIL}", markup=False)
    console.print(Text(f"text {EVIL}"))
    table = plain_table(f"title {EVIL}")
    table.add_column(Text(f"head {EVIL}"))
    table.add_row(Text(f"cell {EVIL}"))
    console.print(table)
    assert obeyed(out.getvalue()) == []
    assert out.getvalue().count(r"\x1b]0;owned") == 5


def test_colours_of_our_own_still_reach_a_terminal():
    out = io.StringIO()
    Terminal(file=out, width=80, force_terminal=True, color_system="standard").print(
        Text("done\x1b[2J", style="green")
    )
    assert out.getvalue() == "\x1b[32mdone\\x1b[2J\x1b[0m\n"


def test_log_lines_and_errors_obey_none_either(tmp_path, capsys):
    log.to_console()
    with log.to_file(tmp_path / "lsml.log"):
        logging.getLogger("lsml").warning("file %s", EVIL)
    with pytest.raises(SystemExit), guarded():
        raise ConfigError(f"no column '{EVIL}'")
    said = capsys.readouterr().err
    assert r"\x1b]0;owned" in said
    assert obeyed(said) == []
    assert obeyed((tmp_path / "lsml.log").read_text()) == []


def test_the_log_of_a_bug_is_a_new_file_for_this_user_alone_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.umask(0)
    try:
        first, second = bug.keep("Traceback: \udcff"), bug.keep("another")
    finally:
        os.umask(before)
    assert first.parent == tmp_path
    assert first != second
    assert str(os.getpid()) not in first.name.removesuffix(".log").split("-")
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert first.read_text() == "Traceback: \\udcff"


def test_a_bug_is_one_line_where_no_folder_can_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        tempfile, "mkstemp", lambda **_: (_ for _ in ()).throw(OSError(30, "Read-only file system"))
    )
    with pytest.raises(SystemExit) as ended, guarded():
        raise RuntimeError("what no one foresaw")
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert len(said.splitlines()) == 1
    assert "what no one foresaw" in said
