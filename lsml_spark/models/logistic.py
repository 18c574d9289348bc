"""Multinomial logistic regression on categories and bags of categories: the plain, convex start for text in
pieces.
"""

from typing import Any

from lsml_spark.models.model import Model
from lsml_spark.transforms.schema import Schema


class Logistic(Model):
    """One weight per value and label: the logit of a label is the sum of the weights of all values in the
    row, beside a bias; a number adds its slope times itself.

    A list counts its items as often as they occur in it (so n-grams are counts, not shares). `train.l2` is
    the ridge: with a uniform prior the optimum is scikit-learn's LogisticRegression. It needs no start at
    random; all weights begin at zero.
    """

    def build(self, schema: Schema) -> Any:
        from lsml_spark.models.networks.logistic import LogisticNetwork

        return LogisticNetwork(schema)
