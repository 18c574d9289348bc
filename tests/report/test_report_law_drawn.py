"""A law is drawn only where the counts speak for it, and its line stays inside the plot."""

import math

import numpy as np
import pytest

from lsml_spark.flow.screens import _worth
from lsml_spark.report.selection import charts as keycharts
from lsml_spark.report.selection import law, ranks, selected

FAVOURED = {"lognormal": {"favoured": "power_law", "p": 0.01}, "cutoff": {"favoured": None, "p": 0.5}}


def zipf_like(tests, keys: int = 2000) -> dict:
    frequency_F = np.unique(np.maximum(1, (4000 / np.arange(1, keys + 1) ** 0.9)).astype(int))
    spectrum = [[int(frequency), 3] for frequency in frequency_F]
    return {
        "spectrum": spectrum,
        "fit": {"alpha": 1.4, "xmin": 2, "tail_keys": 900},
        "tests": tests,
        "mandelbrot": {"s": 0.9, "q": 1.0, "c": 2e4},
    }


@pytest.mark.parametrize("keys", [15, 151])
def test_of_nearly_equal_keys_no_law_is_drawn_and_a_sentence_says_so(keys):
    spectrum = [[100 + place % 7, keys / 7] for place in range(7)]
    profile = {
        "spectrum": spectrum,
        "fit": {"alpha": 6.0, "xmin": 100, "tail_keys": keys},
        "tests": FAVOURED,
        "mandelbrot": {"s": 0.01, "q": 1, "c": 105},
    }
    assert [trace["name"] for trace in keycharts.law(profile)["data"]] == ["rows per key"]
    assert ranks.power_law(profile) == []
    assert law.shape(profile).startswith(
        f"No power law: the {keys} keys with 100 rows or more have at most 106"
    )


@pytest.mark.parametrize(
    ("tests", "drawn"),
    [
        (FAVOURED, True),
        ({}, False),
        (FAVOURED | {"lognormal": {"favoured": None, "p": 0.4}}, False),
        (FAVOURED | {"lognormal": {"favoured": "lognormal", "p": 0.01}}, False),
        (FAVOURED | {"cutoff": {"favoured": "cutoff", "p": 0.01}}, False),
    ],
)
def test_a_power_law_is_drawn_only_where_it_is_favoured(tests, drawn):
    assert bool(ranks.power_law(zipf_like(tests))) is drawn


def test_fitted_lines_stay_inside_the_plot_and_end_on_its_edge():
    chart = keycharts.law(zipf_like(FAVOURED))
    low, high = (10**edge for edge in chart["layout"]["yaxis"]["range"])
    for trace in chart["data"][1:]:
        assert len(trace["y"]) > 10
        assert low * 0.99 <= min(trace["y"])
        assert max(trace["y"]) <= high * 1.01
    x, y = ranks.inside([1, 10, 100], [1e9, 1e3, 1.0], 1000)
    assert y[0] == pytest.approx(10 ** (math.log10(1000) + 0.25), rel=1e-3)
    assert x[0] == pytest.approx(10 ** (1 - 0.25 / 6), rel=1e-2)  # on the line between the first two points


@pytest.mark.parametrize(
    ("gain", "interval", "said"),
    [
        (-0.001, [-0.0028, 0.0023], "Selection did not help here: "),
        (0.001, [-0.0028, 0.0023], "Selection did not help here: "),
        (0.041, [0.02, 0.06], "With as many rows, the log loss of the selection is 0.0410 lower than"),
    ],
)
def test_a_pilot_says_whether_selection_helped(gain, interval, said):
    pilot = {
        "against_random": gain,
        "against_random_interval": interval,
        "beta": 0.5,
        "beta_interval": [0.5, 0.5],
    }
    shown = " ".join(selected._gain(pilot))
    assert shown.startswith(said)
    assert "interval 0.50" not in shown  # of no width
    screen = _worth(gain, *interval)
    assert screen.startswith("Selection did not help here" if "not help" in said else "Selection helped")
    assert "lowers the log loss by -" not in screen
