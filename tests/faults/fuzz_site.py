"""A folder with a pipeline, raw days and runs in it, at which any command may be thrown; and what must hold
whatever comes.
"""

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from lsml_spark.cli.main import app
from lsml_spark.core import manifest
from lsml_spark.core.errors import IntegrityError

DAY = "2011-02-01"
DOCUMENTED = (0, 2, 3, 4, 5, 6, 7, 8)
BUGS = ("this is a bug of lsml", "Traceback (most recent call last)", "Py4J", "py4j", "org.apache.spark")

_numbers = itertools.count()


def throw(hold: Callable[[st.DataObject], None], examples: int) -> None:
    """Try a property on so many draws; hypothesis narrows down the first that fails.

    The draws are always the same, so that a night of CI does not depend on luck; LSML_FUZZ=12 tries twelve
    times as many, and others.
    """
    fuzz = os.environ.get("LSML_FUZZ")
    quiet = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    quiet = settings(quiet, max_examples=examples * int(fuzz or 1), derandomize=fuzz is None)
    quiet(given(st.data())(hold))()


class Site:
    """`p.yaml`, `raw/` and `runs/` in a folder of their own; `with` removes them, for there will be
    hundreds.
    """

    def __init__(self, folder: Path, yaml: str | bytes):
        self.folder = folder / f"site{next(_numbers)}"
        self.pipeline, self.raw, self.root = self.folder / "p.yaml", self.folder / "raw", self.folder / "runs"
        self.raw.mkdir(parents=True)
        self.pipeline.write_bytes(yaml.encode("utf-8", "surrogatepass") if isinstance(yaml, str) else yaml)

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *_: Any) -> None:
        shutil.rmtree(self.folder)

    def day(self, *words: str, date: str = DAY, **more: Any) -> Result:
        """`lsml WORDS p.yaml --date D --root runs`."""
        return self.lsml(*words, str(self.pipeline), "--date", date, "--root", str(self.root), **more)

    def lsml(self, *words: str, codes: tuple[int, ...] = DOCUMENTED, writes: tuple[str, ...] = ()) -> Result:
        """The command, which ends with one of `codes`, one error line and no traceback, and writes below the
        root alone.
        """
        before = self._outside()
        result = CliRunner().invoke(app, list(words))
        said = f"lsml {' '.join(words)}: exit {result.exit_code}\n{result.output}\n{result.exc_info}"
        assert result.exit_code in codes, said
        assert not [sign for sign in BUGS if sign in result.output], said
        errors = [line for line in result.output.splitlines() if line.startswith("error: ")]
        assert len(errors) == (result.exit_code != 0) or "Usage:" in result.output, said
        assert self._outside() - before <= {str(self.folder / name) for name in writes}, said
        self.balanced()
        return result

    def balanced(self) -> None:
        """Every ledger below the root: rows in and added = rows out, in quarantine and dropped."""
        for path in self.root.glob("*/*/*/manifest.json"):
            try:
                found = manifest.read(path.parent)
            except IntegrityError:  # one that a test has damaged
                continue
            assert found is not None
            ledger = found.ledger
            lost = sum(ledger.quarantined.values()) + sum(ledger.dropped.values())
            assert ledger.rows_in + sum(ledger.added.values()) == ledger.rows_out + lost, path

    def _outside(self) -> set[str]:
        runs = self.folder / "runs"
        return {str(path) for path in self.folder.parent.rglob("*") if not path.is_relative_to(runs)}
