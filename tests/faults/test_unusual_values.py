"""What Python has no value for is shown as text; what is wrong with a file is not called a failed check of
the user.
"""

import numpy as np
import pyarrow as pa
import pytest

from lsml_spark.core.scalars import as_found
from lsml_spark.spark.mistakes import file_mistake


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (pa.scalar(5), 5),
        (pa.scalar(None, pa.string()), None),
        (pa.scalar(73_000_000, pa.date32()), str(np.datetime64(73_000_000, "D"))),
        (pa.scalar(2**62, pa.timestamp("us")), str(np.datetime64(2**62, "us")).replace("T", " ")),
        (pa.array([b"caf\xe9"], pa.binary()).view(pa.binary()).cast(pa.string(), safe=False)[0], "caf\\xe9"),
    ],
    ids=["number", "none", "date", "timestamp", "text"],
)
def test_a_value_of_any_kind_can_be_shown(value, shown):
    assert as_found(value) == shown


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            "An error occurred while calling o1.collect.\n: org.apache.spark.SparkException: "
            "[FAILED_READ_FILE.NO_HINT] Encountered error "
            "while reading file file:/a.csv.gz. SQLSTATE: KD001\n\tat x\nCaused by: java.io.IOException: not "
            "a gzip file\n\tat y",
            "Encountered error while reading file file:/a.csv.gz. SQLSTATE: KD001 (not a gzip file)",
        ),
        (
            "[PATH_NOT_FOUND] Path does not exist: file:/b.csv. SQLSTATE: 42K03",
            "Path does not exist: file:/b.csv. SQLSTATE: 42K03",
        ),
        ("[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012", None),
    ],
)
def test_what_is_wrong_with_a_file_is_told_from_what_is_wrong_with_a_check(said, found):
    assert file_mistake(RuntimeError(said)) == found
