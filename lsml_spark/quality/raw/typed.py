"""A value as it was found, under the type that the contract promises; NULL where it is none.

A text becomes a value only if it says that value. Spark's cast alone is kinder: it takes `12D` and `0x1p3`
for numbers, 201102 and 2011 for days, a time of day for that time today, and it rounds decimals. So each kind
of type has a form that its texts must have (docs/raw.md), and the cast sees what has it.
"""

import re
from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    MapType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from lsml_spark.core.raw import PLAIN, Format
from lsml_spark.quality.raw import utf8
from lsml_spark.spark.attempt import attempt
from lsml_spark.spark.ddl import ddl
from lsml_spark.spark.tables import quoted

WHOLE = r"tinyint|smallint|int|integer|bigint|long|short|byte"
NESTED = re.compile(r"\s*(array|map|struct)\s*<", re.IGNORECASE)
DECIMAL = re.compile(r"\s*(?:decimal|dec|numeric)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", re.IGNORECASE)
BEGIN, END = "^[ \\t\\r\\n]*+", "[ \\t\\r\\n]*+$"  # trim() cuts off spaces alone
DAY = r"(?!0000)[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
# in whatever zone, its year is one of 1 to 9999
INNER_DAY = r"(?!0000|0001|9999)[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
CLOCK = r"[0-9]{1,2}(?::[0-9]{1,2}(?::[0-9]{1,2}(?:[.][0-9]{0,9})?)?)?"
MIDNIGHT = r"(?:[ T]0?0:00(?::00(?:[.]0*)?)?)?"
# inside JSON; the others are strict
LOOKED_INTO = (DateType, TimestampType, TimestampNTZType, DecimalType, DoubleType, FloatType)
PLACE = r" ?(?:Z|[+-][0-9:]{1,8}|[A-Za-z][A-Za-z0-9_/+:-]*)"  # of a time: an offset or a region


def typed_column(name: str, source: str, target: str, form: Format = PLAIN) -> Column | str:
    """Column `name`, of Spark type `source`, as type `target`, as SQL where it can be; text of a list, map or
    struct is JSON.
    """
    value = quoted(name)
    if source != "string":
        return f"{_from_value(value, source, target)} AS {value}" if source != target else value
    typed = typed_text(value, target, form)
    return f"{typed} AS {value}" if isinstance(typed, str) else typed.alias(name)


def typed_text(value: str, target: str, form: Format = PLAIN) -> Column | str:
    """A text, given as SQL, as type `target`, as SQL where it can be."""
    if NESTED.match(target):
        return attempt(F.expr(_from_json(value, target, form)))
    target = target.strip().lower()
    typed = _from_text(value, target, form)
    if (target == "date" and form.date_formats) or (
        target.startswith("timestamp") and form.timestamp_formats
    ):
        return attempt(F.expr(typed))  # a year of nine digits raises all the same
    return typed


def not_of_type(name: str, source: str, form: Format = PLAIN) -> str:
    """SQL: whether something was found where the typed value is NULL."""
    raw, value = quoted(f"_raw_{name}"), quoted(name)
    return f"{value} IS NULL AND " + (
        f"NOT {_says_nothing(raw, form)}" if source == "string" else f"{raw} IS NOT NULL"
    )


def _says_nothing(text: str, form: Format) -> str:
    """SQL: whether a text means that there is no value."""
    words = ", ".join(map(_literal, ["", *form.nulls]))
    return (
        f"coalesce(trim({text}) IN ({words}), true)" if form.nulls else f"coalesce(trim({text}) = '', true)"
    )


def _from_value(value: str, source: str, target: str) -> str:
    cast = f"try_cast({value} AS {target})"
    if "binary" in source and "string" in target:
        return f"CASE WHEN NOT coalesce({utf8.broken(cast, DataType.fromDDL(target))}, false) THEN {cast} END"
    numbers = rf"float|double|decimal.*|{WHOLE}"
    # not from 0.1 to the nearest float
    exact = re.fullmatch(rf"decimal.*|{WHOLE}", target) or re.fullmatch(WHOLE, source)
    if exact and re.fullmatch(numbers, source) and re.fullmatch(numbers, target):  # 1.5 is no whole number
        return f"CASE WHEN cast({cast} AS {source}) = {value} THEN {cast} END"
    return cast


def _from_text(value: str, target: str, form: Format) -> str:
    if target == "string":
        text = f"trim({value})" if form.trim else value
        return (
            f"CASE WHEN trim({value}) NOT IN ({', '.join(map(_literal, form.nulls))}) THEN {text} END"
            if form.nulls
            else text
        )
    for kind, typed in KINDS.items():
        if re.fullmatch(kind, target, re.IGNORECASE):
            cast = typed(value, target, form)
            break
    else:
        cast = f"try_cast(trim({value}) AS {target})"
    return f"CASE WHEN NOT {_says_nothing(value, form)} THEN {cast} END" if form.nulls else cast


def _from_json(value: str, target: str, form: Format) -> str:
    """JSON as a list, map or struct, if each number, day and time inside says what it is: Spark takes the
    same liberties there.
    """
    options = (
        "map('mode', 'FAILFAST')"
        if form.zone == "UTC"
        else f"map('mode', 'FAILFAST', 'timeZone', {_literal(form.zone)})"
    )
    condition = f"NOT {_says_nothing(value, form)}"
    if wrong := _wrong_inside("s0", type_ := DataType.fromDDL(target)):
        texts = f"array(from_json({value}, {_literal(_as_texts(type_))}, {options}))"
        condition += f" AND NOT coalesce(exists({texts}, s0 -> {wrong}), false)"
    return f"CASE WHEN {condition} THEN from_json({value}, {_literal(target)}, {options}) END"


def _as_texts(type_: DataType) -> str:
    """The same type with text where `_wrong_inside` looks at it."""
    return ddl(type_, lambda leaf: "string" if isinstance(leaf, LOOKED_INTO) else leaf.simpleString())


def _wrong_inside(value: str, type_: DataType, depth: int = 1) -> str:
    """SQL: whether a text in it is no such value; nothing where there is none to look at."""
    s = f"s{depth}"
    if isinstance(type_, StructType):
        parts = [_wrong_inside(f"{value}.{quoted(field.name)}", field.dataType, depth) for field in type_]
        return " OR ".join(filter(None, parts))
    if isinstance(type_, (ArrayType, MapType)):
        values, inner = (
            (value, type_.elementType)
            if isinstance(type_, ArrayType)
            else (f"map_values({value})", type_.valueType)
        )
        wrong = _wrong_inside(s, inner, depth + 1)
        return f"coalesce(exists({values}, {s} -> {wrong}), false)" if wrong else ""
    if not isinstance(type_, LOOKED_INTO):
        return ""
    return f"({value} IS NOT NULL AND {_from_text(value, type_.simpleString(), Format())} IS NULL)"


def _whole(value: str, target: str, form: Format) -> str:
    text = f"trim({value})"
    if not form.thousands:
        return _cast(value, target, "[+-]?[0-9]++")
    return (
        f"CASE WHEN {text} RLIKE '{BEGIN}[+-]?{_grouped(form)}{END}' THEN "
        f"try_cast({_ungrouped(text, form)} AS {target}) END"
    )


def _boolean(value: str, target: str, form: Format) -> str:
    return _cast(value, target, "[A-Za-z01]++")


def _cast(value: str, target: str, form: str) -> str:
    """SQL: Spark's cast, which would also pass over control characters around the text."""
    cast = f"try_cast(trim({value}) AS {target})"
    return f"CASE WHEN {_bare(f'trim({value})')} OR {value} RLIKE '{BEGIN}{form}{END}' THEN {cast} END"


def _float(value: str, target: str, form: Format) -> str:
    text = f"trim({value})"
    digits = f"(?:{_grouped(form)}(?:{_point(form)}[0-9]*+)?|{_point(form)}[0-9]++)"
    number = f"{BEGIN}[+-]?{digits}(?:[eE][+-]?[0-9]++)?{END}"
    words = f"(?i){BEGIN}(?:nan|[+-]?inf(?:inity)?){END}"
    cast = f"try_cast({_ungrouped(text, form)} AS {target})"
    finite = f"{text} RLIKE '{number}' AND abs({cast}) < double('Infinity')"  # 1e400 is no infinity
    branch = f"WHEN {finite} OR {text} RLIKE '{words}' THEN {cast}"
    if form.thousands or form.decimal != ".":
        return f"CASE {branch} END"
    plain = " AND ".join(f"NOT contains({value}, '{letter}')" for letter in "dDfFxXeE")
    return f"CASE WHEN octet_length({value}) < 38 AND {plain} AND {_bare(text)} THEN {cast} {branch} END"


def _decimal(value: str, target: str, form: Format) -> str:
    """Digits beyond the scale are no such decimal, unless they are zeros: Spark would round them."""
    text = f"trim({value})"
    match = DECIMAL.fullmatch(target)
    assert match is not None
    precision, scale = int(match[1] or 10), int(match[2] or 0)
    fraction = f"(?:{_point(form)}[0-9]{{0,{scale}}}0*+)?"
    fixed = f"{BEGIN}[+-]?(?:{_grouped(form)}{fraction}|{_point(form)}[0-9]{{1,{max(scale, 1)}}}0*+){END}"
    as_spark = _ungrouped(text, form)
    cast, exact = (
        f"try_cast({as_spark} AS {target})",
        f"try_cast({as_spark} AS decimal(38,{max(scale, 38 - (precision - scale))}))",
    )
    digits = f"(?:{_grouped(form)}(?:{_point(form)}[0-9]*+)?|{_point(form)}[0-9]++)"
    power = f"{BEGIN}[+-]?{digits}[eE][+-]?[0-9]{{1,3}}{END}"
    branch = f"WHEN {text} RLIKE '{fixed}' OR ({text} RLIKE '{power}' AND {cast} = {exact}) THEN {cast}"
    if form.thousands or form.decimal != ".":
        return f"CASE {branch} END"
    short = f"(NOT contains({value}, '.') OR length({text}) - instr({text}, '.') <= {scale})"
    return (
        f"CASE WHEN NOT contains({value}, 'e') AND NOT contains({value}, 'E') AND {short} AND "
        f"{_bare(text)} THEN {cast} {branch} END"
    )


def _date(value: str, target: str, form: Format) -> str:
    text = f"trim({value})"
    if form.date_formats:
        return _first_of(
            [_in_years(f"try_to_date({text}, {_literal(pattern)})") for pattern in form.date_formats]
        )
    cast = f"try_cast({text} AS date)"
    ten = f"length({text}) IN (8, 9, 10) AND {_begins_with_a_year(text)} AND {_bare(text)}"
    plain = f"{ten} AND NOT contains({value}, ' ') AND NOT contains({value}, 'T')"
    return f"CASE WHEN {plain} THEN {cast} WHEN {text} RLIKE '{BEGIN}{DAY}{MIDNIGHT}{END}' THEN {cast} END"


def _timestamp(value: str, target: str, form: Format) -> str:
    text = f"trim({value})"
    there = _literal(form.zone)
    if form.timestamp_formats:
        parsed = [
            (pattern, _in_years(f"try_to_timestamp({text}, {_literal(pattern)})"))
            for pattern in form.timestamp_formats
        ]
        if target == "timestamp_ntz":
            return f"cast({_first_of([sql for _, sql in parsed])} AS timestamp_ntz)"
        return _first_of(
            [
                _moved(sql, there) if form.zone != "UTC" and not _names_zone(pattern) else sql
                for pattern, sql in parsed
            ]
        )
    cast = f"try_cast({text} AS {target})"
    if target == "timestamp_ntz":
        return f"CASE WHEN {text} RLIKE '{BEGIN}{DAY}(?:[ T]{CLOCK})?{END}' THEN {cast} END"
    first, rest = f"{BEGIN}{DAY}(?:[ T]{CLOCK})?{END}", f"{BEGIN}{INNER_DAY}[ T]{CLOCK}{PLACE}{END}"
    sql = f"WHEN {text} RLIKE '{rest}' THEN {cast}"
    if form.zone != "UTC":
        inner = f"{BEGIN}{INNER_DAY}(?:[ T]{CLOCK})?{END}"
        return f"CASE WHEN {text} RLIKE '{inner}' THEN {_moved(cast, there)} {sql} END"
    plain = f"length({text}) > 7 AND {_begins_with_a_year(text)} AND {_bare(text)}"
    plain += f" AND NOT startswith({text}, '9999') AND NOT startswith({text}, '0001')"
    return f"CASE WHEN {plain} THEN {cast} WHEN {text} RLIKE '{first}' THEN {cast} {sql} END"


def _bare(text: str) -> str:
    """SQL: neither a blank nor a control character at the beginning or the end."""
    return f"{text} >= '!' AND right({text}, 1) BETWEEN '!' AND '~'"


def _begins_with_a_year(text: str) -> str:
    """SQL: four characters before the first hyphen, which Spark's cast then holds to be a year; no year 0."""
    return f"instr({text}, '-') = 5 AND NOT startswith({text}, '0000')"


def _moved(timestamp: str, zone: str) -> str:
    return f"to_utc_timestamp({timestamp}, {zone})"


def _names_zone(pattern: str) -> bool:
    return bool(re.search("[VzOXxZ]", re.sub(r"'[^']*'", "", pattern)))


def _in_years(value: str) -> str:
    # not BETWEEN: Spark computes what stands before it in a step of its own, out of the attempt
    return f"CASE WHEN year({value}) >= 1 AND year({value}) <= 9999 THEN {value} END"


def _first_of(alternatives: list[str]) -> str:
    return alternatives[0] if len(alternatives) == 1 else f"coalesce({', '.join(alternatives)})"


def _point(form: Format) -> str:
    return "[.]" if form.decimal == "." else ","


def _grouped(form: Format) -> str:
    """Whole digits, as they are or in groups of three."""
    return (
        f"(?:[0-9]{{1,3}}(?:[{re.escape(form.thousands)}][0-9]{{3}})++|[0-9]++)".replace("'", "\\'")
        if form.thousands
        else "[0-9]++"
    )


def _ungrouped(text: str, form: Format) -> str:
    """SQL: the number as Spark writes it."""
    plain = f"replace({text}, {_literal(form.thousands)}, '')" if form.thousands else text
    return f"replace({plain}, ',', '.')" if form.decimal == "," else plain


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


KINDS: dict[str, Callable[[str, str, Format], str]] = {
    WHOLE: _whole,
    r"boolean": _boolean,
    r"double|float|real": _float,
    DECIMAL.pattern: _decimal,
    r"date": _date,
    r"timestamp|timestamp_ntz|timestamp_ltz": _timestamp,
}
