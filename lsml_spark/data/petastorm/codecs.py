"""What the columns of a petastorm data set hold, seen from their values, and these rows in the layout of our
shards.

`.npy` and `.npz` files, PNG and JPEG begin with marks of their own, scalars are Parquet's. What cannot be
seen, or is wanted otherwise, the user says: `schema={"image": {"dtype": "uint8", "shape": [28, 28]}}`, or the
Unischema object itself.
"""

import ast
import io
import math
import operator
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lsml_spark.core.config import did_you_mean
from lsml_spark.core.errors import ConfigError
from lsml_spark.data.parquet.fields import Layout
from lsml_spark.media.image import size_of

NPY, LONGEST_HEADER = b"\x93NUMPY", 10_000  # bytes, as numpy has it
MOST = 1 << 30  # bytes of a row
MARKS = {NPY: "npy", b"PK\x03\x04": "npz", b"\x89PNG\r\n\x1a\n": "image", b"\xff\xd8\xff": "image"}
Shape = tuple[int | None, ...]
# {column: {"dtype": …, "shape": …}}, or an object with `fields` such as a Unischema
Schema = Mapping[str, Mapping[str, Any]] | Any


@dataclass(frozen=True)
class Codec:
    """How a column is stored (`stored`: npy | npz | image | raw | plain), and what it becomes in our
    layout.
    """

    stored: str
    layout: Layout


def codecs_of(rows: pa.Table, schema: Schema | None = None) -> dict[str, Codec]:
    """What the columns hold, seen from some rows (a row group) and from what the user says. ConfigError where
    neither tells.
    """
    fields = _told(schema, rows.column_names)
    codecs = {}
    for field in rows.schema:
        try:
            codecs[field.name] = _codec(
                field.type, rows.column(field.name), *fields.get(field.name, (None, None))
            )
        except (ValueError, pa.ArrowException) as error:
            raise ConfigError(f"column '{field.name}': {error}") from error
    return codecs


def to_layout(rows: pa.Table, codecs: Mapping[str, Codec]) -> pa.Table:
    """The same rows as a shard holds them: tensors as bytes of one width, lists as binary, no nulls.

    ValueError names the column where the rows are not what `codecs` (of another row group, perhaps) says.
    """
    arrays, fields = [], []
    for name in rows.column_names:
        try:
            array = _array(rows.column(name), codecs[name])
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise ValueError(f"column '{name}': {error}") from error
        arrays.append(array)
        fields.append(pa.field(name, array.type, nullable=False, metadata=codecs[name].layout.metadata()))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


Told = tuple[np.dtype | None, Shape | None]


def _told(schema: Schema | None, known: Sequence[str]) -> dict[str, Told]:
    """{column: (dtype, shape)} of what the user says."""
    if schema is None:
        return {}
    if not isinstance(schema, Mapping) and not isinstance(getattr(schema, "fields", None), Mapping):
        raise ConfigError(
            f"schema: must be {{column: {{dtype: …, shape: …}}}} or a Unischema, not {str(schema)[:60]}"
        )
    fields = (
        schema
        if isinstance(schema, Mapping)
        else {name: _described(field) for name, field in schema.fields.items()}
    )
    by_name: dict[str, Told] = {}
    for name, field in fields.items():
        if name not in known:
            if not isinstance(schema, Mapping):
                continue  # a Unischema says all columns, also those that are not read
            raise ConfigError(f"schema: no column '{name}'{did_you_mean(name, known)}")
        if not isinstance(field, Mapping):
            raise ConfigError(f"schema.{name}: must be {{dtype: …, shape: …}}, not {str(field)[:60]}")
        if unknown := set(field) - {"dtype", "shape"}:
            raise ConfigError(f"schema.{name}: '{sorted(unknown)[0]}' is not known, expected dtype and shape")
        try:
            dtype = None if field.get("dtype") is None else np.dtype(field["dtype"])
        except TypeError as error:
            raise ConfigError(f"schema.{name}.dtype: {error}") from error
        shape = field.get("shape")
        if shape is not None and not (
            isinstance(shape, Sequence)
            and all(one is None or (isinstance(one, int | np.integer) and one >= 0) for one in shape)
        ):
            raise ConfigError(
                f"schema.{name}.shape: must be a list of lengths, null where one varies, not "
                f"{str(shape)[:60]}"
            )
        by_name[name] = (dtype, None if shape is None else tuple(shape))
    return by_name


def _described(field: Any) -> dict[str, Any]:
    """dtype and shape of a UnischemaField; no dtype for text and decimals, which numpy has no numbers for."""
    try:
        dtype = np.dtype(field.numpy_dtype)
    except TypeError:
        dtype = np.dtype(object)
    return {"dtype": dtype if dtype.kind in "biuf" else None, "shape": tuple(field.shape)}


def _codec(type_: pa.DataType, column: pa.ChunkedArray, dtype: np.dtype | None, shape: Shape | None) -> Codec:
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return Codec("plain", Layout("text"))
    if not (pa.types.is_binary(type_) or pa.types.is_fixed_size_binary(type_)):
        return Codec("plain", Layout("scalar", str(dtype) if dtype else None))
    rows = _one(column.drop_null())
    first = rows[0].as_py() if len(rows) else b""
    stored = next((kind for mark, kind in MARKS.items() if first.startswith(mark)), "raw")
    if stored == "raw" and (dtype is None or shape is None):
        raise ValueError(
            "it is binary, and no .npy, .npz, PNG or JPEG; the pickled schema beside the data is not read, "
            "since a pickle can run code: "
            "say its dtype and shape in `schema`, or leave it out of `columns`"
        )
    if stored != "raw":
        seen_dtype, seen_shape = _seen(rows, stored)
        dtype = dtype or seen_dtype
        if shape is None or (None in shape and len(shape) > 1):
            shape = seen_shape
    assert dtype is not None
    assert shape is not None
    if shape == (None,):
        return Codec(stored, Layout("ragged", str(dtype)))
    if None in shape:
        raise ValueError(
            f"its rows have the shape {shape}, None where it varies; bring them to one shape, or leave it "
            "out of `columns`"
        )
    return Codec(
        stored, Layout("tensor", str(dtype), tuple(length for length in shape if length is not None))
    )


def _seen(rows: pa.Array, stored: str) -> tuple[np.dtype, Shape]:
    """dtype and shape of some rows, None where it varies."""
    if stored == "npy":
        headers = [_header(head) for head in _heads(rows)]
        longest = int(pc.max(pc.binary_length(rows)).as_py())
        if wrong := next(
            (header for header in headers if math.prod(header[2]) * header[0].itemsize + header[3] > longest),
            None,
        ):
            raise ValueError(
                f"a .npy of shape {_short(wrong[2])} and type {wrong[0]} in at most {longest:,} bytes"
            )
        dtypes, shapes = {dtype for dtype, *_ in headers}, {shape for _, _, shape, _ in headers}
    else:
        arrays = [_decoded(raw, stored, np.dtype(np.uint8)) for raw in rows.slice(0, 64).to_pylist()]
        dtypes, shapes = {array.dtype for array in arrays}, {array.shape for array in arrays}
    if len(dtypes) > 1:
        raise ValueError(
            f"its rows have several types ({', '.join(sorted(map(str, dtypes)))}); say which one in `schema`"
        )
    if len({len(shape) for shape in shapes}) > 1:
        raise ValueError(
            f"its rows have several numbers of dimensions ({', '.join(map(str, sorted(shapes)))}); leave it "
            "out of `columns`"
        )
    common = tuple(lengths[0] if len(set(lengths)) == 1 else None for lengths in zip(*shapes, strict=True))
    return dtypes.pop(), common


def _array(column: pa.ChunkedArray, codec: Codec) -> pa.Array:
    if column.null_count:
        raise ValueError(
            f"it has {column.null_count} nulls; fill them where the data are made, or leave the column out "
            "of `columns`"
        )
    layout, rows = codec.layout, _one(column)
    if codec.stored == "plain":
        return _plain(rows, layout)
    dtype = np.dtype(layout.dtype).newbyteorder("<")
    if codec.stored == "npy" and layout.kind == "tensor" and (values := _stacked(rows)) is not None:
        return _tensors(values, layout, dtype)
    most = layout.width + LONGEST_HEADER if layout.kind == "tensor" and codec.stored == "npz" else MOST
    arrays = [_decoded(value, codec.stored, dtype, most) for value in rows.to_pylist()]
    if layout.kind == "tensor":
        wrong = next(
            (array.shape for array in arrays if array.shape != layout.shape and codec.stored != "raw"), None
        )
        if wrong is not None:
            hint = "; if lengths vary, say the shape [None] in `schema`" if len(wrong) == 1 else ""
            raise ValueError(f"a row has shape {wrong}, others have {layout.shape}{hint}")
        return _tensors(np.stack([array.reshape(layout.shape) for array in arrays]), layout, dtype)
    if wrong := next((array.shape for array in arrays if array.ndim != 1), None):
        raise ValueError(f"a row has shape {wrong}, expected a list")
    return pa.array([array.astype(dtype, casting="same_kind").tobytes() for array in arrays], pa.binary())


def _plain(rows: pa.Array, layout: Layout) -> pa.Array:
    if pa.types.is_boolean(rows.type):
        return rows.cast(pa.uint8())
    if layout.dtype is not None:  # Spark has no unsigned integers: petastorm stores them in wider ones
        dtype = np.dtype(layout.dtype)
        return rows.cast(pa.float64() if pa.types.is_decimal(rows.type) else pa.from_numpy_dtype(dtype)).cast(
            pa.from_numpy_dtype(dtype)
        )
    if pa.types.is_decimal(rows.type):
        raise ValueError(f"it holds {rows.type}; say the dtype that it is to become in `schema`")
    return rows


def _tensors(values: np.ndarray, layout: Layout, dtype: np.dtype) -> pa.Array:
    """Arrays (N, *shape) as FIXED_LEN_BYTE_ARRAY of their raw little-endian values."""
    if values.shape[1:] != layout.shape:
        hint = "; if lengths vary, say the shape [None] in `schema`" if values.ndim == 2 else ""
        raise ValueError(f"its rows have shape {values.shape[1:]}, others have {layout.shape}{hint}")
    flat = np.ascontiguousarray(values.astype(dtype, casting="same_kind", copy=False))
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(layout.width), len(flat), [None, pa.py_buffer(flat)]
    )


def _stacked(rows: pa.Array) -> np.ndarray | None:
    """Rows of `.npy` that share one header as an array (N, *shape), a view of their bytes; None where headers
    differ.
    """
    offsets_N1, data = _bytes_of(rows)
    lengths_N = np.diff(offsets_N1)
    if not len(rows) or (lengths_N != lengths_N[0]).any():
        return None
    bytes_NL = data[offsets_N1[0] : offsets_N1[-1]].reshape(len(rows), -1)
    dtype, fortran, shape, begin = _header(bytes_NL[0].tobytes())
    if (bytes_NL[:, :begin] != bytes_NL[0, :begin]).any():
        return None
    if bytes_NL.shape[1] - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(
            f"a .npy of shape {shape} and type {dtype} has {bytes_NL.shape[1] - begin} bytes of values"
        )
    values = np.ascontiguousarray(bytes_NL[:, begin:]).view(dtype)
    if fortran:
        return values.reshape(len(rows), *shape[::-1]).transpose(0, *range(len(shape), 0, -1))
    return values.reshape(len(rows), *shape)


def _header(raw: bytes) -> tuple[np.dtype, bool, tuple[int, ...], int]:
    """(dtype, in Fortran order, shape, where the values begin) of a `.npy` (numpy.lib.format). ValueError for
    objects: pickles.
    """
    lengths = {b"\x01\x00": 2, b"\x02\x00": 4}.get(raw[6:8])
    if lengths is None:
        raise ValueError(f"a .npy of version {list(raw[6:8])}, which is not known")
    begin = 8 + lengths + int.from_bytes(raw[8 : 8 + lengths], "little")
    try:
        if not raw.startswith(NPY) or begin > min(len(raw), LONGEST_HEADER):
            raise ValueError(f"it ends at {begin} of {len(raw)} bytes")
        header = ast.literal_eval(raw[8 + lengths : begin].decode("latin1"))
        dtype, fortran, shape = (
            np.dtype(header["descr"]),
            bool(header["fortran_order"]),
            tuple(map(operator.index, header["shape"])),
        )
        if min(shape, default=0) < 0:
            raise ValueError(f"its shape is {shape}")
    except Exception as error:  # what literal_eval and numpy raise for garbage is not told
        raise ValueError(
            f"a .npy whose header cannot be read ({' '.join(str(error).split())[:200]})"
        ) from error
    if dtype.kind not in "biuf":
        raise ValueError(f"a .npy of type {dtype}: only numbers are read, objects would be unpickled")
    return dtype, fortran, shape, begin


def _decoded(raw: bytes, stored: str, dtype: np.dtype, most: int = MOST) -> np.ndarray:
    """One row; of what has no header (`raw`), a flat array. ValueError where it is not what it seems, or more
    than `most` bytes.
    """
    if stored == "raw":
        return np.frombuffer(raw, dtype)
    if stored == "npy":
        of, fortran, shape, begin = _header(raw)
        if math.prod(shape) * of.itemsize != len(raw) - begin:
            raise ValueError(
                f"a .npy of shape {_short(shape)} and type {of} has {len(raw) - begin} bytes of values"
            )
        return np.frombuffer(raw, of, offset=begin).reshape(shape, order="F" if fortran else "C")
    if stored == "image":
        try:
            from PIL import Image
        except ImportError as error:
            raise ConfigError("images are decoded by Pillow: pip install 'lsml_spark[media]'") from error
    claimed = _claimed(raw, stored)
    if claimed > most:
        raise ValueError(
            f"a row of {len(raw):,} bytes says that it holds {claimed:,}, where {most:,} are expected at most"
        )
    try:
        if stored == "image":
            with Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as image:
                return np.asarray(image)
        with np.load(io.BytesIO(raw), allow_pickle=False) as file:
            return file["arr"]  # as petastorm's CompressedNdarrayCodec names it
    except Exception as error:  # of zipfile, zlib, numpy or Pillow, which have no common one
        raise ValueError(
            f"a row cannot be decoded as {stored} ({' '.join(str(error).split())[:200]})"
        ) from error


def _claimed(raw: bytes, stored: str) -> int:
    """Bytes that a packed row says it has, before it is unpacked: a few can stand for any number."""
    if stored == "image":
        width, height = size_of(raw)
        return width * height
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            return sum(entry.file_size for entry in file.infolist())
    except Exception as error:  # zipfile has no common one
        raise ValueError(
            f"a row cannot be decoded as {stored} ({' '.join(str(error).split())[:200]})"
        ) from error


def _short(shape: Sequence[int]) -> str:
    return str(tuple(shape))[:80]


def _heads(rows: pa.Array) -> list[bytes]:
    """The distinct headers of rows of `.npy`, perhaps with some values after them: few, where rows are
    many.
    """
    heads = pc.unique(pc.binary_slice(rows, 0, 128))  # what numpy writes for up to some twenty dimensions
    if any(int.from_bytes(head[8:10], "little") > 118 for head in heads.to_pylist()):
        heads = pc.unique(rows)
    return heads.to_pylist()


def _one(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.combine_chunks()
    return chunks if isinstance(chunks, pa.Array) else pa.concat_arrays(chunks.chunks)


def _bytes_of(rows: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(offsets (N + 1,) into the bytes, the bytes) of a binary array."""
    _, ends, data = rows.buffers()
    offsets_N1 = np.frombuffer(ends, np.int32)[rows.offset : rows.offset + len(rows) + 1]
    return offsets_N1, np.frombuffer(data, np.uint8)
