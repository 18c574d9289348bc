"""The good nights before this one, as numbers: every figure of their `metrics` tables, every check's value.

Read as Arrow columns and spread into one matrix (series × nights): 90 nights of 500 columns are a million
figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.work import Source

Key = tuple[str, str]  # (column or "" for the table, metric)
BETWEEN = "\x00"  # joins the two parts of a key


@dataclass(frozen=True)
class History:
    """`dates` ascending; `figures` and `checks` hold one value per night, NaN where it has none."""

    dates: Sequence[str] = ()
    figures: Mapping[Key, np.ndarray] = field(default_factory=dict)
    checks: Mapping[str, np.ndarray] = field(default_factory=dict)

    def figure(self, column: str, metric: str) -> np.ndarray:
        return self.figures.get((column, metric), self._none)

    def check(self, label: str) -> np.ndarray:
        return self.checks.get(label, self._none)

    def latest(self, nights: int) -> "History":
        """The last `nights` of it."""
        if nights >= len(self.dates):
            return self
        start = len(self.dates) - nights
        return History(
            self.dates[start:],
            {key: values[start:] for key, values in self.figures.items()},
            {label: values[start:] for label, values in self.checks.items()},
        )

    @property
    def _none(self) -> np.ndarray:
        return np.full(len(self.dates), np.nan)


def read(sources: Mapping[str, Source]) -> History:
    """The history of quality folders by date; folders with neither figures nor findings are passed over."""
    by_date = {date: source for date, source in sorted(sources.items()) if _tells(source)}
    nights = list(by_date.values())
    return History(list(by_date), _figures(nights), _checks(nights))


def figures_of(source: Source | None) -> dict[Key, float]:
    """Every figure of one night."""
    return {key: float(values[0]) for key, values in _figures([source]).items()} if source is not None else {}


def measured(finding: Mapping[str, Any]) -> float:
    """What a check measured: its value, else the share of rows that break it; NaN for neither."""
    for name in ("value", "share"):
        value = finding.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    return float("nan")


def _tells(source: Source) -> bool:
    return "metrics" in source.manifest.tables or bool(source.manifest.metrics.get("findings"))


def _figures(nights: Sequence[Source]) -> dict[Key, np.ndarray]:
    parts = [_ledger(source, night) for night, source in enumerate(nights)]
    for night, source in enumerate(nights):
        parts += (
            [_table(path, night) for path in source.files("metrics")]
            if "metrics" in source.manifest.tables
            else []
        )
    if not parts:
        return {}
    table = pa.concat_tables(parts)
    coded = table["key"].combine_chunks().dictionary_encode()
    keys = coded.dictionary.to_pylist()
    values_SN = np.full((len(keys), len(nights)), np.nan)
    values_SN[coded.indices.to_numpy(), table["night"].to_numpy()] = table[
        "value"
    ].to_numpy()  # the table's own figure comes last, and wins
    values_SN[~np.isfinite(values_SN)] = np.nan
    return {_parts(key): values_N for key, values_N in zip(keys, values_SN, strict=True)}


def _table(path: Any, night: int) -> pa.Table:
    try:
        table = pq.read_table(path, columns=["column", "metric", "value"])
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"{path}: cannot be read as a table of metrics: {error}") from error
    column = pc.fill_null(table["column"].cast(pa.string()), "")
    key = pc.binary_join_element_wise(column, table["metric"].cast(pa.string()), BETWEEN)
    return _keyed(key, pc.fill_null(table["value"].cast(pa.float64()), float("nan")), night)


def _ledger(source: Source, night: int) -> pa.Table:
    """The figures that every quality folder has, however old."""
    ledger = source.manifest.ledger
    figures: dict[str, float] = {
        "rows": ledger.rows_in,
        "clean": ledger.rows_out,
        "quarantined": sum(ledger.quarantined.values()),
    }
    figures |= {"kept_share": ledger.rows_out / ledger.rows_in} if ledger.rows_in else {}
    return _keyed(
        pa.array([BETWEEN + name for name in figures]), pa.array(list(figures.values()), pa.float64()), night
    )


def _keyed(key: Any, value: Any, night: int) -> pa.Table:
    return pa.table({"key": key, "value": value, "night": pa.array(np.full(len(key), night))})


def _parts(key: str) -> Key:
    column, _, metric = key.rpartition(BETWEEN)
    return column, metric


def _checks(nights: Sequence[Source]) -> dict[str, np.ndarray]:
    values_by_check: dict[str, np.ndarray] = {}
    for night, source in enumerate(nights):
        for finding in source.manifest.metrics.get("findings") or []:
            values_by_check.setdefault(str(finding.get("check")), np.full(len(nights), np.nan))[night] = (
                measured(finding)
            )
    return values_by_check
