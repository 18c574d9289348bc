"""What a raw file says of itself before its rows are read: its columns and, where the format knows them, their types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql.types import DataType

CORRUPT = "_corrupt"  # beside the columns of the contract: a line that could not be read, as it was found


@dataclass(frozen=True)
class Header:
    """Columns of one raw file, compared with the contract.

    Fields:
        columns: names in the order of the file (of JSON, as they first appear).
        types: what they were found to be: `string` in CSV, Spark's names in Parquet, JSON's in JSON.
        ordered: whether the order of the columns means anything.
        first_record: line of a CSV file where its records begin.
    """

    path: Path
    columns: list[str]
    types: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = True
    first_record: int = 2

    def drift(self, contract: Mapping[str, str]) -> list[str]:
        """Sentences on columns that appeared, vanished, moved or changed their type."""
        found, name = self.columns, self.path.name
        said = [
            f"column {column!r} appeared in {name}; it is not in the contract and is not used" for column in found if column not in contract
        ]
        said += [f"column {column!r} vanished from {name}" for column in contract if column not in found]
        if not said and self.ordered and found != list(contract):
            said.append(f"columns of {name} are reordered: {', '.join(found)}")
        return said + self._retyped(contract)

    def _retyped(self, contract: Mapping[str, str]) -> list[str]:
        if self.path.suffix != ".parquet":
            return []  # the types of text are what it can be read as
        wanted = {column: DataType.fromDDL(type_).simpleString() for column, type_ in contract.items()}
        return [
            f"column {column!r} of {self.path.name} is {self.types[column]}, the contract says {type_}"
            for column, type_ in wanted.items()
            if column in self.types and self.types[column] != type_
        ]
