"""The reference curves: words of War and Peace, births by US name."""

import re

import numpy as np
import pytest


@pytest.fixture(scope="session")
def war_and_peace(shared_data) -> np.ndarray:
    """The words in order, as numbers; (586448,)."""
    path = shared_data / "text" / "war-and-peace.txt"
    if not path.exists():
        pytest.skip("no ../shared/data/text/war-and-peace.txt")
    words = re.findall(r"[a-z']+", path.read_text(errors="replace").lower())
    return np.unique(words, return_inverse=True)[1]


@pytest.fixture(scope="session")
def births_by_name(shared_data) -> np.ndarray:
    """Births 1970–2000 of each of 59153 names; a name with fewer than five in a year and sex is not
    published.
    """
    paths = sorted((shared_data / "names").glob("yob*.txt"))
    if not paths or (paths[0].stem, paths[-1].stem) != ("yob1970", "yob2000"):
        pytest.skip("no ../shared/data/names of 1970–2000")
    births: dict[str, int] = {}
    for path in paths:
        for line in path.read_text().split():
            name, _, number = line.split(",")
            births[name] = births.get(name, 0) + int(number)
    return np.array(list(births.values()))
