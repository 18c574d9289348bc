"""Which rows a check compares with each other: the well-formed ones that it is about."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from lsml_spark.quality.check import RowCheck
from lsml_spark.quality.raw.records import CORRUPT


def compared(check: RowCheck) -> Column:
    """True for well-formed rows that fulfil the check's `where`; a malformed line is nobody's duplicate or
    neighbour.
    """
    read = F.col(CORRUPT).isNull()
    return read & F.coalesce(F.expr(check.where).cast("boolean"), F.lit(False)) if check.where else read
