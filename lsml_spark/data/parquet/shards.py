"""A sharded table: its row groups in the manifest's order, and what a row group holds, whatever reads it."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.manifest import File
from lsml_spark.data.batch import Column
from lsml_spark.data.order.plan import Plan
from lsml_spark.data.parquet.columns import Held, Part, gather
from lsml_spark.data.parquet.decoded import decoded_bytes
from lsml_spark.data.parquet.files import Files, Group
from lsml_spark.data.parquet.footers import differ, row_groups_of
from lsml_spark.data.parquet.schema import Schema, Sources, of_files
from lsml_spark.data.parquet.store import LOCAL, Store

LABEL, WEIGHT, SAMPLE_ID, OFFSET = "label", "weight", "sample_id", "offset"
GROUP = "group_hash"  # of what a task wants to meet in one lane


def groups_of(rows_by_file: Mapping[str, Sequence[int]]) -> tuple[Group, ...]:
    """From the rows of the row groups of each file."""
    return tuple(
        Group(path, index, rows) for path, counts in rows_by_file.items() for index, rows in enumerate(counts)
    )


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
    # columns beside features, label and weight that these shards have: OFFSET or none
    optional: tuple[str, ...] = ()
    store: Store = LOCAL
    filter: Filter | None = None  # the groups' rows are then those that it keeps
    seen: Schema | None = None  # of all files, where their footers have been read; see `schema`
    # rows of each, by file, where a manifest says so
    row_groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        folder: Path,
        files: Iterable[File],
        features: Sequence[str],
        label: str = LABEL,
        optional: Sequence[str] = (),
        rows: int | None = None,
    ) -> "Shards":
        """From a manifest's files; no shard is opened for it. `rows`: of the table, where `files` are all of
        it.

        IntegrityError where the manifest counts rows as there cannot be.
        """
        rows_by_file = row_groups_of(folder, files, rows)
        return cls(groups_of(rows_by_file), tuple(features), label, tuple(optional), row_groups=rows_by_file)

    @property
    def rows_G(self) -> tuple[int, ...]:
        return tuple(group.rows for group in self.groups)

    @cached_property
    def files(self) -> Files:
        return Files(self.store)

    def schema(self, skip: bool = False) -> Schema:
        """What the columns are. Where a manifest told the row groups, that of the first file that opens,
        which is the same on every rank.

        `skip`: files that cannot be read are passed over; else IntegrityError for the first.
        """
        if self.seen is not None:
            return self.seen
        for path in dict.fromkeys(group.path for group in self.groups):
            try:
                return of_files(str(path), [(path, self.files.schema_of(Group(path, 0, 0)))])
            except IntegrityError:
                if not skip:
                    raise
        raise IntegrityError(
            f"{self.groups[0].path if self.groups else 'the table'}: not one row group can be read"
        )

    def held(self, group: Group, names: Sequence[str]) -> dict[str, Held]:
        """The named columns of the file, for one row group. IntegrityError names the file, the row group and,
        where known, the column.
        """
        return self.files.columns(group, names)

    def decoded_bytes(self, group: Group, names: Sequence[str], limit: int) -> int:
        """What `held` of the columns will take that are not seen in place, by the footer."""
        return decoded_bytes(self.files, group, names, limit)

    def kept(self, group: Group) -> np.ndarray | None:
        """The rows of a row group that the filter keeps, ascending, int64; None for all. IntegrityError as
        above.
        """
        return self.files.passing(group, self.filter.expression, self.filter.columns) if self.filter else None

    def rows_of(self, group: Group, names: Sequence[str]) -> tuple[dict[str, Held], np.ndarray | None]:
        """`held` and `kept` of a row group, its rows counted: IntegrityError where the manifest says another
        number.
        """
        self._as_told(group)
        columns, kept_N = self.held(group, names), self.kept(group)
        for name, column in columns.items():
            rows = len(column) if kept_N is None else len(kept_N)
            if rows != group.rows:
                raise IntegrityError(
                    f"{group}, column '{name}': it has {rows} rows, its manifest says {group.rows}; run the "
                    "shard stage again"
                )
        return columns, kept_N

    def read(self, group: Group, sources: Sources) -> tuple[Mapping[str, Held], np.ndarray | None]:
        """`rows_of` the columns of `sources`, as the table has them. IntegrityError where the file holds one
        otherwise.
        """
        opened = self.files.schema_of(group)
        if (name := sources.unlike(opened)) is not None:
            how = (
                "it has another layout or type than in the first file"
                if name in opened.layouts
                else "it is not there, as it is in the first file"
            )
            raise IntegrityError(f"{group}, column '{name}': {how}; write the files with one schema")
        columns, kept_N = self.rows_of(group, sources.read)
        return sources.widened(columns), kept_N

    def _as_told(self, group: Group) -> None:
        """IntegrityError where the file's footer has other row groups than the manifest says: rows would be
        left out, or read twice.
        """
        expected = self.row_groups.get(str(group.path))
        if expected is None or str(group.path) in self._compared:
            return
        actual = self.files.schema_of(group).row_groups
        if actual != expected:
            raise IntegrityError(f"{group}: {differ(expected, actual)}; run the shard stage again")
        self._compared.add(str(group.path))

    @cached_property
    def _compared(self) -> set[str]:
        return set()

    def columns(self, group: Group, names: Sequence[str]) -> dict[str, Column]:
        """The named columns of one row group as flat arrays; text and bytes as objects, records as (rows,
        columns).
        """
        by_name, kept_N = self.rows_of(group, names)
        rows_N = np.arange(group.rows) if kept_N is None else kept_N
        return {
            name: gather([Part(column, rows_N, slice(0, len(rows_N)))], len(rows_N))
            for name, column in by_name.items()
        }

    def sample_ids(self, plan: Plan, lane: int, step: int, without: Container[int] = ()) -> np.ndarray:
        """Ids of the rows that a lane gives to a step: read only when an error must name them. Shape (rows,),
        objects.

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
