"""What to do where a value is missing: declared per column in the pipeline's `quality.missing`, known to
several stages.

    missing:
      CustomerID: quarantine                                     # the row is kept aside, with its reason
      Description: drop                                          # the row is left out and counted
      UnitPrice: {impute: median, by: [StockCode]}               # filled in, and `UnitPrice_missing` says
          where
      Country: {impute: constant, value: Unspecified, indicator: false}

NULL and NaN are missing. Which rows stay is decided day by day; values are filled in when a night prepares
its window, with statistics of the days that it trains on alone.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, StrictBool, StrictFloat, StrictInt, model_validator

from lsml_spark.core.config import Strict


class Missing(Strict):
    """One column's policy. `by`: the statistic is that of the rows with the same values there, else that of
    all rows.
    """

    policy: Literal["drop", "quarantine", "impute"]  # what happens to a row that lacks it
    impute: Literal["constant", "median", "mode"] | None = None  # what is filled in
    value: StrictBool | StrictInt | StrictFloat | str | None = None  # of `impute: constant`
    by: list[str] = []
    indicator: bool = True  # whether `<column>_missing` says where

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"policy": given}
        if isinstance(given, Mapping) and "policy" not in given:
            return {"policy": "impute", **given}
        return given

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.policy == "impute") != (self.impute is not None):
            raise ValueError("say `drop`, `quarantine` or `{impute: constant | median | mode}`")
        if (self.impute == "constant") != (self.value is not None):
            raise ValueError("`impute: constant` needs a `value`, and no other policy takes one")
        if self.by and self.impute not in ("median", "mode"):
            raise ValueError("`by` goes with `impute: median` or `impute: mode`")
        return self


Policies = dict[str, Annotated[Missing, BeforeValidator(lambda given: Missing.model_validate(given))]]
