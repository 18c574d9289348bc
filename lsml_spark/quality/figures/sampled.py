"""A sample of the day: the rows with the smallest hashes of (seed, file, line), the same however Spark cuts
the day.
"""

import pyarrow as pa
import pyarrow.compute as pc

KEY = "__key"  # uint64 order does not matter: any fixed order of the hashes will do


class Sample:
    """The `size` rows with the smallest keys among all that were added; the union's sample is the sample of
    the samples.
    """

    def __init__(self, size: int):
        self.size = size
        self.pending: list[pa.Table] = []
        self.waiting = 0
        self.bar: int | None = None  # rows above it are out already

    def add(self, rows: pa.Table) -> None:
        """Take in rows with a column `__key` (int64)."""
        if self.bar is not None:
            rows = rows.filter(pc.less(rows[KEY], self.bar))
        if rows.num_rows:
            self.pending.append(rows)
            self.waiting += rows.num_rows
        if self.waiting > 2 * self.size:
            self._settle()

    def _settle(self) -> None:
        rows = pa.concat_tables(self.pending).combine_chunks()
        if rows.num_rows > self.size:
            rows = rows.take(pc.select_k_unstable(rows, self.size, [(KEY, "ascending")]))
            self.bar = pc.max(rows[KEY]).as_py()
        self.pending, self.waiting = [rows], rows.num_rows

    def table(self) -> pa.Table | None:
        """The sample so far; None where nothing was added."""
        if not self.pending:
            return None
        self._settle()
        return self.pending[0]
