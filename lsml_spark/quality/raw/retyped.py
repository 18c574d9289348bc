"""Whether a column of another type than the contract's is worth a word: not where no value can change unseen.

Between whole numbers, fractions and decimals each value is compared with what it became
(quality/raw/typed.py), so that one that does not fit is quarantined; the type alone says nothing then. pandas
writes every whole number as a bigint.
"""

import re

WHOLE = re.compile(r"u?(tinyint|smallint|int|bigint|int8|int16|int32|int64)$")
FLOATS = ("halffloat", "float", "double")  # each holds those before it
TIMES = ("timestamp", "timestamp_ntz")


def keeps_values(found: str, wanted: str) -> bool:
    """Whether values of Spark's (or Arrow's) type `found` are the same under the contract's type, or are
    caught one by one.
    """
    if found in (wanted, "void"):
        return True
    if wanted in TIMES:
        return found in TIMES or found == "date"
    whole, decimal = WHOLE.match(found), found.startswith("decimal")
    if wanted.startswith("decimal") or WHOLE.match(wanted):
        return bool(whole or decimal or found in FLOATS)
    if wanted in FLOATS:
        return bool(whole) or (found in FLOATS and FLOATS.index(found) <= FLOATS.index(wanted))
    return False
