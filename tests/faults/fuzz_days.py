"""Raw days, YAML and names as hypothesis draws them: from rubbish to what is almost right."""

import bz2
import copy
import gzip
import io
import json
import lzma
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import strategies as st

CONTRACT = {
    "item": "string",
    "n": "int",
    "note": {"type": "string", "required": False},
    "price": {"type": "double", "required": False},
    "when": {"type": "timestamp", "required": False},
    "on": {"type": "date", "required": False},
    "sure": {"type": "boolean", "required": False},
    "paid": {"type": "decimal(10,2)", "required": False},
    "big": {"type": "bigint", "required": False},
}
VALUES = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "0",
            "7",
            "-1",
            "+3",
            "1e5",
            "12D",
            "NaN",
            "inf",
            "1e400",
            "1.5",
            "1,5",
            "9999999999",
            "99999999999999999999",
            "0x1F",
        ]
        + [
            "true",
            "No",
            "2011-02-01",
            "2011-02-01 10:00:00",
            "2011-02-30",
            "10:00",
            "0001-01-01",
            "9999-12-31T23:59:59Z",
            "201102",
        ]
        + [
            "null",
            "NA",
            "é",
            "漢",
            "🙂",
            "\ufeff",
            "\u2028",
            "\x85",
            "a\nb",
            "a\r\nb",
            'say "x"',
            "x,y",
            "x;y",
            "\\",
            '\\"',
            "'",
            "\0",
            "\x1b[31m",
        ]
    ),
    st.text(max_size=6),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
)
CODECS = (*("utf-8",) * 20, "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "shift_jis")
PACKED = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def packed(name: str, data: bytes) -> bytes:
    """As its name says, where it says so."""
    return next((pack(data) for end, pack in PACKED.items() if end and name.endswith(end)), data)


@st.composite
def csv_text(draw: st.DrawFn) -> bytes:
    """Records that are right but for what happened to them on their way."""
    names = draw(st.permutations(list(CONTRACT)))[: draw(st.integers(1, len(CONTRACT)))]
    if draw(st.integers(0, 5)):
        names = ["item", "n", *[name for name in names if name not in ("item", "n")]]
    if draw(st.integers(0, 4)) == 0:
        names = [
            *names,
            draw(
                st.sampled_from(
                    [
                        "item",
                        "ITEM",
                        "",
                        "_file",
                        "_line",
                        "_raw_n",
                        "reason",
                        "date",
                        "x.y",
                        "a`b",
                        "é",
                        " n",
                    ]
                )
            ),
        ]
    delimiter = draw(st.sampled_from([*[","] * 12, ";", "\t", "|"]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"]))

    def field(text: str) -> str:
        how = draw(st.integers(0, 8))
        if how == 0:
            return text
        return (
            '"' + text.replace('"', '""' if how > 1 else '\\"') + '"'
            if how < 3 or any(c in text for c in f'{delimiter}"\r\n')
            else text
        )

    rows = [[*names]]
    for number in range(draw(st.integers(0, 5))):
        row = [f"k{number}" if name == "item" and draw(st.booleans()) else draw(VALUES) for name in names]
        row = [
            str(number) if name == "n" and draw(st.integers(0, 3)) else value
            for name, value in zip(names, row, strict=True)
        ]
        if draw(st.integers(0, 5)) == 0:
            row = row[:-1] if draw(st.booleans()) else [*row, draw(VALUES)]
        rows.append(row)
    text = end.join(delimiter.join(map(field, row)) for row in rows) + (end if draw(st.booleans()) else "")
    return spoiled(draw, encoded(draw, text))


@st.composite
def json_text(draw: st.DrawFn) -> bytes:
    """Lines of JSON: objects with the contract's names, other values, and what is no JSON at all."""
    value = st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | VALUES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES, inner, max_size=3),
        max_leaves=4,
    )
    lines = []
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.integers(0, 9))
        if kind == 0:
            lines.append(draw(VALUES))
        elif kind == 1:
            lines.append(json.dumps(draw(value)))
        else:
            row: dict[str, Any] = {"item": f"k{number}", "n": number}
            row |= draw(
                st.dictionaries(
                    st.sampled_from([*CONTRACT, "Item", "x.y", "", "_corrupt", "_line"]), value, max_size=3
                )
            )
            text = json.dumps(row, ensure_ascii=draw(st.booleans()))
            lines.append(
                text.replace('"n"', '"item"', 1)
                if kind == 2
                else text[: draw(st.integers(0, len(text)))]
                if kind == 3
                else text
            )
    return spoiled(draw, encoded(draw, draw(st.sampled_from(["\n", "\n", "\r\n", "\n\n"])).join(lines)))


TYPES = (
    pa.string(), pa.large_string(), pa.binary(), pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(),
    pa.float16(), pa.float32(),
    pa.float64(), pa.bool_(), pa.date32(), pa.date64(), pa.time32("s"), pa.time64("ns"), pa.timestamp("s"),
    pa.timestamp("ms", "UTC"),
    pa.timestamp("ns"), pa.timestamp("us", "Asia/Tokyo"), pa.duration("ms"), pa.decimal128(10, 2),
    pa.decimal128(38, 10), pa.null(),
    pa.list_(pa.int32()), pa.struct([("a", pa.int32())]), pa.map_(pa.string(), pa.int32()),
    pa.dictionary(pa.int32(), pa.string()),
    pa.binary(4), pa.decimal256(50, 3),
)  # fmt: skip
RIGHT = {
    "item": pa.string(),
    "n": pa.int32(),
    "price": pa.float64(),
    "when": pa.timestamp("us"),
    "on": pa.date32(),
    "big": pa.int64(),
}


@st.composite
def parquet(draw: st.DrawFn) -> bytes:
    """A small file of columns of any type, with some of the contract's names."""
    names = draw(
        st.lists(
            st.sampled_from([*CONTRACT, "Item", "N", "x.y", "_file", "a b", "é"]),
            min_size=1,
            max_size=5,
            unique=True,
        )
    )
    if draw(st.integers(0, 5)):
        names = ["item", "n", *[name for name in names if name not in ("item", "n")]]
    rows = draw(st.integers(0, 4))
    columns = []
    for name in names:
        kind = RIGHT[name] if name in RIGHT and draw(st.booleans()) else draw(st.sampled_from(TYPES))
        columns.append(_column(draw, kind, rows))
    out = io.BytesIO()
    table = pa.table(columns, names=names)
    options: dict[str, Any] = {"compression": draw(st.sampled_from(["snappy", "none", "zstd", "gzip"]))}
    if draw(st.booleans()):
        options |= {"use_deprecated_int96_timestamps": True}
    try:
        pq.write_table(table, out, **options)
    except (pa.ArrowException, OSError, ValueError):
        pq.write_table(pa.table({"item": ["a"], "n": pa.array([1], pa.int32())}), out := io.BytesIO())
    return spoiled(draw, out.getvalue())


def _column(draw: st.DrawFn, kind: pa.DataType, rows: int) -> pa.Array:
    whole = [draw(st.none() | st.integers(-(2**40), 2**40)) for _ in range(rows)]
    small = [None if value is None else value % 100 for value in whole]
    texts = [None if value is None else draw(VALUES) for value in whole]
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
            return pa.array(texts, pa.string()).cast(kind)
        if pa.types.is_binary(kind):
            return pa.array(
                [None if text is None else text.encode("utf-8", "replace") for text in texts], kind
            )
        if pa.types.is_fixed_size_binary(kind) and not pa.types.is_decimal(kind):
            return pa.array([None if value is None else b"abcd" for value in whole], kind)
        if pa.types.is_list(kind):
            return pa.array([None if value is None else [value, None] for value in small], kind)
        if pa.types.is_struct(kind):
            return pa.array([None if value is None else {"a": value} for value in small], kind)
        if pa.types.is_map(kind):
            return pa.array([None if value is None else [("a", value)] for value in small], kind)
        if pa.types.is_boolean(kind):
            return pa.array([None if value is None else value > 50 for value in small], kind)
        if pa.types.is_null(kind):
            return pa.nulls(rows)
        return pa.array(whole, pa.int64()).cast(kind)
    except (pa.ArrowException, ValueError):
        try:
            return pa.array(small, pa.int64()).cast(kind)
        except (pa.ArrowException, ValueError):
            return pa.nulls(rows, kind)


def encoded(draw: st.DrawFn, text: str) -> bytes:
    codec = draw(st.sampled_from(CODECS))
    return text.encode(
        codec, "replace" if codec != "utf-8" else draw(st.sampled_from(["replace", "surrogatepass"]))
    )


def spoiled(draw: st.DrawFn, data: bytes) -> bytes:
    """Most often as it is; else cut, with bytes changed or put in."""
    how = draw(st.integers(0, 19))
    at = draw(st.integers(0, max(0, len(data) - 1)))
    if how == 0:
        return data[:at]
    if how == 1 and data:
        return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
    if how == 2:
        return data[:at] + draw(st.binary(max_size=8)) + data[at:]
    return data


WRITERS = {
    "csv": csv_text(),
    "tsv": csv_text(),
    "jsonl": json_text(),
    "json": json_text(),
    "ndjson": json_text(),
    "parquet": parquet(),
}


@st.composite
def raw_file(draw: st.DrawFn) -> tuple[str, bytes]:
    """The end of a file's name, and its bytes."""
    kind = draw(st.sampled_from(sorted(WRITERS)))
    data = draw(st.binary(max_size=60)) if draw(st.integers(0, 15)) == 0 else draw(WRITERS[kind])
    end = draw(st.sampled_from(["", "", "", ".gz", ".bz2", ".xz"])) if kind != "parquet" else ""
    name = f".{kind}{end}"
    data = packed(name, data)
    return name, spoiled(draw, data) if end else data


ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, 1.5, 1e308, float("inf"), float("nan"), 2**63 - 1, -(2**63), "", " ",
    "x", "null", "é",
    "-", "a\nb",
    "x" * 5000, "{{ date }}", "{{", "${NO_SUCH_VARIABLE}", "${", "../x", "/etc/passwd", "~nobody/x",
    "a[1]{b,c}*?\\", "SELECT 1", "1 = 1",
    "'", '"', "`", ";", "--", "(", "item", "n", "date", "vocabulary", "zipf", "os.system",
    "item; DROP TABLE clean", [], {}, [[]], [None],
    [{}], {"x": 1}, {"use": "x"}, {"use": "os.system"}, {"use": None}, ["item", "n"], [1, 2],
    ["item", "item"], {"": ""}, "36h", "1e3",
    "2011-02-01", "trailing_median", "array<int>", "struct<a:int>", "void", "interval day", "decimal(99,3)",
    "(?<", "[", "*", "%Y",
    "\x1b[31m",
)  # fmt: skip


def spots(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value within a YAML."""
    items: list[tuple[Any, Any]] = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [path for key, inner in items for path in [(*here, key), *spots(inner, (*here, key))]]


@st.composite
def changed(draw: st.DrawFn, sections: dict[str, Any]) -> str:
    """The text of a valid pipeline after one to three mistakes."""
    sections = copy.deepcopy(sections)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        section = draw(
            st.sampled_from(
                [name for name in sections for _ in range(1 + min(8, len(spots(sections[name]))))]
            )
        )
        path = (section, *draw(st.sampled_from([(), *spots(sections[section]) * 2])))
        *above, last = path
        holder: Any = sections
        for key in above:
            holder = holder[key]
        how = draw(st.integers(0, 6))
        if how == 0:
            del holder[last]
        elif how == 1 and isinstance(holder, dict):
            holder[
                draw(st.sampled_from(["x", "", "use", "item", f"{last}x", str(last).upper(), "a.b", "name"]))
            ] = holder.pop(last)
        elif how == 2:
            holder[last] = [holder[last]] if draw(st.booleans()) else {"x": holder[last]}
        elif how == 3 and isinstance(holder[last], str):
            text = holder[last]
            at = draw(st.integers(0, len(text)))
            cut = draw(st.integers(0, 3))
            holder[last] = (
                text[:at]
                + draw(st.sampled_from(["", "(", ")", "'", "`", ",", " x ", "*", "1", ";", "é", "\n"]))
                + text[at + cut :]
            )
        elif how == 4:
            holder[last] = draw(st.integers() | st.floats() | st.text(max_size=8))
        else:
            holder[last] = copy.deepcopy(draw(st.sampled_from(ODD)))
        if not sections:
            break
    text = yaml.safe_dump(sections, allow_unicode=True, sort_keys=False)
    if draw(st.integers(0, 24)) == 0:  # lines doubled, removed, indented
        lines = text.splitlines(keepends=True)
        at = draw(st.integers(0, len(lines) - 1))
        lines[at : at + 1] = draw(
            st.sampled_from(
                [[lines[at]] * 2, [], [" " + lines[at]], ["\t" + lines[at]], [lines[at].rstrip() + ": x\n"]]
            )
        )
        text = "".join(lines)
    return text
