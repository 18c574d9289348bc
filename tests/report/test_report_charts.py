"""What the charts draw is what the profiles say, compared with a key-by-key reconstruction."""

import math

import numpy as np
import pytest
from report_nights import metrics_of, zipf_spectrum

from lsml_spark.core.scoreboard import choosing
from lsml_spark.report import charts
from lsml_spark.report.selection import ranks

RECALL, LOG_LOSS, _ = choosing(20)


def test_the_rank_curve_is_the_sorted_counts_of_the_keys():
    counts = np.sort(np.random.default_rng(5).zipf(1.7, 500).clip(max=10_000))[::-1]
    frequencies, keys = np.unique(counts, return_counts=True)
    x, y = charts.rank_curve(frequencies, keys, frequencies)
    for rank, height in zip(x, y, strict=True):
        assert counts[int(rank) - 1] == height
    assert (x[0], x[-1]) == (1, len(counts))


def test_many_frequencies_are_thinned_but_keep_both_ends():
    frequencies = np.arange(1, 50_001)
    x, y = charts.rank_curve(frequencies, np.ones(50_000), frequencies)
    assert len(x) <= 2 * charts.POINTS + 4
    assert (x[0], y[0], x[-1], y[-1]) == (1, 50_000, 50_000, 1)


def test_the_fitted_line_goes_through_the_tail_with_the_slope_of_the_law():
    x, y = ranks.fitted_line({"alpha": 2.0, "xmin": 3, "tail_keys": 1000})
    assert (x[-1], y[-1]) == (1000, 3)
    slopes = np.diff(np.log(y)) / np.diff(np.log(x))
    assert slopes == pytest.approx(-1.0, abs=0.01)


@pytest.mark.parametrize(
    "fit",
    [{}, {"alpha": None}, {"alpha": 1.0, "xmin": 1, "tail_keys": 9}, {"alpha": 2, "xmin": 0, "tail_keys": 9}],
)
def test_without_a_fit_there_is_no_line(fit):
    assert ranks.fitted_line(fit) == ([], [])


def test_the_selected_area_holds_the_rows_that_were_kept_per_key():
    profile = {"spectrum": [[1, 100], [10, 5]], "top": [], "fit": {}}
    selection = {"by_frequency": [[1, 100, 80, 0.8], [10, 50, 20, 0.4]]}
    selected, all_rows = ranks.zipf(profile, selection)["data"]
    assert list(zip(selected["x"], selected["y"], strict=True)) == [(1, 4), (5, 4), (6, 0.8), (105, 0.8)]
    assert list(zip(all_rows["x"], all_rows["y"], strict=True)) == [(1, 10), (5, 10), (6, 1), (105, 1)]


def test_a_frequency_of_which_nothing_was_kept_is_a_gap_not_a_zero():
    chart = ranks.zipf({"spectrum": [[5, 2]]}, {"by_frequency": [[5, 10, 0, 0.0]]})
    assert chart["data"][0]["y"] == [None, None]


def test_no_profile_no_chart():
    assert ranks.zipf({}, {}) is None
    assert charts.loss({}) is None
    assert charts.bands({}, RECALL) is None
    assert charts.trend([], [], RECALL) is None


def test_every_label_of_the_data_is_escaped_for_plotly():
    profile = {"spectrum": [[f, n] for f, n in zipf_spectrum(200, 4000).items()], "top": [["<b>key</b>", 40]]}
    assert ranks.zipf(profile, {})["data"][0]["text"][0].startswith("&lt;b&gt;key&lt;/b&gt;<br>rank 1")


def test_epoch_means_lie_over_their_steps_and_losses_that_are_missing_are_left_out():
    curve = {
        "steps": [
            {"step": 1, "epoch": 0, "loss": 3.0},
            {"step": 2, "epoch": 0, "loss": None},
            {"step": 3, "epoch": 1, "loss": 2.0},
        ],
        "epochs": [{"epoch": 0, "loss": 2.9}, {"epoch": 1, "loss": None}],
    }
    steps, means = charts.loss(curve)["data"]
    assert (steps["x"], steps["y"]) == ([1, 3], [3.0, 2.0])
    assert (means["x"], means["y"]) == ([1, 1, None], [2.9, 2.9, None])


def test_systems_differ_by_shape_and_dash_as_well_as_colour():
    data = charts.bands(metrics_of("2011-02-25"), RECALL)["data"]
    assert len(data) == 4
    for of in (
        lambda trace: trace["marker"]["symbol"],
        lambda trace: trace["line"]["dash"],
        lambda trace: trace["line"]["color"],
    ):
        assert len({of(trace) for trace in data}) == 4


def test_nights_without_metrics_are_gaps_in_the_trend():
    data = charts.trend(["2011-02-24", "2011-02-25"], [{}, metrics_of("2011-02-25")], LOG_LOSS)["data"]
    assert [trace["y"][0] for trace in data] == [None, None, None]
    assert all(math.isfinite(trace["y"][1]) for trace in data)


def test_a_baseline_of_the_users_own_has_a_line_a_colour_and_its_title():
    metrics = metrics_of("2011-02-25")
    metrics["systems"]["mine.Guess"] = metrics["systems"]["popularity"]
    metrics["titles"] = {"mine.Guess": ["What <we> guessed", "ours"]}
    traces = {trace["name"]: trace for trace in charts.bands(metrics, RECALL)["data"]}
    assert len(traces) == 5
    assert traces["What &lt;we&gt; guessed"]["line"]["color"] not in {
        t["line"]["color"] for n, t in traces.items() if "guessed" not in n
    }
