"""A sharded table: its row groups in the manifest's order, and what a row group holds, whatever reads it."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.manifest import File
from lsml_spark.data.batch import Column
from lsml_spark.data.columns import Held, Part, gather
from lsml_spark.data.files import Files, Group, Opened
from lsml_spark.data.plan import Plan
from lsml_spark.data.store import LOCAL, Store

LABEL, WEIGHT, SAMPLE_ID, OFFSET = "label", "weight", "sample_id", "offset"


@dataclass(frozen=True)
class Filter:
    """A predicate on rows and the columns that it names."""

    expression: pc.Expression
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Shards:
    """A sharded table and the columns to read. `held` is what a reader of another library overrides."""

    groups: tuple[Group, ...]
    features: tuple[str, ...]
    label: str = LABEL
    optional: tuple[str, ...] = ()  # columns beside features, label and weight that these shards have: OFFSET or none
    store: Store = LOCAL
    filter: Filter | None = None  # the groups' rows are then those that it keeps

    @classmethod
    def of(
        cls,
        folder: Path,
        files: Iterable[File],
        features: Sequence[str],
        label: str = LABEL,
        optional: Sequence[str] = (),
    ) -> "Shards":
        """From a manifest's files; no shard is opened for it."""
        groups = [Group(folder / file.path, index, rows) for file in files for index, rows in enumerate(file.row_groups)]
        return cls(tuple(groups), tuple(features), label, tuple(optional))

    @property
    def rows_G(self) -> tuple[int, ...]:
        return tuple(group.rows for group in self.groups)

    @cached_property
    def files(self) -> Files:
        return Files(self.store)

    def held(self, group: Group, names: Sequence[str]) -> dict[str, Held]:
        """The named columns of the file, for one row group. IntegrityError names the file, the row group and, where known, the column."""
        return self.files.columns(group, names)

    def kept(self, group: Group) -> np.ndarray | None:
        """The rows of a row group that the filter keeps, ascending, int64; None for all. IntegrityError as above."""
        return self.files.passing(group, self.filter.expression, self.filter.columns) if self.filter else None

    def rows_of(self, group: Group, names: Sequence[str]) -> tuple[dict[str, Held], np.ndarray | None]:
        """`held` and `kept` of a row group, its rows counted: IntegrityError where the manifest says another number."""
        columns, kept_N = self.held(group, names), self.kept(group)
        for name, column in columns.items():
            rows = len(column) if kept_N is None else len(kept_N)
            if rows != group.rows:
                raise IntegrityError(
                    f"{group}, column '{name}': it has {rows} rows, its manifest says {group.rows}; run the shard stage again"
                )
        return columns, kept_N

    def columns(self, group: Group, names: Sequence[str]) -> dict[str, Column]:
        """The named columns of one row group as flat arrays; text and bytes as objects, records as (rows, columns)."""
        held, kept_N = self.rows_of(group, names)
        rows_N = np.arange(group.rows) if kept_N is None else kept_N
        return {name: gather([Part(column, rows_N, slice(0, len(rows_N)))], len(rows_N)) for name, column in held.items()}

    def sample_ids(self, plan: Plan, lane: int, step: int, without: Container[int] = ()) -> np.ndarray:
        """Ids of the rows that a lane gives to a step: read only when an error must name them. Shape (rows,), objects.

        `without`: row groups whose rows were left out.
        """
        group_B, row_B = plan.rows_at(lane, step)
        there_B = np.array([group not in without for group in group_B.tolist()], dtype=bool)
        group_B, row_B = group_B[there_B], row_B[there_B]
        found_B = np.empty(len(group_B), dtype=object)
        for group in np.unique(group_B):
            ids = np.asarray(self.columns(self.groups[group], [SAMPLE_ID])[SAMPLE_ID])
            found_B[group_B == group] = ids[row_B[group_B == group]]
        return found_B


@dataclass(frozen=True)
class Sources:
    """Where the wanted columns lie in a file: columns to read, and by wanted name (column, place in its record or None)."""

    read: tuple[str, ...]
    places: dict[str, tuple[str, int | None]] = field(default_factory=dict)


def sources_of(opened: Opened, names: Sequence[str], where: str) -> Sources:
    """ConfigError, which begins with `where`, for a column that the file does not have."""
    places = {}
    for name in dict.fromkeys(names):
        try:
            places[name] = opened.source(name)
        except KeyError:
            known = [*opened.layouts, *opened.packed]
            raise ConfigError(f"{where}: there is no column '{name}'{did_you_mean(name, known)}") from None
    return Sources(tuple(dict.fromkeys(column for column, _ in places.values())), places)
