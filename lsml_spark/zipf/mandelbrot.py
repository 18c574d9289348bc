"""Zipf–Mandelbrot on ranks, f(r) = C / (r + q)^s: Mandelbrot 1953, fitted by maximum likelihood of the rows
(Izsák 2006).

Each row is a draw of a rank among the K keys seen. Keys of one frequency hold consecutive ranks, and the sum
of ln(r + q) over them is a difference of two ln Γ, so the likelihood of all keys costs the length of the
spectrum.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from lsml_spark.zipf.minimum import minimum

TERMS = 256
BOUNDS = ((0.0, 12.0), (0.0, 25.0))  # of s and ln(1 + q)


@dataclass(frozen=True)
class Mandelbrot:
    """Expected rows of the key of rank r: c / (r + q)^s. q = 0 is Zipf's law; Σ over the keys seen is the
    rows.
    """

    s: float
    q: float
    c: float


def mandelbrot(frequency_F: np.ndarray, keys_F: np.ndarray) -> Mandelbrot | None:
    """The most likely curve of a spectrum (ascending counts, keys of each; (F,)); None with fewer than three
    distinct counts.
    """
    if len(frequency_F) < 3:
        return None
    f_F, n_F = frequency_F[::-1].astype(float), keys_F[::-1].astype(float)
    last_F = np.cumsum(n_F)
    first_F, keys, rows = last_F - n_F + 1, float(last_F[-1]), float(f_F @ n_F)

    def cost(parameters: np.ndarray) -> float:
        s, q = parameters[0], np.expm1(parameters[1])
        log_F = gammaln(last_F + q + 1) - gammaln(first_F + q)
        return s * float(f_F @ log_F) / rows + log_sum(s, q, keys)

    s, log_q = minimum(cost, [[1.0, 0.0], [1.0, 1.0], [1.5, np.log1p(keys / 10)]], BOUNDS)
    q = float(np.expm1(log_q))
    return Mandelbrot(round(float(s), 4), round(q, 4), float(f"{rows * np.exp(-log_sum(s, q, keys)):.6g}"))


def log_sum(s: float, q: float, keys: float) -> float:
    """ln Σ_{r=1}^{keys} (r + q)^-s: the first terms one by one, the rest by Euler–Maclaurin; any s, 1
    included.
    """
    terms = int(min(TERMS, keys))
    base = s * np.log1p(q)  # the first term is taken out so that nothing underflows
    head = np.exp(base - s * np.log(q + np.arange(1, terms + 1))).sum()
    if terms == keys:
        return float(np.log(head) - base)
    a, b = q + terms + 1, q + keys
    at_a, at_b = np.exp(base - s * np.log(a)), np.exp(base - s * np.log(b))
    width = np.log(b / a)
    integral = at_a * a * (width if abs(1 - s) * width < 1e-9 else np.expm1((1 - s) * width) / (1 - s))
    rest = integral + (at_a + at_b) / 2 + s / 12 * (at_a / a - at_b / b)
    return float(np.log(head + rest) - base)
