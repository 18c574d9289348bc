import numpy as np
import pytest
from hooks import judge_values
from tiny_media import sound_bytes, spoken_digits, tone

from lsml_spark.media.audio import samples
from lsml_spark.quality.checks.clipping import clipped_share

pytestmark = pytest.mark.spark


def counted(x):
    """Brute force, one channel: samples at full scale, or in a run of at least 3 equal ones at the peak."""
    peak, found = max(abs(v) for v in x), 0
    for i, v in enumerate(x):
        run = 1
        for step in (-1, 1):
            j = i + step
            while 0 <= j < len(x) and x[j] == v:
                run, j = run + 1, j + step
        found += abs(v) >= 0.999 or (abs(v) == peak > 0 and run >= 3)
    return found / len(x)


@pytest.mark.parametrize("seed", range(5))
def test_the_share_is_what_a_loop_counts(seed):
    draw = np.random.default_rng(seed)
    x = draw.choice([-1.0, -0.5, 0.0, 0.5] if seed % 2 else [-0.5, 0.0, 0.5], 200, p=None)
    assert clipped_share(x[:, None]) == pytest.approx(counted(x.tolist()))


def test_silence_is_not_clipped_and_channels_are_judged_apart():
    assert clipped_share(np.zeros((100, 2))) == 0
    stereo = np.stack([np.full(10, 0.5), np.linspace(0, 0.4, 10)], 1)
    assert clipped_share(stereo) == 0.5


@pytest.mark.slow
def test_a_wave_that_was_cut_off_is_found_even_where_it_was_made_quieter(spark):
    loud = np.clip(tone(1.5), -1, 1)
    sounds = [tone(0.9), loud, loud * 0.4, np.zeros(500)]
    values = [*map(sound_bytes, sounds), b"no sound", None]
    assert judge_values(spark, {"clipping": {}}, "binary", values) == [False, True, True, False, False, False]
    assert judge_values(spark, {"clipping": {"at_most_samples": 0.9}}, "binary", values) == [False] * 6


def test_recordings_are_not_clipped_and_those_made_too_loud_are(shared_data):
    sounds = [samples(data)[0] for data in spoken_digits(shared_data, 20)]
    assert np.mean([clipped_share(sound) > 0.001 for sound in sounds]) < 0.02
    assert all(clipped_share(np.clip(3 * sound / np.abs(sound).max(), -1, 1)) > 0.001 for sound in sounds)
