"""The row ledger: where every row of a stage went, to the row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lsml_spark.core.errors import IntegrityError


@dataclass(frozen=True)
class Ledger:
    """rows_in + added = rows_out + quarantined + dropped; each of the last three by reason."""

    rows_in: int = 0
    rows_out: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Rows that went in and came out nowhere; 0 in a sound ledger."""
        gone = sum(self.quarantined.values()) + sum(self.dropped.values())
        return self.rows_in + sum(self.added.values()) - self.rows_out - gone

    def check(self, stage: str) -> None:
        """Raise IntegrityError unless the ledger balances."""
        if self.missing:
            raise IntegrityError(
                f"{stage}: the ledger does not balance: {self.rows_in} in, {sum(self.added.values())} added, "
                f"{self.rows_out} out, "
                f"{sum(self.quarantined.values())} quarantined, {sum(self.dropped.values())} dropped: "
                f"{self.missing} unaccounted for"
            )
