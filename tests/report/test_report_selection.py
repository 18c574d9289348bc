"""The page on the keys and the selection says what zipf and select found, in words, and leaves out what they
did not.
"""

import html
import json
import re

import numpy as np
import pytest
from report_keys import SAMPLED, law_facts, selection_facts, shift_facts
from report_nights import before, full, make_stage, quality, report, zipf_spectrum

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import describe, write_json
from lsml_spark.report.facts import Night
from lsml_spark.report.run import Config, selection_page
from lsml_spark.report.selection import law, selected

SPECTRUM = zipf_spectrum()
ROWS = sum(frequency * keys for frequency, keys in SPECTRUM.items())
PROFILE = {
    "rows": ROWS,
    "keys": sum(SPECTRUM.values()),
    "hapaxes": SPECTRUM[1],
    "unseen_mass": SPECTRUM[1] / ROWS,
    "unseen_keys": 812.5,
    "fit": {"alpha": 1.82, "xmin": 4, "ks": 0.031, "tail_keys": 1287},
    "spectrum": [[frequency, keys] for frequency, keys in SPECTRUM.items()],
    "top": [["22086", 450]],
    "coverage": [[1, 0.01], [100, 0.5], [2800, 1.0]],
    **law_facts(SPECTRUM),
}
BY_FREQUENCY = [[1, 400, 400, 1.0], [9, 900, 630, 0.7], [10, 1000, 500, 0.5], [250, 2500, 500, 0.2]]
SELECTION = selection_facts(4800, 2030, BY_FREQUENCY)


def words(page):
    """The text of a page without styles, scripts and tags, blanks joined."""
    body = re.sub(r"<(style|script).*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", body).split()))


def changed(source, name, **fields):
    """The stage's JSON file with other fields; `...` takes a field out."""
    facts = json.loads((source.folder / name).read_text()) | fields
    write_json(source.folder, name, {key: value for key, value in facts.items() if value is not ...})
    file = describe(source.folder, source.folder / name)
    source.manifest.files[:] = [file if file.path == old.path else old for old in source.manifest.files]


def without(facts, field, gone):
    """The facts with nothing in a field, or (`...`) without it."""
    return {
        name: gone if name == field else value
        for name, value in facts.items()
        if name != field or gone is not ...
    }


def rendered(profile, selection):
    """The page that these facts give."""
    facts = {"zipf": profile, "select": selection}

    class Known(Night):
        def facts(self, stage, name):
            return facts[stage]

    return selection_page(Known("retail", "2011-02-25", 7, {}), Config())


def drawn(profile, selection):
    return words(rendered(profile, selection))


def page_of(tmp_path, sources, date="2011-02-25"):
    return report(tmp_path, date, sources).with_name("selection.html")


def test_a_full_night_shows_what_was_kept_and_what_it_is_worth(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    kept, of = sources["select"].manifest.ledger.rows_out, sources["select"].manifest.ledger.rows_in
    shown = words(page_of(tmp_path, sources).read_bytes())
    assert f"{kept:,} of {of:,} rows were selected to train, {100 * kept / of:.1f} %" in shown
    assert (
        f"they are worth {round(0.91 * kept):,} rows of equal weight: the effective sample size is 91.0 % of "
        "those kept." in shown
    )
    assert "asked for as 2h on 8 workers" in shown
    assert "zipf beta 0.5 objective average protect new, poor" in shown
    assert "Sums over the kept rows, each times its weight 1/π, are unbiased for sums over all rows." in shown
    assert (
        "61 keys (140 rows) new since the night before; 12 keys (301 rows) recalled poorly by the model "
        "before: kept whole" in shown
    )
    assert "Keys with at most 2 rows share one keep rate" in shown
    assert "85123A 450 182 268 40.4 %" in shown
    assert "pilot of 2011-02-20" in shown


def test_a_full_night_shows_the_law_of_its_keys(tmp_path):
    shown = words(page_of(tmp_path, full(tmp_path, "2011-02-25")).read_bytes())
    assert "Not a pure power law: a lognormal describes the counts better (p = 0.005)" in shown
    assert "the largest keys have fewer rows than a power law foretells (p < 0.001)" in shown
    assert "Twice the rows have brought 1.54 times the keys (Heaps’ exponent 0.62)." in shown
    assert "As many rows again would bring 295 new keys, give or take 55." in shown
    assert "61 keys entered with 1.23 % of tonight’s rows, 44 keys left that had 0.91 % of the rows." in shown
    assert "3.42 % of the rows would have to change their key" in shown
    assert "84879 new 0.0 % 0.42 % +0.420 pts" in shown
    assert "22960 gone 0.31 % 0.0 % −0.310 pts" in shown


def test_the_other_pages_lead_to_it(tmp_path):
    night = report(tmp_path, "2011-02-25", full(tmp_path, "2011-02-25"))
    for name in ("night.html", "quality.html"):
        assert '<a href="2011-02-25.selection.html">' in night.with_name(name).read_text()


def test_a_night_that_stopped_before_its_keys_were_counted_has_no_such_page(tmp_path):
    night = report(tmp_path, "2011-02-25", {"quality": quality(tmp_path, "2011-02-25", failed="no rows")})
    assert not night.with_name("selection.html").exists()
    for name in ("night.html", "quality.html"):
        assert "selection.html" not in night.with_name(name).read_text()


def test_a_night_that_stopped_before_it_selected_shows_the_law_alone(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    del sources["select"]
    shown = words(page_of(tmp_path, sources).read_bytes())
    assert "did not get as far as selecting rows" in shown
    assert "The law of the keys" in shown
    assert "What was selected" not in shown


@pytest.mark.parametrize("gone", [..., None])
@pytest.mark.parametrize("field", [*SELECTION])
def test_a_selection_without_a_field_or_with_nothing_in_it_renders(field, gone):
    shown = drawn(PROFILE, without(SELECTION, field, gone))
    assert not re.search(r"\b(None|nan|inf)\b", shown)


@pytest.mark.parametrize("gone", [..., None])
@pytest.mark.parametrize("field", [*PROFILE])
def test_a_profile_without_a_field_or_with_nothing_in_it_renders(field, gone):
    shown = drawn(without(PROFILE, field, gone), SELECTION)
    assert not re.search(r"\b(None|nan|inf)\b", shown)


@pytest.mark.parametrize("field", [*SELECTION["pilot"]])
def test_a_pilot_without_a_field_renders(field):
    assert not re.search(
        r"\b(None|nan|inf)\b", drawn(PROFILE, SELECTION | {"pilot": without(SELECTION["pilot"], field, ...)})
    )


def test_nights_from_before_there_were_these_figures_render(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    changed(sources["zipf"], "profile.json", **dict.fromkeys(law_facts(SPECTRUM), ...))
    known = {"policy", "budget", "rows_in", "rows_kept", "expected", "ess", "level", "by_frequency"}
    changed(sources["select"], "selection.json", **dict.fromkeys(SELECTION.keys() - known, ...))
    del sources["zipf"].manifest.metrics["shift"]
    shown = words(page_of(tmp_path, sources).read_bytes())
    assert "rows were selected to train" in shown
    assert "The nearest power law to the" in shown
    for later in ("Weights", "Keys that lost", "pilot", "Since 2011", "Zipf–Mandelbrot", "Growth", "random"):
        assert later not in shown


def test_a_night_without_rows_renders(tmp_path):
    sources = full(tmp_path, "2011-02-25", empty=True)
    assert not re.search(
        r"\b(None|nan|inf)\b", words(page_of(tmp_path, {**sources, **before(sources)}).read_bytes())
    )


def test_equal_nights_give_equal_pages(tmp_path):
    pages = [
        page_of(tmp_path / folder, full(tmp_path / folder, "2011-02-25")).read_bytes()
        for folder in ("here", "there")
    ]
    assert pages[0] == pages[1]


def test_the_page_stays_small_with_many_frequencies():
    many = range(1, 40_001)
    profile = PROFILE | {"spectrum": [[frequency, 1] for frequency in many]}
    page = rendered(
        profile,
        SELECTION | {"by_frequency": [[frequency, frequency, frequency // 2, 0.5] for frequency in many]},
    )
    assert len(page) < 400_000


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_rows_belong_to_so_many_keys_as_a_walk_down_the_sorted_keys_counts(seed):
    counts = np.sort(np.random.default_rng(seed).zipf(1.6, 300).clip(max=5000))[::-1]
    walked = next(rank for rank in range(1, 301) if 2 * counts[:rank].sum() >= counts.sum())
    frequencies, keys = np.unique(counts, return_counts=True)
    assert law.half_of_rows(list(zip(frequencies.tolist(), keys.tolist(), strict=True))) == walked
    assert law.half_of_rows([]) is None


@pytest.mark.parametrize(
    ("lognormal", "cutoff", "said"),
    [
        (
            "power_law",
            None,
            "A power law: a power law describes the counts better than a lognormal (p = 0.040); there is no "
            "sign of a cut-off",
        ),
        (None, None, "Perhaps a power law: the counts do not tell it from a lognormal"),
        ("lognormal", None, "Not a power law: a lognormal describes the counts better"),
        (
            "power_law",
            "cutoff",
            "Not a pure power law: a power law describes the counts better than a lognormal (p = 0.040), but "
            "the largest",
        ),
        (
            None,
            "cutoff",
            "Not a pure power law: the counts do not tell it from a lognormal (p = 0.040), and the largest "
            "keys",
        ),
    ],
)
def test_the_law_is_named_as_the_tests_decide(lognormal, cutoff, said):
    tests = {
        "lognormal": {"ratio": 1.0, "p": 0.04, "favoured": lognormal},
        "cutoff": {"ratio": -1.0, "p": 0.5, "favoured": cutoff},
    }
    sentence = dict(law.describe(PROFILE | {"tests": tests}, None)["words"])["Law"]
    assert sentence.startswith(said)


def test_a_sample_of_the_keys_states_its_errors():
    found = law.describe(PROFILE | {"rows": 5_000_000, "sampled": SAMPLED}, None)
    said = dict(found["words"])["Sample"]
    assert said.startswith(
        "Not every key was counted: the 1,000 most frequent keys were, and of the others one in 100"
    )
    assert "Scaled up they make 5,012,000 ± 20,100 rows; there are 5,000,000." in said
    facts = {name: (figure, note) for name, figure, note in found["facts"]}
    assert facts["Keys"] == ("2,800 ± 1,234", "")
    assert facts["Rows to come with an unseen key"][1] == "± 0.021 points"


def test_keys_none_of_which_was_seen_once_have_no_forecast_to_tell():
    found = law.describe(PROFILE | {"hapaxes": 0, "forecast": []}, None)
    assert "No key was seen once alone." in dict(found["words"])["Traffic"]
    assert "again" not in dict(found["words"])["Growth"]
    assert found["forecast"] == []


def test_movers_keep_their_order_and_their_bars_are_of_the_largest():
    movers = law.describe(PROFILE, shift_facts())["shift"]["movers"]
    assert [(mover["key"], mover["state"]) for mover in movers] == [
        ("22086", ""),
        ("84879", "new"),
        ("22960", "gone"),
        ("21212", ""),
    ]
    assert [mover["length"] for mover in movers] == [100.0, 51.2, 37.8, 7.3]


def test_a_night_without_new_or_lost_keys_says_so():
    shift = shift_facts() | {"entered": {"keys": 0, "share": 0.0}, "left": {"keys": 0, "share": 0.0}}
    assert law.describe(PROFILE, shift)["shift"]["words"].startswith(
        "No key entered, none left. 3.42\u00a0% of the rows"
    )


def test_bands_hold_the_rows_of_their_frequencies():
    found = {
        band["band"]: (band["keys"], band["rows"], band["kept"], band["share"])
        for band in selected.bands_of(BY_FREQUENCY)
    }
    assert found == {
        "1": (400, 400, 400, 1),
        "2–9": (100, 900, 630, 0.7),
        "10–99": (100, 1000, 500, 0.5),
        "100+": (10, 2500, 500, 0.2),
    }


def test_epochs_that_redraw_are_said_in_the_headline_and_in_no_rate():
    found = selected.describe(SELECTION | {"rows_kept": 4800, "epochs": {"use": "redraw", "share": 0.5}})
    assert found["headline"] == "All 4,800 rows stay; every epoch reads a new 50.0\u00a0% of them"
    rules = dict(found["rules"])
    assert rules["Epochs"] == "All rows are kept here; every epoch reads a new draw of 50.0\u00a0% of them."
    assert "Kept whole" not in rules


def test_a_curriculum_says_its_order_and_when_all_rows_are_in():
    epochs = {"use": "curriculum", "stages": 4, "full_by": 0.5, "order": "rare_first"}
    rules = dict(selected.describe(SELECTION | {"epochs": epochs})["rules"])
    assert (
        rules["Epochs"]
        == "The kept rows enter training in 4 stages, rare keys first; from 50.0\u00a0% of the training on, "
        "all are read."
    )


def test_rows_that_weigh_the_same_need_no_histogram():
    found = selected.describe(SELECTION | {"weights": [[1.0, 1.189207, 2030]], "ess": 2030})
    assert found["alike"] == "All kept rows weigh about the same, between 1 and 1.19."
    assert found["worth"] == "They weigh the same, so the effective sample size is 2,030, all of them."


def test_keys_that_lost_nothing_are_not_among_those_that_lost_most():
    lost = selected.describe(SELECTION | {"dropped_keys": [["a", 100, 40], ["b", 9, 9]]})["lost"]
    assert [(row["key"], row["lost"], row["share"]) for row in lost["rows"]] == [("a", 60, 0.4)]
    assert lost["share"] == pytest.approx(60 / (4800 - 2030))
    assert selected.describe(SELECTION | {"dropped_keys": []})["lost"] is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "With as many rows, the log loss of the selection is 0.0410 lower than that of a random draw."),
        ({"against_random": -0.002}, "is 0.0020 higher than that of a random draw"),
        ({"against_random": 0.0}, "is neither lower nor higher than that of a random draw"),
        ({}, "Of what all rows gain over the random draw, the selection recovers 89.1\u00a0%."),
        (
            {"gain_recovered": None},
            "All rows gained nothing over the random draw, so there is no gain to recover.",
        ),
        (
            {"gain_recovered": None, "converged": False},
            "More random rows made a worse model: at its settings",
        ),
        ({}, "as n to the power −0.31 (interval 0.24 to 0.39)"),
        ({"beta_interval": None}, "as n to the power −0.31: β as fitted"),
    ],
)
def test_a_pilot_says_its_gain_and_its_loss_alike(fields, said):
    assert said in " ".join(
        selected.describe(SELECTION | {"pilot": SELECTION["pilot"] | fields})["pilot"]["words"]
    )


def test_a_selection_without_a_pilot_says_that_nothing_was_measured(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    changed(sources["select"], "selection.json", pilot=None)
    shown = words(page_of(tmp_path, sources).read_bytes())
    assert "its gain against a random draw is not measured" in shown
    assert "The gain against random" not in shown


def test_a_pilot_beside_the_night_is_shown_whatever_the_policy_was_given(tmp_path):
    sources = full(tmp_path, "2011-02-25")
    changed(sources["select"], "selection.json", pilot=None)
    facts = SELECTION["pilot"] | {"date": "2011-02-24"}
    pilot = make_stage(tmp_path, "2011-02-24", "pilot", Ledger(), files={"pilot.json": facts})
    assert "pilot of 2011-02-24" in words(page_of(tmp_path, sources | {"pilot": pilot}).read_bytes())


def test_bands_of_a_pilot_are_in_the_order_of_their_frequencies():
    pilot = SELECTION["pilot"] | {"bands": {"100+": 0.7, "10–99": 0.9, "1": 1.3, "2–9": 1.1}, "arms": {}}
    assert [row["band"] for row in selected.describe({"pilot": pilot})["pilot"]["bands"]] == [
        "1",
        "2–9",
        "10–99",
        "100+",
    ]
