"""How a Python process of ours is started: it finds the modules that its parent finds, and none of the
working folder.

Without `-P` a file `token.py` beside the user would be taken for Python's own. What the parent searches is
handed on as a variable of the environment and searched after all else, so it hides nothing; `runpy`, since
the path has to be set first.
"""

import os
import sys
from pathlib import Path

import lsml_spark

SEARCHED = "LSML_PATH"
START = (
    "import os, runpy, sys; sys.argv[:1] = []; "
    f"sys.path += [place for place in os.environ.get('{SEARCHED}', '').split(os.pathsep) if place and place "
    "not in sys.path]; "
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def module(name: str, *words: str) -> list[str]:
    """The command line that runs a module."""
    return [sys.executable, "-u", "-P", "-c", START, name, *words]


def environment() -> dict[str, str]:
    """What such a process must find in its environment."""
    places = [*map(str, sys.path), str(Path(lsml_spark.__file__).parent.parent)]
    searched = {SEARCHED: os.pathsep.join(dict.fromkeys(os.path.abspath(place) for place in places))}
    return searched | ({"PYTHONPATH": os.environ["PYTHONPATH"]} if os.environ.get("PYTHONPATH") else {})
