"""A baseline for each of several tasks, as one system."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa

from lsml_spark.core.config import component
from lsml_spark.models.system import Baseline, Predictor
from lsml_spark.tasks.several import together


class Each(Baseline):
    """`of`: the baseline of each task by its name; `targets`: the column that each task learns."""

    title: ClassVar[str] = "Plain"
    short: ClassVar[str] = "plain"
    of: dict[str, component(Baseline, "lsml_spark.evaluate.baselines")]  # type: ignore[valid-type]
    targets: dict[str, str]

    def fit(self, train: pa.Table, context: str | None) -> Predictor:
        fitted = {}
        for name, baseline in self.of.items():
            target = train[self.targets[name]]
            rows = train
            if not pa.types.is_list(target.type):  # those that choose know one name for what they learn
                rows = train.set_column(train.column_names.index("label"), "label", target.cast(pa.string()))
            fitted[name] = baseline.fit(rows, context)
        return Side(fitted)


class Side(Predictor):
    """The predictions of all of them side by side; `labels`: what each of them knows."""

    def __init__(self, systems: Mapping[str, Predictor]):
        self.systems = systems
        self.labels = {name: getattr(system, "labels", ()) for name, system in systems.items()}

    def predict(self, rows: pa.RecordBatch) -> np.ndarray:
        return together({name: system.predict(rows) for name, system in self.systems.items()})
