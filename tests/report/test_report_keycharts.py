"""The charts of keys and selection draw what profile.json and selection.json hold, compared with sums over
the keys.
"""

import numpy as np
import pytest
from report_keys import law_facts, selection_facts
from report_nights import zipf_spectrum

from lsml_spark.report.charts import POINTS
from lsml_spark.report.selection import charts as keycharts

SPECTRUM = zipf_spectrum()
PROFILE = {"spectrum": [[f, n] for f, n in SPECTRUM.items()], "top": [], "fit": {}, **law_facts(SPECTRUM)}
CHARTS = [keycharts.law, keycharts.coverage, keycharts.growth, keycharts.keep_rates, keycharts.weights]


def trace(chart, name):
    return next(found for found in chart["data"] if found["name"] == name)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.__name__)
def test_nothing_known_no_chart(chart):
    assert chart({}) is None


def test_the_mandelbrot_curve_is_that_of_its_figures_from_the_first_to_the_last_rank():
    found = trace(keycharts.law(PROFILE), "Zipf–Mandelbrot")
    s, q, c = (PROFILE["mandelbrot"][name] for name in "sqc")
    assert found["y"] == pytest.approx([c / (rank + q) ** s for rank in found["x"]], rel=2e-3)
    assert (found["x"][0], found["x"][-1]) == (1, sum(SPECTRUM.values()))


def test_the_forecast_stands_where_the_rows_would_be_with_its_deviation():
    found = trace(keycharts.growth(PROFILE), "forecast")
    rows, keys = PROFILE["heaps"]["curve"][-1]
    assert found["x"] == [rows * 1.5, rows * 2, rows * 3]
    assert found["y"] == pytest.approx([keys + new for _, new, _ in PROFILE["forecast"]], abs=0.1)
    assert found["error_y"]["array"] == [sd for *_, sd in PROFILE["forecast"]]


def test_growth_without_a_forecast_is_the_curve_alone():
    assert [found["name"] for found in keycharts.growth(PROFILE | {"forecast": []})["data"]] == [
        "keys among so many rows"
    ]


def test_kept_rows_per_key_lie_on_the_ranks_before_even_without_a_profile():
    selection = {"by_frequency": [[1, 100, 80, 0.8], [10, 50, 20, 0.4]]}
    for profile in ({"spectrum": [[1, 100], [10, 5]]}, {}):
        kept, all_rows = keycharts.before_and_after(profile, selection)["data"]
        assert list(zip(kept["x"], kept["y"], strict=True)) == [(1, 4), (5, 4), (6, 0.8), (105, 0.8)]
        assert list(zip(all_rows["x"], all_rows["y"], strict=True)) == [(1, 10), (5, 10), (6, 1), (105, 1)]
    assert keycharts.before_and_after({"spectrum": [[1, 100]]}, {}) is None


def test_the_points_of_the_keep_rate_are_the_share_kept_in_classes_that_hold_every_row():
    generator = np.random.default_rng(3)
    f_F = np.arange(1, 3000)
    kept_F = generator.binomial(f_F, 0.4)
    table = [[int(f), int(f), int(k), 0.4] for f, k in zip(f_F, kept_F, strict=True)]
    chart = keycharts.keep_rates({"by_frequency": table})
    points, rule = trace(chart, "share kept"), trace(chart, "keep rate")
    edges = np.unique(np.ceil(10 ** (np.arange(0, 15) / 4) - 1e-9))
    wanted = []
    for low, high in zip(edges, [*edges[1:], np.inf], strict=True):
        inside = (f_F >= low) & (f_F < high)
        if inside.any():
            wanted.append(kept_F[inside].sum() / f_F[inside].sum())
    assert points["y"] == pytest.approx(wanted, abs=1e-6)
    assert len(rule["x"]) <= POINTS + 2
    assert (rule["x"][0], rule["x"][-1]) == (1, 2999)


def test_weights_are_steps_over_their_classes_and_a_class_without_rows_is_at_nothing():
    table = [[1.0, 1.189207, 50], [1.189207, 1.414214, 30], [2.0, 2.378414, 7]]
    found = keycharts.weights({"weights": table})["data"][0]
    assert list(zip(found["x"], found["y"], strict=True)) == [
        (1.0, 50),
        (1.189207, 30),
        (1.414214, 0),
        (2.0, 7),
        (2.378414, 7),
    ]
    assert found["line"]["shape"] == "hv"
    assert keycharts.weights({"weights": table[:1]}) is None


def test_the_gain_of_an_arm_is_the_loss_of_random_less_its_own():
    selection = selection_facts(4800, 2030, [])
    selection["pilot"]["arms"]["full"]["bands"]["1"] = None
    chart = keycharts.pilot(selection, ["1", "2–9", "10–99", "100+", "<b>"])
    assert trace(chart, "Selected")["y"] == pytest.approx([0.19, 0.13, 0.04, -0.02, None])
    assert trace(chart, "All rows")["y"][0] is None
    assert trace(chart, "Selected")["x"][-1] == "&lt;b&gt;"
    assert keycharts.pilot({"pilot": None}, []) is None
    assert keycharts.pilot({}, []) is None
