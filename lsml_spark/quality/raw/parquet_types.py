"""Which Spark type the values of a Parquet column have, and whether Spark's own reader can read them.

Names and types come from the file's footer by Arrow, which knows all of Parquet. Spark refuses nanoseconds,
halves, times of day, decimals beyond 38 digits and some codecs, a whole file even for a column that nobody
asked for; such columns are read through Arrow (quality/raw/parquet.py), under the types that are said here.
"""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# and encodings below: what Spark's reader knows for sure
CODECS = {"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4"}
ENCODINGS = {
    "PLAIN",
    "RLE",
    "BIT_PACKED",
    "PLAIN_DICTIONARY",
    "RLE_DICTIONARY",
    "DELTA_BINARY_PACKED",
    "DELTA_BYTE_ARRAY",
}
WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20),
}


def plain(type_: pa.DataType) -> pa.DataType:
    """The Arrow type, one that Spark has, under which values of this type are read."""
    if isinstance(type_, pa.BaseExtensionType):
        return plain(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return plain(type_.value_type)
    if type_ in WIDER:
        return WIDER[type_]
    if pa.types.is_float16(type_):
        return pa.float32()
    if pa.types.is_timestamp(type_):
        return pa.timestamp("us", type_.tz)
    if pa.types.is_duration(type_):
        return pa.int64()
    if pa.types.is_date(type_):
        return pa.date32()
    if pa.types.is_decimal(type_) and type_.precision <= 38:
        return pa.decimal128(type_.precision, type_.scale)
    if pa.types.is_map(type_):
        return pa.map_(plain(type_.key_type), plain(type_.item_type))
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(field.name, plain(field.type)) for field in type_])
    if _is_list(type_):
        return pa.list_(plain(type_.value_type))
    if pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return type_
    if (
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_fixed_size_binary(type_)
        or "binary_view" in str(type_)
    ):
        return pa.binary()
    # text; and what Spark has no type for: nulls, times of day, decimals of more than 38 digits
    return pa.string()


def _is_list(type_: pa.DataType) -> bool:
    return (
        isinstance(type_, (pa.ListType, pa.LargeListType, pa.FixedSizeListType))
        or "list_view" in str(type_).split("<")[0]
    )


def spark_reads(type_: pa.DataType) -> bool:
    """Whether Spark's reader gives what `plain` promises. NULL alone and nanoseconds are asked of it in
    another way.
    """
    if isinstance(type_, pa.BaseExtensionType):
        return spark_reads(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return spark_reads(type_.value_type)
    if pa.types.is_timestamp(type_):
        return type_.unit in ("ms", "us")
    if pa.types.is_decimal(type_):
        return type_.precision <= 38
    if pa.types.is_nested(type_):
        return all(spark_reads(type_.field(i).type) for i in range(type_.num_fields))
    return not (pa.types.is_float16(type_) or pa.types.is_time(type_) or pa.types.is_null(type_))


def packed_for_spark(file: pq.FileMetaData, columns: set[str]) -> bool:
    """Whether Spark can unpack all chunks of these columns."""
    for group in range(file.num_row_groups):
        chunks = file.row_group(group)
        for i in range(chunks.num_columns):
            chunk = chunks.column(i)
            if chunk.path_in_schema.split(".")[0] not in columns and chunk.path_in_schema not in columns:
                continue
            if chunk.compression not in CODECS or not ENCODINGS.issuperset(chunk.encodings):
                return False
    return True


def converted(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Values as the plain type: nanoseconds cut off to microseconds, a half as the same number, a time of day
    as its text.
    """
    return pa.chunked_array([_converted(chunk, type_) for chunk in values.chunks], type_)


def _converted(values: pa.Array, type_: pa.DataType) -> pa.Array:
    if isinstance(values.type, pa.BaseExtensionType):
        return _converted(values.storage, type_)
    if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
        values = pc.floor_temporal(values, unit="microsecond")  # a cast cuts off towards 1970
    return values.cast(type_, safe=False)
