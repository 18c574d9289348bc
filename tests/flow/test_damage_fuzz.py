"""Any file or folder below a root is damaged, lost or replaced: documented codes, one line, and `verify`
finds every byte.
"""

import itertools
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import strategies as st
from nights import lsml

from lsml_spark.core import manifest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from fuzz_site import BUGS, throw

pytestmark = [pytest.mark.spark, pytest.mark.dist]
NIGHT = "2011-01-14"
UNLISTED = ("lsml.log", ".lock", "promoted.json")
RUBBISH = (b"", b"\0" * 64, b"{}\n", b"[]", b"null", b"\xff\xfe rubbish", b"PAR1" * 8, b'{"a": ' * 3000)
_numbers = itertools.count()


def damaged(path: Path, how: str, data: st.DataObject) -> None:
    """Something happens to a file or a folder."""
    content = path.read_bytes() if path.is_file() else b""
    if how in ("flip", "cut", "grow", "rubbish") and path.is_dir():
        how = "file"
    if how in ("flip", "cut") and not content:
        how = "grow"
    if how == "flip":
        at = data.draw(st.integers(0, len(content) - 1))
        path.write_bytes(
            content[:at] + bytes([content[at] ^ (1 << data.draw(st.integers(0, 7)))]) + content[at + 1 :]
        )
    elif how == "cut":
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    elif how == "grow":
        path.write_bytes(content + data.draw(st.binary(min_size=1, max_size=3)))
    elif how == "rubbish":
        path.write_bytes(data.draw(st.sampled_from([some for some in RUBBISH if some != content])))
    else:
        moved = path.with_name(f".moved{next(_numbers)}")
        path.rename(moved)
        if how == "link":
            path.symlink_to(moved)
            return
        if how == "nowhere":
            path.symlink_to("no/such/file")
        elif how == "itself":
            path.symlink_to(path)
        elif how == "folder":
            (path / "inner").mkdir(parents=True)
        elif how == "file":
            path.write_bytes(b"x")
        shutil.rmtree(moved) if moved.is_dir() else moved.unlink()


def said(*words: str, root: Path, codes: tuple[int, ...], what: str) -> int:
    result = lsml(*words, root=root)
    told = f"{what}: lsml {' '.join(words)}: exit {result.exit_code}\n{result.output}"
    assert result.exit_code in codes, told
    assert not [sign for sign in BUGS if sign in result.output], told
    assert sum(line.startswith("error: ") for line in result.output.splitlines()) == (
        result.exit_code != 0
    ), told
    return result.exit_code


def test_whatever_is_damaged_is_found_and_no_command_ends_as_a_bug(finished, tmp_path):
    whole = sorted(path.relative_to(finished) for path in finished.rglob("*") if path.name != ".lock")
    listed = {
        (folder / file.path).relative_to(finished)
        for folder in (path.parent for path in finished.rglob(manifest.NAME))
        for file in manifest.read(folder).all_files()
    } | {
        path.relative_to(finished)
        for path in [*finished.rglob(manifest.NAME), *finished.glob("*/site/**/*")]
        if path.is_file()
    }

    def hold(data: st.DataObject) -> None:
        root = tmp_path / str(next(_numbers))
        shutil.copytree(finished, root)
        changed: dict[Path, str] = {}
        for _ in range(data.draw(st.integers(1, 2))):
            left = [path for path in whole if os.path.lexists(root / path) and path not in changed]
            if not left:
                break
            here = data.draw(st.sampled_from(left))
            how = data.draw(
                st.sampled_from(
                    [
                        "flip",
                        "flip",
                        "cut",
                        "grow",
                        "rubbish",
                        "gone",
                        "folder",
                        "file",
                        "nowhere",
                        "itself",
                        "link",
                    ]
                )
            )
            damaged(root / here, how, data)
            changed[here] = how
        what = f"{changed}"
        found = any(
            here in listed and how not in ("link", "file") and not changed.keys() & set(here.parents)
            for here, how in changed.items()
        )
        said("verify", root=root, codes=(6,) if found else (0, 2, 6), what=what)
        said("status", root=root, codes=(0, 2, 6, 7), what=what)
        said("report", root=root, codes=(0, 2, 6, 7), what=what)
        if said("run", "--date", NIGHT, root=root, codes=(0, 2, 6, 7), what=what) == 0:
            said("verify", "--date", NIGHT, root=root, codes=(0, 6), what=what)
        shutil.rmtree(root)

    throw(hold, 5)
