"""The suite itself."""

import fnmatch
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_no_folder_with_tests_is_left_out_because_of_its_name(pytestconfig):
    patterns = pytestconfig.getini("norecursedirs")
    folders = {path.parent.name for path in TESTS.rglob("test_*.py")}
    assert not [name for name in folders if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
