"""What a pilot (`lsml pilot`) left for the policies of later nights: pilot.json of its folder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lsml_spark.core.work import Source
from lsml_spark.select.policies.policy import Pilot


@dataclass(frozen=True)
class Read:
    """`learnt` is for the policies, `facts` for the report."""

    learnt: Pilot
    facts: Mapping[str, Any]


def read_pilot(source: Source | None) -> Read | None:
    """None where no night up to this one has run a pilot."""
    if source is None:
        return None
    facts = source.json("pilot.json")
    errors = [(low, math.inf if high is None else high, error) for low, high, error in facts["errors"]]
    return Read(Pilot(facts["beta"], errors), facts)
