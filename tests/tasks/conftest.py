"""Random numbers and row weights for the figures."""

import numpy as np
import pytest


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


@pytest.fixture(params=["alike", "weighted"])
def weights_B(request, rng):
    """None, or weights of 400 rows of which a tenth weigh nothing."""
    return None if request.param == "alike" else rng.exponential(size=400) * (rng.random(400) < 0.9)
