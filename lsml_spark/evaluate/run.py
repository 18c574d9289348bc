"""The evaluate stage: the new model, the champion and the baselines on the held-out day, the same rows under
the same rules.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lsml_spark.core.bands import BANDS
from lsml_spark.core.config import Strict, component, did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.scoreboard import choosing
from lsml_spark.core.tables import read_table, table_of
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.evaluate import choices, metrics, slices
from lsml_spark.evaluate.baselines.cooccurrence import Cooccurrence
from lsml_spark.evaluate.baselines.popularity import Popularity
from lsml_spark.evaluate.unseen import unseen as unseen_labels
from lsml_spark.models.system import Baseline, Predictor, System
from lsml_spark.tasks.classify import Classify
from lsml_spark.tasks.task import Task, known

BASELINES = "lsml_spark.evaluate.baselines"


class Config(Strict):
    """`baselines`: what is scored beside the model. `context`: the list column with what is in the basket,
    null where samples have none. `slices`: columns, of which each value is judged by itself, or comparisons
    such as `hour < 9`."""

    k: int = Field(20, ge=1)  # of recall@k
    context: str | None = "context"
    baselines: tuple[component(Baseline, BASELINES), ...] = (  # type: ignore[valid-type]
        Popularity(use="popularity"),
        Cooccurrence(use="cooccurrence"),
    )
    slices: tuple[str, ...] = ()
    batch: int = Field(1024, ge=1)  # rows scored at once

    @model_validator(mode="before")
    @classmethod
    def _without_a_basket(cls, values: Any) -> Any:
        """Co-occurrence needs one."""
        if isinstance(values, Mapping) and values.get("context", "") is None and "baselines" not in values:
            return {**values, "baselines": [{"use": "popularity"}]}
        return values

    @model_serializer(mode="wrap")
    def _without_the_usual(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A night that was made before there were slices stays up to date."""
        fields: dict[str, Any] = plain(self)
        return {key: value for key, value in fields.items() if key != "slices" or value}


def run(work: Work, config: Config) -> Outcome:
    """Inputs `shard` and `prepare` (test, train), `zipf`, `train`, and `champion` where there is one.

    Writes `metrics.json` and the table `scores`: per test row and system its loss or log probability, and
    what the system predicts.
    """
    test = read_table(work.inputs["prepare"], "test").sort_by("sample_id")
    _refuse_other_rows(test, work.inputs["shard"])
    task, encoders, systems, other = _models(work)
    context = _context(config, test) if isinstance(task, Classify) else None
    targets = [part.target for part in task.parts]
    columns = ["sample_id", "key", "label", "date", *targets, *filter(None, [context])]
    train = read_table(work.inputs["prepare"], "train", list(dict.fromkeys(columns)))
    test, train = (task.samples(rows) for rows in (test, train))
    for baseline in config.baselines:
        systems[baseline.use] = baseline.fit(train, context)
    train_count_N = metrics.counts_of(test["key"].to_pylist(), _counts(work.inputs["zipf"]))
    groups: dict[str, Any] = {"bands": metrics.bands(train_count_N)}
    if config.slices:
        groups["slices"] = slices.masks(test, config.slices)

    report: dict[str, Any] = {"champion": None}
    scores, values = [], dict[str, Any]()
    if isinstance(task, Classify):
        unseen = unseen_labels(train, work.inputs["zipf"].json("profile.json"))
        values, label_N = {"unseen": unseen}, test["label"].to_numpy().astype(str)
        model, decides = systems["model"], "log_loss"
        shown = choosing(config.k) + task.more(model.labels if isinstance(model, System) else [])
        for name, system in systems.items():
            assert isinstance(system, System)
            scored = choices.score(system, test, context, config.batch, unseen)
            report[name] = choices.judge(scored, system.labels, label_N, groups, config.k, task)
            figures = {"rank": scored.rank, "log_prob": scored.log_prob, "train_rows": train_count_N}
            scores.append(
                _scores(
                    test,
                    name,
                    figures | {column: scored.first[column] for column in scored.first.column_names},
                )
            )
    else:
        shown = [dataclasses.replace(figure, name=name) for name, figure in task.shown.items()]
        truth, decides = task.truth(test, encoders), shown[0].name
        for name, system in systems.items():
            predicted = task.aligned(
                _predicted(system, test, config.batch), getattr(system, "labels", []), encoders
            )
            report[name] = _judged(task, truth, predicted, groups)
            figures = {
                "loss": _column(task.losses(truth, predicted)),
                "train_rows": train_count_N,
                "predicted": _column(predicted),
            }
            scores.append(_scores(test, name, figures))
    table = table_of(work.folder, "scores", pa.concat_tables(scores))
    values |= {"k": config.k, "rows": test.num_rows, "systems": report, "bands": list(BANDS)}
    values |= {"figures": [dataclasses.asdict(figure) for figure in shown], "decides": decides}
    values["titles"] = {baseline.use: _titles(baseline) for baseline in config.baselines}
    if other is not None:
        values["champion_learned"] = other
    if "slices" in groups:
        values["slices"] = list(groups["slices"])
    file = write_json(work.folder, "metrics.json", values)
    overall = {
        name: {figure.name: m.get(figure.name) for figure in shown[:3]} for name, m in report.items() if m
    }
    rows_in = work.inputs["shard"].manifest.tables["test"].rows
    unjudged = {"without what the task asks for": rows_in - test.num_rows} if rows_in > test.num_rows else {}
    ledger = Ledger(rows_in, test.num_rows, dropped=unjudged)
    return Outcome(
        ledger, {"scores": table}, [file], {"rows": test.num_rows, "k": config.k, "systems": overall}
    )


def _models(work: Work) -> tuple[Task, Mapping[str, Any], dict[str, Predictor], str | None]:
    """Tonight's task and encoders, its model, and the champion where it learned the same; what else it
    learned where it did not.
    """
    import torch

    from lsml_spark.models.scorer import Neural

    torch.set_num_threads(1)  # a sum over threads changes with their number
    model = Neural.of(work.inputs["train"])
    systems: dict[str, Predictor] = {"model": model}
    if "champion" in work.inputs:
        champion = Neural.of(work.inputs["champion"])
        if (champion.task.use, champion.task.target) != (model.task.use, model.task.target):
            return model.task, model.encoders, systems, f"{champion.task.use} of '{champion.task.target}'"
        systems["champion"] = champion
    return model.task, model.encoders, systems, None


def _titles(baseline: Baseline) -> tuple[str, str]:
    """What its class itself says, or its name in words: a class that inherits is another baseline."""
    own = vars(type(baseline))
    return own.get("title") or baseline.use.rpartition(".")[2].replace("_", " ").capitalize(), own.get(
        "short"
    ) or baseline.use


def _context(config: Config, test: pa.Table) -> str | None:
    if config.context is not None and config.context not in test.column_names:
        near = did_you_mean(config.context, test.column_names)
        raise ConfigError(f"evaluate.context: prepare.sql gives no column '{config.context}'{near}")
    return config.context


def _predicted(system: Predictor, test: pa.Table, batch: int) -> np.ndarray:
    """Of all rows, (N, …)."""
    batches = test.combine_chunks().to_batches(max_chunksize=batch)
    return np.concatenate(
        [system.predict(rows) for rows in batches or [pa.RecordBatch.from_pylist([], schema=test.schema)]]
    )


def _judged(
    task: Task, truth: np.ndarray, predicted: np.ndarray, groups: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, Any]:
    """The task's figures of all rows, and of the rows of each mask (N,): bands of key frequency, slices.

    `truth` and `predicted`: (N, …), as the task has them.
    """

    def of(rows: np.ndarray) -> dict[str, Any]:
        figures = task.figures(truth[rows], predicted[rows]) if rows.any() else dict.fromkeys(task.shown)
        return {"rows": int(rows.sum())} | {
            name: None if value is None else known(value) for name, value in figures.items()
        }

    return of(np.ones(len(truth), bool)) | {
        kind: {name: of(rows) for name, rows in masks.items()} for kind, masks in groups.items()
    }


def _column(predicted: np.ndarray) -> pa.Array:
    """A number a row (N,), null where it is not finite; or a list of them (N, T)."""
    if predicted.ndim == 1 and predicted.dtype.kind == "f":
        return pa.array(predicted, mask=~np.isfinite(predicted))
    return pa.array(predicted) if predicted.ndim == 1 else pa.array(list(predicted), pa.list_(pa.float64()))


def _scores(test: pa.Table, name: str, figures: Mapping[str, Any]) -> pa.Table:
    columns = {column: test[column] for column in ("sample_id", "key", "label")} | {
        "system": pa.array([name] * test.num_rows, pa.string())
    }
    return pa.table(columns | dict(figures))


def _counts(zipf: Source) -> dict[str, int]:
    counts = read_table(zipf, "counts")
    return dict(zip(counts["key"].to_pylist(), counts["count"].to_pylist(), strict=True))


def _refuse_other_rows(test: pa.Table, shard: Source) -> None:
    """The hand-off's test rows and prepare's are the same samples."""
    ids = read_table(shard, "test", ["sample_id"])["sample_id"].combine_chunks()
    if ids.sort().to_pylist() != test["sample_id"].to_pylist():
        raise IntegrityError(
            f"{shard.folder}: its test rows are not those of the prepare stage; run features and shard again"
        )
