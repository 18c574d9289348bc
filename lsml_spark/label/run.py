"""Active learning: score the rows that have no label with the promoted model, and queue those whose label
would teach most.

Not a stage of every night: `lsml label` writes `runs/<pipeline>/<date>/label/` from prepare's table
`unlabelled`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from pydantic import Field

from lsml_spark.core.config import Strict
from lsml_spark.core.errors import ConfigError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import describe
from lsml_spark.core.tables import read_table, table_of
from lsml_spark.core.work import Outcome, Work
from lsml_spark.label.cluster_margin import choose, margins

NOT_SURE_ENOUGH = "not queued"


class Config(Strict):
    """`rows` to be labelled, out of `spread` times as many of smallest margin; `batch` rows are scored at
    once.
    """

    rows: int = Field(100, ge=1)
    spread: int = Field(10, ge=1)
    batch: int = Field(1024, ge=1)


def run(work: Work, config: Config) -> Outcome:
    """Inputs `prepare` (table `unlabelled`) and `champion`. Writes the table `queue`, first row first, and
    `queue.csv`.

    Both hold the row as prepare made it, `predicted`, `second`, `margin`; the CSV an empty `label` to be
    filled in.
    """
    prepare = work.inputs["prepare"]
    if "unlabelled" not in prepare.manifest.tables:
        raise ConfigError(
            "lsml label: prepare keeps rows without a label only where it is told to: set prepare.unlabelled "
            "to true"
        )
    if not prepare.files("unlabelled"):
        raise ConfigError(f"{prepare.folder}: every row has a label, there is nothing to queue")
    pool = read_table(prepare, "unlabelled").sort_by("sample_id")
    first, second, margin_N = _scored(pool, work, config)
    keys = pool["key"].to_numpy(zero_copy_only=False).astype(str)
    chosen = choose(margin_N, keys, config.rows, config.spread)
    queue = pool.drop_columns(["label"]).append_column("predicted", first).append_column("second", second)
    queue = queue.append_column("margin", pa.array(margin_N)).take(pa.array(chosen))
    scalar = queue.select([field.name for field in queue.schema if not pa.types.is_nested(field.type)])
    lists = [field.name for field in queue.schema if pa.types.is_nested(field.type)]
    for name in lists:
        scalar = scalar.append_column(name, pc.binary_join(queue[name].cast(pa.list_(pa.string())), " "))
    table = table_of(work.folder, "queue", scalar)
    path = work.folder / "queue.csv"
    pyarrow.csv.write_csv(scalar.append_column("label", pa.nulls(len(chosen), pa.string())), path)
    ledger = Ledger(pool.num_rows, len(chosen), dropped={NOT_SURE_ENOUGH: pool.num_rows - len(chosen)})
    metrics = {
        "keys": len(np.unique(keys[chosen])),
        "largest_margin": round(float(margin_N[chosen].max()), 6),
        "mean_margin_of_all": round(float(margin_N.mean()), 6),
    }
    return Outcome(ledger, {"queue": table}, [describe(work.folder, path)], metrics)


def _scored(pool: pa.Table, work: Work, config: Config) -> tuple[pa.Array, pa.Array, np.ndarray]:
    """(first choice, second choice, margin) of every row, each (N,)."""
    import torch

    from lsml_spark.models.scorer import Neural

    torch.set_num_threads(1)
    system = Neural.of(work.inputs["champion"])
    if system.task.learns != "ids":
        folder, use = work.inputs["champion"].folder, system.task.use
        raise ConfigError(
            f"{folder}: its task `{use}` does not choose one label a row, so no row is close between two"
        )
    best, margin = [], []
    for rows in pool.combine_chunks().to_batches(max_chunksize=config.batch):
        log_prob_BV = system.log_probs(rows)
        margin.append(margins(log_prob_BV))
        best.append(np.argsort(-log_prob_BV, axis=1, kind="stable")[:, :2])
    place_N2 = np.concatenate(best)
    names = pa.array(system.labels, pa.string())
    return names.take(pa.array(place_N2[:, 0])), names.take(pa.array(place_N2[:, -1])), np.concatenate(margin)
