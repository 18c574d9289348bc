"""The evaluate stage: the new model, the champion and the baselines on the held-out day, the same rows under the same rules.

A label outside a system's vocabulary has probability unseen mass / unseen labels (evaluate/unseen.py), and
the labels it knows share the rest; nobody may recommend what is in the basket already.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from lsml_spark.core.bands import BANDS
from lsml_spark.core.config import Strict, component, did_you_mean
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.tables import read_table, table_of
from lsml_spark.core.work import Outcome, Source, Work
from lsml_spark.evaluate import metrics
from lsml_spark.evaluate.baselines.cooccurrence import Cooccurrence
from lsml_spark.evaluate.baselines.popularity import Popularity
from lsml_spark.evaluate.unseen import unseen as unseen_labels
from lsml_spark.models.system import Baseline, Lists, System


class Config(Strict):
    """`baselines`: what is scored beside the model.

    `context`: the list column with what is in the basket, null where samples have none.
    """

    k: int = Field(20, ge=1)  # of recall@k
    context: str | None = "context"
    baselines: tuple[component(Baseline, "lsml_spark.evaluate.baselines"), ...] = (  # type: ignore[valid-type]
        Popularity(use="popularity"),
        Cooccurrence(use="cooccurrence"),
    )
    batch: int = Field(1024, ge=1)  # rows scored at once


def run(work: Work, config: Config) -> Outcome:
    """Inputs `shard` and `prepare` (test, train), `zipf`, `train`, and `champion` where there is one.

    Writes `metrics.json` and the table `scores`: per test row and system the label's rank and log probability, and what the
    system takes for the most probable label.
    """
    test = read_table(work.inputs["prepare"], "test").sort_by("sample_id")
    _refuse_other_rows(test, work.inputs["shard"])
    if config.context is not None and config.context not in test.column_names:
        near = did_you_mean(config.context, test.column_names)
        raise ConfigError(f"evaluate.context: prepare.sql gives no column '{config.context}'{near}")
    counted = _counts(work.inputs["zipf"])
    profile = work.inputs["zipf"].json("profile.json")
    train = read_table(work.inputs["prepare"], "train", ["key", "label", "date", *filter(None, [config.context])])
    unseen = unseen_labels(train, profile)
    train_count_N = metrics.counts_of(test["key"].to_pylist(), counted)
    label_N = test["label"].to_numpy().astype(str)

    report: dict[str, Any] = {"champion": None}
    scores = []
    for name, system in _systems(work, config, train).items():
        rank_N, log_prob_N, first = score(system, test, config, unseen)
        report[name] = metrics.by_band(rank_N, log_prob_N, label_N, train_count_N, config.k)
        scores.append(_scores(test, name, rank_N, log_prob_N, train_count_N, first))
    table = table_of(work.folder, "scores", pa.concat_tables(scores))
    values = {"k": config.k, "rows": test.num_rows, "systems": report, "bands": list(BANDS), "unseen": unseen}
    file = write_json(work.folder, "metrics.json", values)
    overall = {name: {key: m[key] for key in ("log_loss", "recall", "breadth")} for name, m in report.items() if m}
    rows_in = work.inputs["shard"].manifest.tables["test"].rows
    return Outcome(Ledger(rows_in, test.num_rows), {"scores": table}, [file], {"rows": test.num_rows, "k": config.k, "systems": overall})


def score(system: System, test: pa.Table, config: Config, unseen: dict[str, float]) -> tuple[np.ndarray, np.ndarray, pa.Table]:
    """(rank (N,) int32, log probability (N,) float64) of every row's label, and `predicted`, `probability`: the first choice."""
    ranks, log_probs = [np.empty(0, np.int32)], [np.empty(0)]
    firsts, certain = [np.empty(0, np.int64)], [np.empty(0)]
    for rows in test.combine_chunks().to_batches(max_chunksize=config.batch):
        log_prob_BV = system.log_probs(rows)
        label_B = system.columns_of(rows["label"])
        known_B = label_B >= 0
        own_B = np.where(known_B, log_prob_BV[np.arange(len(label_B)), label_B], 0.0)
        log_probs.append(metrics.with_unseen(own_B, known_B, unseen["mass"], unseen["keys"]))
        basket = Lists.of(system, rows[config.context]) if config.context else Lists(*[np.empty(0, np.int64)] * 3)
        ranks.append(metrics.ranks(log_prob_BV, label_B, (basket.row_T, basket.column_T)))
        firsts.append(log_prob_BV.argmax(axis=1))
        certain.append(np.exp(log_prob_BV.max(axis=1)))
    names = pa.array(system.labels, pa.string()).take(pa.array(np.concatenate(firsts)))
    first = pa.table({"predicted": names, "probability": np.concatenate(certain)})
    return np.concatenate(ranks), np.concatenate(log_probs), first


def _systems(work: Work, config: Config, train: pa.Table) -> dict[str, System]:
    import torch

    from lsml_spark.models.scorer import Neural

    torch.set_num_threads(1)  # a sum over threads changes with their number
    systems: dict[str, System] = {"model": Neural.of(work.inputs["train"])}
    if "champion" in work.inputs:
        systems["champion"] = Neural.of(work.inputs["champion"])
    return systems | {baseline.use: baseline.fit(train, config.context) for baseline in config.baselines}


def _scores(test: pa.Table, name: str, rank_N: np.ndarray, log_prob_N: np.ndarray, train_count_N: np.ndarray, first: pa.Table) -> pa.Table:
    columns = {column: test[column] for column in ("sample_id", "key", "label")} | {"system": pa.array([name] * test.num_rows, pa.string())}
    figures = {"rank": rank_N, "log_prob": log_prob_N, "train_rows": train_count_N}
    return pa.table(columns | figures | {column: first[column] for column in first.column_names})


def _counts(zipf: Source) -> dict[str, int]:
    counts = read_table(zipf, "counts")
    return dict(zip(counts["key"].to_pylist(), counts["count"].to_pylist(), strict=True))


def _refuse_other_rows(test: pa.Table, shard: Source) -> None:
    """The hand-off's test rows and prepare's are the same samples."""
    ids = read_table(shard, "test", ["sample_id"])["sample_id"].combine_chunks()
    if ids.sort().to_pylist() != test["sample_id"].to_pylist():
        raise IntegrityError(f"{shard.folder}: its test rows are not those of the prepare stage; run features and shard again")
