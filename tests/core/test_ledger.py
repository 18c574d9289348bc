"""The ledger balances to the row, or says by how much it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.ledger import Ledger

counts = st.dictionaries(st.text(max_size=5), st.integers(0, 10**12), max_size=5)


@given(out=st.integers(0, 10**12), quarantined=counts, dropped=counts, added=counts, lost=st.integers(-3, 3))
def test_a_ledger_balances_exactly_when_no_row_is_missing(out, quarantined, dropped, added, lost):
    rows_in = out + sum(quarantined.values()) + sum(dropped.values()) - sum(added.values()) + lost
    ledger = Ledger(rows_in, out, quarantined, dropped, added)
    assert ledger.missing == lost
    if not lost:
        ledger.check("prepare")
        return
    with pytest.raises(IntegrityError, match=rf"^prepare: .*: {lost} unaccounted for$"):
        ledger.check("prepare")


def test_an_empty_ledger_balances():
    Ledger().check("promote")
