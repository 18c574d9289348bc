"""Whether a column of another type than the contract's is worth a word: not where no value can change unseen.

Between whole numbers, fractions and decimals each value is compared with what it became
(quality/raw/typed.py), so that one that does not fit is quarantined; the type alone says nothing then. pandas
writes every whole number as a bigint.
"""

import re

WHOLE = re.compile(r"u?(tinyint|smallint|int|bigint|int8|int16|int32|int64)$")
FLOATS = ("halffloat", "float", "double")  # each holds those before it
TIMES = ("timestamp", "timestamp_ntz")


def keeps_values(source: str, target: str) -> bool:
    """Whether values of Spark's (or Arrow's) type `source` are the same under the contract's, `target`, or
    are caught one by one.
    """
    if source in (target, "void"):
        return True
    if target in TIMES:
        return source in TIMES or source == "date"
    whole, decimal = WHOLE.match(source), source.startswith("decimal")
    if target.startswith("decimal") or WHOLE.match(target):
        return bool(whole or decimal or source in FLOATS)
    if target in FLOATS:
        return bool(whole) or (source in FLOATS and FLOATS.index(source) <= FLOATS.index(target))
    return False
