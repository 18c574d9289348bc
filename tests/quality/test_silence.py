import math

import numpy as np
import pytest
from hooks import judge_values
from tiny_media import sound_bytes, spoken_digits, tone

from lsml_spark.media.audio import samples
from lsml_spark.quality.check import RowCheck, parse
from lsml_spark.quality.checks.silence import loudness, silent_share

pytestmark = pytest.mark.spark


@pytest.mark.parametrize("peak", [1.0, 0.5, 0.01])
def test_a_sine_is_3_decibels_below_a_square_wave_of_its_peak(peak):
    t = np.arange(8000) / 8000
    assert loudness(peak * np.sin(2 * np.pi * 100 * t)[:, None]) == pytest.approx(
        20 * math.log10(peak) - 3.0103, abs=1e-3
    )
    assert loudness(np.full((10, 2), -peak)) == pytest.approx(20 * math.log10(peak))


def test_nothing_is_as_silent_as_can_be():
    assert loudness(np.zeros((10, 1))) == loudness(np.zeros((0, 1))) == -math.inf


@pytest.mark.parametrize(("part", "share"), [("total", 0.5), ("leading", 0.2), ("trailing", 0.3)])
def test_silence_before_within_and_after_is_measured(part, share):
    rate = 1000
    sound = np.ones((10 * rate, 1)) * 0.1
    sound[:2000] = sound[-3000:] = 0
    assert silent_share(sound, rate, -60, part) == pytest.approx(share)
    assert silent_share(sound * 0, rate, -60, part) == 1.0


def test_a_silent_clip_is_found(spark):
    quiet, half = tone(1e-4) * 0.01, np.concatenate([np.zeros(2400), tone()])
    values = [*map(sound_bytes, [tone(), np.zeros(800), quiet, half, np.zeros(0)]), b"no sound", None]
    assert judge_values(spark, {"silence": {}}, "binary", values) == [
        False,
        True,
        True,
        False,
        True,
        False,
        False,
    ]
    item = {"silence": {"at_most_silent": 0.4, "part": "leading"}}
    assert judge_values(spark, item, "binary", values) == [False, True, True, True, True, False, False]


def test_speech_is_not_silent(shared_data):
    sounds = [samples(data) for data in spoken_digits(shared_data, 20)]
    assert all(loudness(sound) > -60 for sound, _ in sounds)
    assert np.mean([silent_share(sound, rate, -60, "total") > 0.5 for sound, rate in sounds]) < 0.02


def test_the_rule_is_named_in_words():
    assert (
        parse({"silence": {"at_most_silent": 0.5}}, RowCheck, column="v").label
        == "v: more than 50% silent (total, below -60 dBFS)"
    )
