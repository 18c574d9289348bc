"""What a raw file says of itself before its rows are read: its columns and, where the format knows them, their types."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql.types import DataType

from lsml_spark.core.work import raw_name

CORRUPT = "_corrupt"  # beside the columns of the contract: a line that could not be read, as it was found


@dataclass(frozen=True)
class Header:
    """Columns of one raw file, compared with the contract.

    Fields:
        columns: names in the order of the file (of JSON, as they first appear).
        types: what they were found to be: `string` in CSV, Spark's names in Parquet, JSON's in JSON.
        ordered: whether the order of the columns means anything.
        first_record: line of a CSV file where its records begin.
        called: what rows and findings call the file; its base name where nothing else is said.
        folders: values that its folders give, `country=x`.
    """

    path: Path
    columns: list[str]
    types: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = True
    first_record: int = 2
    called: str = ""
    folders: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.called or self.path.name

    def below(self, root: Path | None) -> "Header":
        """The same file as one of those below the folder `root`, known by its path there."""
        called = raw_name(self.path, root)
        parts = [part.partition("=") for part in called.split("/")[:-1]]
        return replace(self, called=called, folders={unquote(key): _unescaped(value) for key, equals, value in parts if key and equals})

    def with_folders(self, contract: Iterable[str]) -> list[str]:
        """The columns of the file, and those of the contract that its folders give, at their place."""
        found = list(self.columns)
        for place, name in enumerate(contract):
            if name in self.folders and name not in found:
                found.insert(place, name)
        return found

    def drift(self, contract: Mapping[str, str]) -> list[str]:
        """Sentences on columns that appeared, vanished, moved or changed their type."""
        found, name = self.with_folders(contract), self.name
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
            f"column {column!r} of {self.name} is {self.types[column]}, the contract says {type_}"
            for column, type_ in wanted.items()
            if column in self.types and self.types[column] != type_
        ]


def _unescaped(value: str) -> str | None:
    """The value of a partition folder, as Hive and Spark write it."""
    return None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value)
