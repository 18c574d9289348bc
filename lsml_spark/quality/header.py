"""What a raw file says of itself before its rows are read: its columns and, where the format knows them, their types."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql.types import DataType

from lsml_spark.quality.type_paths import type_paths

CORRUPT = "_corrupt"  # beside the columns of the contract: a line that could not be read, as it was found
WHY = "_why"  # and what is wrong with it


@dataclass(frozen=True)
class Header:
    """Columns of one raw file, compared with the contract.

    Fields:
        columns: names in the order of the file (of JSON, as they first appear).
        types: what they were found to be: `string` in CSV, Spark's names in Parquet, JSON's in JSON.
        ordered: whether the order of the columns means anything.
        first_record: line of a CSV file where its records begin.
        way: how the file is to be read, for the format that knows several ways.
        kinds: of JSON, every kind of value that was found, by the path of the field (`meta.lang`, `tags[].name`).
    """

    path: Path
    columns: list[str]
    types: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = True
    first_record: int = 2
    way: str = ""
    kinds: Mapping[str, Collection[str]] = field(default_factory=dict)

    def drift(self, contract: Mapping[str, str]) -> list[str]:
        """Sentences on columns that appeared, vanished, moved or changed their type."""
        found, name = self.columns, self.path.name
        promised, there = set(contract), set(found)
        said = [
            f"column {column!r} appeared in {name}; it is not in the contract and is not used" for column in found if column not in promised
        ]
        said += [f"column {column!r} vanished from {name}" for column in contract if column not in there]
        if not said and self.ordered and found != list(contract):
            said.append(f"columns of {name} are reordered: {', '.join(found)}")
        return said + self._retyped(contract) + self._inside(contract)

    def _retyped(self, contract: Mapping[str, str]) -> list[str]:
        if self.path.suffix != ".parquet":
            return []  # the types of text are what it can be read as
        wanted = {column: DataType.fromDDL(type_).simpleString() for column, type_ in contract.items()}
        return [
            f"column {column!r} of {self.path.name} is {self.types[column]}, the contract says {type_}"
            for column, type_ in wanted.items()
            if column in self.types and self.types[column] != type_
        ]

    def _inside(self, contract: Mapping[str, str]) -> list[str]:
        """Of JSON: fields inside a column that the contract does not know, and numbers and the like where it says text."""
        said, name = [], self.path.name
        for column, type_ in contract.items() if self.kinds else ():
            known = {f"{column}{path if path[:1] in ('', '[', '{') else '.' + path}": of for path, of in type_paths(type_).items()}
            nested = any(of in ("struct", "array") for of in known.values())
            for path in [path for path in self.kinds if path == column or (nested and path.startswith((f"{column}.", f"{column}[")))]:
                if path not in known:
                    if _holder(path) in known and known[_holder(path)] in ("struct", "array"):
                        said.append(f"field {path!r} appeared in {name}; it is not in the contract and is not used")
                elif known[path] == "string" and (other := sorted({"number", "boolean"} & set(self.kinds[path]))):
                    said.append(
                        f"{'column' if path == column else 'field'} {path!r} of {name} is {' and '.join(other)}, the contract says string"
                    )
        return said


def _holder(path: str) -> str:
    return path[:-2] if path.endswith("[]") else path.rpartition(".")[0]
