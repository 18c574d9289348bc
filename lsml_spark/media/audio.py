"""Sound as arrays: decoded by libsndfile, resampled by SciPy, and as the logarithm of its mel spectrogram.

The mel scale is m = 2595 log10(1 + f / 700) (O'Shaughnessy 1987; HTK). The spectrogram is torchaudio's
`MelSpectrogram` with its defaults: a periodic Hann window, frames centred by reflection, the power of each
frequency, triangles of height 1 between frequencies that are evenly spaced in mel.
"""

import io
from functools import cache
from math import gcd

import numpy as np

FLOOR = 1e-6  # power that is added, so that silence has a logarithm


def samples(data: bytes) -> tuple[np.ndarray, int] | None:
    """Audio as (samples, channels) in [-1, 1] and its rate; None where it does not decode."""
    import soundfile  # type: ignore[import-untyped]

    try:
        sound, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
        return None
    return sound, rate


def resampled(sound_S: np.ndarray, rate: int, target_rate: int) -> np.ndarray:
    """Samples (S,) at another rate in Hz, by SciPy's polyphase filter."""
    from scipy.signal import resample_poly

    shared = gcd(rate, target_rate)
    converted: np.ndarray = (
        sound_S if rate == target_rate else resample_poly(sound_S, target_rate // shared, rate // shared)
    )
    return converted


def log_mel(sound_S: np.ndarray, rate: int, mels: int, window: int, hop: int) -> np.ndarray:
    """(mels, 1 + S // hop) float32 of samples (S,): log(power + 10⁻⁶). `window` and `hop` are samples; S >
    window / 2.
    """
    around = np.pad(sound_S, window // 2, mode="reflect")
    frames_FW = np.lib.stride_tricks.sliding_window_view(around, window)[::hop]
    hann_W = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    power_FB = np.abs(np.fft.rfft(frames_FW * hann_W)) ** 2
    return np.log(power_FB @ _triangles(rate, mels, window) + FLOOR).T.astype(np.float32)


@cache
def _triangles(rate: int, mels: int, window: int) -> np.ndarray:
    """(window // 2 + 1, mels): what each frequency gives to each mel band, from 0 Hz to half the rate."""
    edges_M = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 1400), mels + 2) / 2595) - 1)
    hertz_B1 = np.linspace(0, rate / 2, window // 2 + 1)[:, None]
    rising = (hertz_B1 - edges_M[:-2]) / np.diff(edges_M)[:-1]
    falling = (edges_M[2:] - hertz_B1) / np.diff(edges_M)[1:]
    return np.maximum(0.0, np.minimum(rising, falling))
