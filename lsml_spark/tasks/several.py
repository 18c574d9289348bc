"""Several tasks at once over shared layers."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from lsml_spark.core.components import component
from lsml_spark.core.scoreboard import Figure
from lsml_spark.tasks.task import PACKAGE, Task, Truth
from lsml_spark.transforms.schema import Schema


class Several(Task):
    """Each of `tasks` has a target of its own and its part of the outputs. The first one's figures decide.

    The losses are added with fixed `weights` (1 where none is given), or by `uncertainty`: a log variance s
    is learned for each task, and its loss counts exp(−s) · loss + s / 2 (Kendall, Gal & Cipolla 2018), so
    that noisy tasks weigh less.
    """

    tasks: dict[str, component(Task, PACKAGE)]  # type: ignore[valid-type]  # by names of your own
    weights: Literal["uncertainty"] | dict[str, float] = {}  # of the losses

    @model_validator(mode="after")
    def _are_told_apart(self) -> "Several":
        if len(self.tasks) < 2:
            raise ValueError("tasks: `several` takes two tasks or more, each under a name")
        targets = [task.target for task in self.tasks.values()]
        if doubled := [name for i, name in enumerate(targets) if name in targets[:i]]:
            raise ValueError(f"tasks: '{doubled[0]}' is the target of two tasks")
        if odd := [name for name, task in self.tasks.items() if task.use in ("several", "masked")]:
            raise ValueError(f"tasks.{odd[0]}: `{self.tasks[odd[0]].use}` cannot be one of several")
        if isinstance(self.weights, dict) and (
            unknown := [name for name in self.weights if name not in self.tasks]
        ):
            raise ValueError(f"weights: there is no task '{unknown[0]}'")
        if len({task.grouped_by for task in self.tasks.values()} - {None}) > 1:
            raise ValueError(
                "tasks: two of them want rows together by different columns; a row lies in one place"
            )
        object.__setattr__(self, "target", targets[0])
        return self

    @property
    def learns(self) -> Any:  # type: ignore[override]
        return self.parts[0].learns

    @property
    def parts(self) -> Sequence[Task]:
        return tuple(self.tasks.values())

    @property
    def grouped_by(self) -> str | None:
        return next((task.grouped_by for task in self.parts if task.grouped_by is not None), None)

    @property
    def shown(self) -> Mapping[str, Figure]:
        """Those of each task under its name, the first ones of all first."""
        of_each = {name: list(task.shown.items()) for name, task in self.tasks.items()}
        longest = max(map(len, of_each.values()))
        pairs = [
            (name, *figures[i])
            for i in range(longest)
            for name, figures in of_each.items()
            if i < len(figures)
        ]
        return {
            f"{name}_{key}": Figure(f"{name}: {figure.title}", figure.better, figure.write)
            for name, key, figure in pairs
        }

    @property
    def baselines(self) -> tuple[dict[str, Any], ...]:
        """The first baseline of each task, as one."""
        of = {name: {**task.baselines[0]} for name, task in self.tasks.items() if task.baselines}
        return (
            ({"use": "each", "of": of, "targets": {name: task.target for name, task in self.tasks.items()}},)
            if of
            else ()
        )

    def hides(self) -> frozenset[str]:
        return frozenset().union(*[task.hides() for task in self.parts])

    def width(self, encoders: Mapping[str, Any]) -> int:
        return sum(task.width(encoders) for task in self.parts)

    def schema_of(self, encoders: Mapping[str, Any]) -> Schema:
        return Schema(encoders, self.width(encoders), None, self.hides())

    def prepare(self, network: Any) -> None:
        if self.weights != "uncertainty":
            return
        import torch

        network.register_parameter("log_variance", torch.nn.Parameter(torch.zeros(len(self.tasks))))
        # The outputs carry it to the loss, so that it takes part in the forward pass like all else that is
        # learned.
        network.register_forward_hook(
            lambda module, _, outputs: torch.cat(
                [outputs, module.log_variance.expand(len(outputs), -1).to(outputs.dtype)], dim=1
            )
        )

    def criterion(self, outputs: Any, truth: Truth) -> tuple[Any, Any]:
        import torch

        total_B, start = outputs.new_zeros(len(outputs)), 0
        for i, (name, task) in enumerate(self.tasks.items()):
            width = task.width(truth.encoders)
            loss_B, share_B = task.criterion(outputs[:, start : start + width], truth)
            loss_B = loss_B * share_B.to(loss_B.dtype)
            if self.weights == "uncertainty":
                s_B = outputs[:, i - len(self.tasks)]
                total_B = total_B + torch.exp(-s_B) * loss_B + s_B / 2
            else:
                assert isinstance(self.weights, dict)
                total_B = total_B + self.weights.get(name, 1.0) * loss_B
            start += width
        return total_B, torch.ones(len(outputs), dtype=torch.bool, device=outputs.device)

    def predict(self, outputs: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        """A structured array (B,) with the predictions of each task under its name."""
        made, start = {}, 0
        for name, task in self.tasks.items():
            width = task.width(encoders)
            made[name] = task.predict(outputs[:, start : start + width], encoders)
            start += width
        return together(made)

    def truth(self, rows: pa.Table, encoders: Mapping[str, Any]) -> np.ndarray:
        """A structured array (N,) with the truth of each task under its name."""
        return together({name: task.truth(rows, encoders) for name, task in self.tasks.items()})

    def aligned(self, predicted: np.ndarray, labels: Any, encoders: Mapping[str, Any]) -> np.ndarray:
        known_by = labels if isinstance(labels, Mapping) else {}
        return together(
            {
                name: task.aligned(predicted[name], known_by.get(name, ()), encoders)
                for name, task in self.tasks.items()
            }
        )

    def losses(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """The first task's."""
        name, task = next(iter(self.tasks.items()))
        return task.losses(truth[name], predicted[name])

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
        by_task = {name: task.figures(truth[name], predicted[name]) for name, task in self.tasks.items()}
        return {f"{name}_{key}": value for name, figures in by_task.items() for key, value in figures.items()}


def together(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Arrays (N, …) as the fields of one structured array (N,), so that masks and slices hold for all of
    them.
    """
    rows = len(next(iter(columns.values())))
    made = np.empty(rows, dtype=[(name, column.dtype, column.shape[1:]) for name, column in columns.items()])
    for name, column in columns.items():
        made[name] = column
    return made
