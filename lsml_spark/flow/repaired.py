"""A mended export of `quarantine show --csv`, read back: the rows that differ from what is held.

A malformed line is mended in the column `_corrupt`, as the line that it should have been, and parsed again as
a line of its file; or its columns are filled in by hand.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from lsml_spark.core.errors import ConfigError, QualityGateError
from lsml_spark.core.raw import Format
from lsml_spark.core.work import Source

PLACE, CORRUPT = ("_file", "_line"), "_corrupt"
Row = Mapping[str, str | None]


def mended_rows(
    path: Path, source: Source, known: Mapping[str, Row], contract: Mapping[str, str], form: Format
) -> dict[str, Row]:
    """{`file:line`: {column: text}} of the rows of the file that were changed; an empty field is a missing
    value.

    Args:
        known: what is held, by place, with `_corrupt`. `contract`: its columns, by what the files call them.
    """
    columns = list(contract.values())
    rows: dict[str, Row] = {}
    for number, row in enumerate(_read(path), 2):
        lacking = [name for name in (*PLACE, *columns) if row.get(name) is None]
        if lacking:
            raise ConfigError(
                f"{path}:{number}: no column '{lacking[0]}'; keep the columns of `lsml quarantine show --csv`"
            )
        place = f"{row['_file']}:{row['_line']}"
        mended = known.get(place)
        if mended is None:
            raise ConfigError(
                f"{path}:{number}: line {row['_line']} of {row['_file']} is not in the quarantine of "
                f"{source.manifest.date}"
            )
        values = {name: row[name] or None for name in columns}
        if values != {name: mended[name] or None for name in columns}:
            rows[place] = values
        elif mended[CORRUPT] is not None and row.get(CORRUPT) not in (None, mended[CORRUPT]):
            rows[place] = _parsed(
                str(row[CORRUPT]), str(row["_file"]), source, contract, form, f"{path}:{number}"
            )
    if not rows:
        raise ConfigError(
            f"{path}: no row of the file differs from the quarantine; mend what is wrong in it, then release "
            "again"
        )
    return rows


def _read(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(2**31 - 1)  # a text of megabytes is one that was quarantined for it
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as CSV: {error}") from error
    if not rows:
        raise ConfigError(f"{path}: holds no rows")
    return rows


def _parsed(
    line: str, file: str, source: Source, contract: Mapping[str, str], form: Format, where: str
) -> Row:
    """The values of a mended line, by the reader that read the day."""
    from lsml_spark.quality.raw import (
        csv_text,
        json_text,  # which needs no Spark, but lies beside what does
    )

    if not line.strip():
        raise ConfigError(f"{where}: the line is empty; leave the row out to leave it in quarantine")
    if line.lstrip().startswith("{") and not _is_csv(file):
        try:
            texts = {value.key: value.text for value in json_text.values(line)}
        except json_text.Malformed as error:
            raise ConfigError(f"{where}: {error}") from error
        return {name: texts.get(of) for of, name in contract.items()}
    names = _header(file, source, list(contract), form)
    records = list(csv_text.records([(1, line)], form))
    fields = records[0].fields if len(records) == 1 else None
    if fields is None or len(fields) != len(names):
        why = records[0].why if len(records) == 1 else None
        raise ConfigError(f"{where}: {why or csv_text.FIELDS}; the columns are {', '.join(names)}")
    by_name = dict(zip(names, fields, strict=True))
    return {name: by_name.get(of) or None for of, name in contract.items()}


def _is_csv(file: str) -> bool:
    from lsml_spark.quality.raw.records import is_text

    return is_text(Path(file))


def _header(file: str, source: Source, columns: Sequence[str], form: Format) -> Sequence[str]:
    """The columns of the raw file, in its order."""
    from lsml_spark.quality.raw.records import read_header

    if not form.header:
        return columns
    read = source.manifest.inputs.get(file)
    try:
        if read is None or not Path(read.path).is_file():
            raise QualityGateError("it is gone")
        return read_header(Path(read.path), form).columns
    except QualityGateError as error:
        raise ConfigError(
            f"{file}: its header says what a line of it means, and {error}; fill in the row's columns in "
            "place of _corrupt"
        ) from error
