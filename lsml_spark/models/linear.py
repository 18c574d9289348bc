"""Linear in all features, for any task."""

from lsml_spark.models.logistic import Logistic


class Linear(Logistic):
    """An output is the sum of a weight for each value in the row, a slope times each number, and a bias:
    least squares, Poisson regression and all that `task:` can make of a sum; for one label a row it is
    `logistic`."""
