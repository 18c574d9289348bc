"""Raw text through the quality stage's own `run`, and what came of it file by file."""

import gzip
from collections.abc import Mapping
from typing import Any

from lsml_spark.core.config import validate
from lsml_spark.quality import run as quality
from lsml_spark.spark import tables

CONTRACT = {"item": "string", "n": "int", "note": {"type": "string", "required": False}}


class Checked:
    """`clean` and `quarantine`: rows by (file, line)."""

    def __init__(self, spark, work, outcome):
        outcome.ledger.check("quality")
        self.ledger, self.failed, self.metrics, self.tables = (
            outcome.ledger,
            outcome.failed,
            outcome.metrics,
            {},
        )
        for name in ("clean", "quarantine"):
            rows = (
                tables.read_written(spark, work.folder, outcome.tables[name]).collect()
                if name in outcome.tables
                else []
            )
            self.tables[name] = {(row["_file"], row["_line"]): row.asDict() for row in rows}

    def clean(self, file: str, *names: str) -> list[tuple[Any, ...]]:
        """(line, values of these columns) of the clean rows of a file, in the order of its lines."""
        return [
            (line, *[row[name] for name in names])
            for (of, line), row in sorted(self.tables["clean"].items())
            if of == file
        ]

    def quarantined(self, file: str, *names: str) -> list[tuple[Any, ...]]:
        """(line, reason, values of these columns)."""
        found = sorted(self.tables["quarantine"].items())
        return [
            (line, row["reason"], *[row[name] for name in names]) for (of, line), row in found if of == file
        ]


def check(
    spark,
    night,
    folder,
    files: Mapping[str, str | bytes],
    contract: Mapping[str, Any] = CONTRACT,
    **config: Any,
) -> Checked:
    """One day of several files, written as they are named; `.gz` of text are packed, bytes are written as
    they are.
    """
    paths = []
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        path = folder / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") and isinstance(content, str) else data)
        paths.append(path)
    work = night.work("quality", raw=tuple(paths))
    return Checked(
        spark,
        work,
        quality.run(
            work, validate(quality.Config, {"contract": dict(contract), **config}, "t.yaml: quality"), spark
        ),
    )
