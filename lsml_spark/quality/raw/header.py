"""What a raw file says of itself before its rows are read: its columns and, where the format knows them,
their types.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from pyspark.sql.types import DataType

from lsml_spark.core.work import raw_name
from lsml_spark.quality.raw.retyped import keeps_values
from lsml_spark.quality.raw.types import type_paths

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
        called: what rows and findings call the file; its base name where nothing else is said.
        folders: values that its folders give, `country=x`.
        way: how the file is to be read, for the format that knows several ways.
        kinds: of JSON, every kind of value that was found, by the path of the field (`meta.lang`,
            `tags[].name`).
    """

    path: Path
    columns: list[str]
    types: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = True
    first_record: int = 2
    called: str = ""
    folders: Mapping[str, str | None] = field(default_factory=dict)
    way: str = ""
    kinds: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.called or self.path.name

    def below(self, root: Path | None) -> "Header":
        """The same file as one of those below the folder `root`, known by its path there."""
        called = raw_name(self.path, root)
        parts = [part.partition("=") for part in called.split("/")[:-1]]
        return replace(
            self,
            called=called,
            folders={unquote(key): _unescaped(value) for key, equals, value in parts if key and equals},
        )

    def with_folders(self, contract: Iterable[str]) -> list[str]:
        """The columns of the file, and those of the contract that its folders give, at their place."""
        columns = list(self.columns)
        for place, name in enumerate(contract):
            if name in self.folders and name not in columns:
                columns.insert(place, name)
        return columns

    def drift(self, contract: Mapping[str, str]) -> list[str]:
        """Sentences on columns that appeared, vanished, moved or changed their type."""
        columns, name = self.with_folders(contract), self.name
        promised, there = set(contract), set(columns)
        sentences = [
            f"column {column!r} appeared in {name}; it is not in the contract and is not used"
            for column in columns
            if column not in promised
        ]
        sentences += [f"column {column!r} vanished from {name}" for column in contract if column not in there]
        if not sentences and self.ordered and columns != list(contract):
            sentences.append(f"columns of {name} are reordered: {', '.join(columns)}")
        return sentences + self._retyped(contract) + self._inside(contract)

    def _retyped(self, contract: Mapping[str, str]) -> list[str]:
        if self.path.suffix != ".parquet":
            return []  # the types of text are what it can be read as
        types = {column: DataType.fromDDL(type_).simpleString() for column, type_ in contract.items()}
        return [
            f"column {column!r} of {self.name} is {self.types[column]}, the contract says {type_}"
            for column, type_ in types.items()
            if column in self.types and not keeps_values(self.types[column], type_)
        ]

    def _inside(self, contract: Mapping[str, str]) -> list[str]:
        """Of JSON: fields inside a column that the contract does not know, and numbers and the like where it
        says text.
        """
        sentences, name = [], self.name
        for column, type_ in contract.items() if self.kinds else ():
            known = {
                f"{column}{path if path[:1] in ('', '[', '{') else '.' + path}": of
                for path, of in type_paths(type_).items()
            }
            nested = any(of in ("struct", "array") for of in known.values())
            for path in [
                path
                for path in self.kinds
                if path == column or (nested and path.startswith((f"{column}.", f"{column}[")))
            ]:
                if path not in known:
                    if _holder(path) in known and known[_holder(path)] in ("struct", "array"):
                        sentences.append(
                            f"field {path!r} appeared in {name}; it is not in the contract and is not used"
                        )
                elif known[path] == "string" and (
                    other := sorted({"number", "boolean"} & set(self.kinds[path]))
                ):
                    sentences.append(
                        f"{'column' if path == column else 'field'} {path!r} of {name} is "
                        f"{' and '.join(other)}, the contract says string"
                    )
        return sentences


def drift_of(headers: Sequence[Header], contract: Mapping[str, str]) -> list[str]:
    """What the files of a day say of themselves against the contract, each thing once with the files that it
    is true of.
    """
    mark = "\0"
    names_by_sentence: dict[str, list[str]] = {}
    for header in headers:
        for sentence in replace(header, called=mark).drift(contract):
            names_by_sentence.setdefault(sentence, []).append(header.name)
    return [
        sentence.replace(mark, _together(names, len(headers)))
        for sentence, names in names_by_sentence.items()
    ]


def _together(names: Sequence[str], files: int) -> str:
    if len(names) <= 2:
        return " and ".join(names)
    return f"all {files:,} files" if len(names) == files else f"{names[0]} and {len(names) - 1:,} more files"


def _holder(path: str) -> str:
    return path[:-2] if path.endswith("[]") else path.rpartition(".")[0]


def _unescaped(value: str) -> str | None:
    """The value of a partition folder, as Hive and Spark write it."""
    return None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value)
