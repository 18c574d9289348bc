"""Rows for the figures: few distinct scores (ties), and weights of which some are 0."""

import numpy as np
import pytest


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng(request.param)


@pytest.fixture(params=["alike", "weighted"])
def weights_B(request, rng):
    """Weights of 400 rows, or None."""
    return None if request.param == "alike" else rng.exponential(size=400) * (rng.random(400) < 0.9)
