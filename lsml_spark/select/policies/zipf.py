"""The optimal split of a budget of rows over keys whose errors fall as a power of their rows."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from lsml_spark.core.errors import ConfigError
from lsml_spark.select.policies.policy import Spectrum, filled
from lsml_spark.select.policies.protect import Protecting


class Zipf(Protecting):
    """Water-filling: n_k = min(f_k, λ (w_k a_k)^(1/(1+β))), the optimum of Σ w_k a_k n_k^-β for a budget of
    rows.

    Objective `average` weighs a key by its traffic (w_k = f_k): β → 0 is random, ½ gives f^⅔, 1 the
    square-root law. Objective `breadth` weighs all keys alike (w_k = 1): a cap per key. `beta: fitted` takes
    β from the last pilot, `errors: bands` also how large the errors a_k are per band of frequency (shrunk);
    else a_k = 1. Protected keys are kept whole.
    """

    beta: Annotated[float, Field(gt=0.0, le=10.0)] | Literal["fitted"] = 0.5  # how fast errors fall with rows
    objective: Literal["average", "breadth"] = "average"  # the mean over rows, or over keys
    errors: Literal["equal", "bands"] = "equal"  # a_k: all 1, or by band

    @property
    def needs(self) -> frozenset[str]:
        return super().needs | ({"pilot"} if self.beta == "fitted" or self.errors == "bands" else set())

    def keep_rates(self, spectrum: Spectrum, budget: float) -> np.ndarray:
        whole_S = self.protected(spectrum, budget)
        rates_S = np.ones(len(spectrum.frequency))
        rest = spectrum.where(~whole_S)
        if len(rest.frequency):
            rates_S[~whole_S] = filled(
                self._wanted(rest), rest, max(0.0, budget - spectrum.rows[whole_S].sum())
            )
        return rates_S

    def _wanted(self, spectrum: Spectrum) -> np.ndarray:
        if spectrum.pilot is None and (self.beta == "fitted" or self.errors == "bands"):
            raise ConfigError(
                "select.policy: β or errors are to come from a pilot, and no night so far has run one: `lsml "
                "pilot`"
            )
        beta = spectrum.pilot.beta if spectrum.pilot and self.beta == "fitted" else float(self.beta)
        traffic_S = (
            spectrum.frequency.astype(float)
            if self.objective == "average"
            else np.ones(len(spectrum.frequency))
        )
        errors_S = np.ones(len(spectrum.frequency))
        for low, high, error in spectrum.pilot.errors if spectrum.pilot and self.errors == "bands" else ():
            errors_S[(spectrum.frequency >= low) & (spectrum.frequency <= high)] = error
        return (traffic_S * errors_S) ** (1 / (1 + beta))
