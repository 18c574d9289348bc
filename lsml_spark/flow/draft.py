"""The first YAML of a pipeline, written from a look at raw days: pure functions from names and proposals to
commented text.

What is proposed is plain on purpose: every column becomes a category, a number cut into buckets or a bag of
words, and a logistic regression guesses one column from the others. It runs as it is; the comments say what
a person would change first.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsml_spark.core.errors import ConfigError
from lsml_spark.flow.days import Days

LABELS = (
    "label",
    "target",
    "class",
    "y",
    "outcome",
    "intent",
    "category",
    "income",
    "churn",
    "clicked",
    "sentiment",
)
WHOLE, REAL = ("tinyint", "smallint", "int", "bigint"), ("float", "double", "decimal")
LONG = 60  # characters; longer texts are taken word by word
STEPS = 40  # of a number that is the label, at most about so many
NUMBER = "{use: buckets, size: 20}"  # with as many rows in each
TEMPLATE = """\
# {title}
# Written by `lsml init` from a look at {looked}. Read it once: what you know of your data is not in it yet.
{notes}name: {name}
seed: 1
window: {window}                # days of history that a night trains on

raw:
  folder: {folder}
  files: {files}{raw}

# What a row must look like. The reason for each line stands behind it; docs/quality.md has all checks.
{quality}
# From clean rows to samples. Spark SQL over the view `clean`: your columns, and `date`, `_file`, `_line`.
#   sample_id  names a sample for ever; no two samples share one
#   key        what is counted: rows of frequent keys are thinned, rare ones kept. Often the label or an item
#   label      what the model is to guess{label_note}
# Below these, a feature per line; leave out what is not known yet when the guess is made.
prepare:
  sql: |
    SELECT
      concat_ws(':', date, {id}) AS sample_id,
      {label} AS key,
      {label} AS label,
      date,
{features}
    FROM clean{left_out}

zipf: {{}}

select:
  policy: {{use: zipf, beta: 0.5}}   # docs/selection.md has the others
  budget: 0.7                      # share of the window's rows that the trainer gets

features:                          # every feature that the SQL gives, and the label: docs/features.md
  columns:
    label: vocabulary
{encoded}

shard: {{}}

train:
  model: logistic                  # or bag_mlp: docs/start.md
  epochs: 5
  batch: 256                       # rows of a step, all workers together
  optimizer: {{use: adagrad, lr: 0.1}}
  workers: 2

evaluate: {{k: 1, context: null, baselines: [popularity]}}   # k: 1 makes recall@k the accuracy

promote: {{tolerance: 0.01, band_tolerance: 0.05, min_rows: 50, beat: popularity}}

report: {{}}
"""


@dataclass(frozen=True)
class Column:
    """What the proposals say of a column of the contract."""

    name: str
    type: str
    checks: Sequence[Any] = ()
    unique: bool = False

    def of(self, check: str) -> Any:
        return next(
            (item[check] for item in self.checks if isinstance(item, Mapping) and check in item), None
        )

    @property
    def usable(self) -> bool:
        """Whether its name can stand in the YAML's SQL: on one line, and no template of ours."""
        return self.name.isprintable() and "{{" not in self.name and "${" not in self.name

    @property
    def sql(self) -> str:
        return "`" + self.name.replace("`", "``") + "`"

    @property
    def is_category(self) -> bool:
        return self.type == "boolean" or len(self.of("one_of") or ()) > 1

    @property
    def is_number(self) -> bool:
        return self.type.startswith((*WHOLE, *REAL))

    @property
    def is_long(self) -> bool:
        return self.type == "string" and not self.is_category and self._most("length") > 2 * LONG

    def _most(self, check: str) -> float:
        values = [
            item[check].get("high", 0)
            for item in self.checks
            if isinstance(item, Mapping) and isinstance(item.get(check), Mapping)
        ]
        return max(values, default=0)

    def step(self) -> str:
        """The width of a number's steps: 1, 2 or 5 times a power of ten."""
        rough = max(self._most("in_range"), 1e-9) / STEPS
        if self.type.startswith(WHOLE):
            rough = max(rough, 1)
        power = 10.0 ** math.floor(math.log10(rough))
        return f"{next((n for n in (1, 2, 5) if n * power >= rough * 0.999), 10) * power:g}"


def columns_of(quality: Mapping[str, Any]) -> list[Column]:
    """The contract's columns with their proposed checks, in order."""
    unique = {
        name
        for item in quality.get("rows", ())
        if isinstance(item, Mapping) and len(item.get("unique", ())) == 1
        for name in item["unique"]
    }
    checks = quality.get("columns", {})
    return [
        Column(
            name, kind["type"] if isinstance(kind, Mapping) else kind, checks.get(name, ()), name in unique
        )
        for name, kind in quality["contract"].items()
    ]


def label_of(columns: Sequence[Column]) -> Column:
    """The column that a model could guess: one with a telling name, else the last category, else the last
    short text.
    """
    columns = [column for column in columns if column.usable and not column.unique]
    able = [
        column
        for column in columns
        if (column.is_category or (column.type == "string" and not column.is_long))
    ]
    named = [column for column in able if column.name.lower() in LABELS]
    categories = [column for column in able if column.is_category and column.type == "string"] or [
        c for c in able if c.is_category
    ]
    for candidates in (named, categories, able):
        if candidates:
            return candidates[-1]
    numbers = [column for column in columns if column.is_number]
    if not numbers:
        kinds = (
            ", ".join(f"{column.name} ({column.type})" for column in columns)
            or "none is there that is not an id"
        )
        raise ConfigError(f"no column could be a label: {kinds}")
    return numbers[-1]


def feature(column: Column) -> tuple[str, str] | None:
    """(SQL expression, why) of a column as a feature; None where it is no use as one."""
    if not column.usable or (column.unique and not column.is_long):
        return None
    if column.is_category:
        values = column.of("one_of")
        return _text(column.sql), f"{len(values)} values" if values else "yes or no"
    if column.is_number:
        decimal = column.type.startswith("decimal")
        return f"CAST({column.sql} AS DOUBLE)" if decimal else column.sql, "a number"
    if column.is_long:
        return (
            rf"filter(split(lower(coalesce({column.sql}, '')), '\\W+'), word -> word != '')",
            "a text, as a bag of words",
        )
    if column.type == "string":
        return _text(column.sql), "a name or a code"
    if column.type == "timestamp":
        return f"coalesce(CAST(hour({column.sql}) AS STRING), 'missing')", "the hour of the day"
    if column.type == "date":
        return f"coalesce(CAST(weekday({column.sql}) AS STRING), 'missing')", "the day of the week"
    if column.type == "array<string>":
        return f"coalesce(array_compact({column.sql}), array())", "a list"
    return None


def _text(sql: str) -> str:
    return f"coalesce(CAST({sql} AS STRING), 'missing')"


def _stepped(column: Column) -> str:
    return f"coalesce(CAST(floor({column.sql} / {column.step()}) AS STRING), 'missing')"


def text(
    name: str,
    folder: str,
    days: Days,
    quality: str,
    proposed: Mapping[str, Any],
    form: Sequence[str],
    rows: str,
    notes: Sequence[str] = (),
) -> str:
    """The whole YAML. `quality`: the section as text, comments and all; `proposed`: the same as values;
    `form`: more lines of `raw`; `notes`: comment lines on what was found."""
    columns = columns_of(proposed)
    label = label_of(columns)
    used = {"label", "key", "sample_id", "date", "weight", "keep_rate", "drop_reason"}
    lines, encoded, left = [], [], []
    for column in columns:
        drafted = feature(column) if column.name != label.name else None
        if drafted is None:
            if column.name != label.name:
                shown = column.name if column.usable else "a name that SQL cannot hold"
                left.append(f"{shown} ({'never the same twice' if column.unique else column.type})")
            continue
        as_name = _as_name(column.name, used)
        lines.append((drafted[0], as_name, drafted[1]))
        encoded.append(f"    {as_name}: {NUMBER if drafted[1] == 'a number' else 'vocabulary'}")
    if not lines:
        raise ConfigError(f"no column is left as a feature beside the label '{label.name}'")
    last = len(lines) - 1
    ids = [column.sql for column in columns if column.usable and column.unique and not column.is_long]
    sql = [
        f"      {what} AS {as_name}{',' if i < last else ''}   -- {why}"
        for i, (what, as_name, why) in enumerate(lines)
    ]
    return TEMPLATE.format(
        title=f"Guesses `{label.name}` from the other columns, every night anew.",
        looked=f"{rows} of {len(days.files)} day{'s' * (len(days.files) > 1)}, {min(days.files)} to "
        f"{max(days.files)}",
        name=name,
        window=days.window(),
        folder=_scalar(folder),
        files=_scalar(days.pattern),
        raw="".join(f"\n{line}" for line in form),
        notes="".join(f"{line}\n" for line in notes),
        quality=quality,
        id=ids[0] if ids else "_file, _line",
        label=_stepped(label)
        if label.is_number and not label.is_category
        else f"CAST({label.sql} AS STRING)",
        label_note="; here a number in steps, since models classify"
        if label.is_number and not label.is_category
        else "",
        features="\n".join(sql),
        left_out=f"\n    -- not used: {', '.join(left)}" if left else "",
        encoded="\n".join(encoded),
    )


def _as_name(name: str, used: set[str]) -> str:
    """A name that SQL and YAML take without quotes, and that no other column has."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "column"
    plain = (
        f"f_{plain}"
        if plain[0].isdigit() or plain in ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
        else plain
    )
    unique, number = plain, 2
    while unique in used:
        unique, number = f"{plain}_{number}", number + 1
    used.add(unique)
    return unique


def _scalar(value: str) -> str:
    """A YAML scalar, always in quotes."""
    return json.dumps(value, ensure_ascii=False)
