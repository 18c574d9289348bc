"""The same column twice."""

import hashlib
import json

import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.quality.check import Judged, TableCheck
from lsml_spark.quality.day import Day
from lsml_spark.quality.lacking import lacking


class DuplicateColumns(TableCheck):
    """No two columns hold the same values in every row of the sample, compared as text: 1, 1.0 and "1" are
    alike.

    Columns with one value or none are the business of `constant`; samples of fewer than `at_least` rows are
    not judged. `value` is the number of columns that repeat an earlier one.
    """

    skip: list[str] = []  # columns that are left out
    at_least: int = 10  # rows below which nothing is judged

    def describe(self) -> str:
        return "columns that repeat another one"

    def judge(self, day: Day) -> Judged:
        if lack := lacking(day, *self.skip):
            return lack
        if day.sample.num_rows < self.at_least:
            return Judged()
        names_by_digest: dict[str, list[str]] = {}
        for name in day.profile.get("columns", {}):
            if name not in self.skip and name in day.sample.column_names:
                text = as_text(day.sample[name])
                if len(pc.unique(text.drop_null())) > 1:
                    names_by_digest.setdefault(_digest(text), []).append(name)
        alike = [names for names in names_by_digest.values() if len(names) > 1]
        groups = [
            " = ".join(f"'{name}'" for name in names[:5])
            + (f" = {len(names) - 5} more" if len(names) > 5 else "")
            for names in alike
        ]
        more = f" and {len(groups) - 5} groups more" if len(groups) > 5 else ""
        problem = (
            f"the same values in all {day.sample.num_rows} rows of the sample: {'; '.join(groups[:5])}{more}"
            if groups
            else None
        )
        return Judged(problem, value=float(sum(len(names) - 1 for names in alike)))


def as_text(column: pa.ChunkedArray) -> pa.Array:
    """Values as text, whole numbers without their `.0`, nested ones as JSON; NULL stays NULL."""
    values = column.combine_chunks()
    values = pa.concat_arrays(values.chunks) if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_nested(values.type):
        return pa.array(
            [
                None if value is None else json.dumps(value, default=str, sort_keys=True)
                for value in values.to_pylist()
            ],
            pa.string(),
        )
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return pa.array([None if value is None else value.hex() for value in values.to_pylist()], pa.string())
    text = pc.cast(values, pa.string())
    numeric = (
        pa.types.is_floating(values.type)
        or pa.types.is_decimal(values.type)
        or pa.types.is_string(values.type)
    )
    return pc.replace_substring_regex(text, r"^(-?\d+)\.0+$", r"\1") if numeric else text


def _digest(text: pa.Array) -> str:
    """Of lengths and bytes, NULL as the length −1, so that no two different columns are the same bytes."""
    lengths = pc.fill_null(pc.binary_length(text), -1).to_numpy(zero_copy_only=False)
    words = "".join(text.drop_null().to_pylist())
    return hashlib.blake2b(
        lengths.astype("i8").tobytes() + words.encode("utf-8", "surrogatepass"), digest_size=16
    ).hexdigest()
