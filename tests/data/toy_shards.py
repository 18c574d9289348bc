"""Stage folders made without Spark: what the worker side reads, written by pyarrow with a manifest of its
own.
"""

import datetime
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Manifest, Table, describe, read
from lsml_spark.core.work import Source, Work
from lsml_spark.shard.layout import to_shard

CHECKSUMS = int(pa.__version__.split(".")[0]) > 14  # of pages; petastorm's environment has pyarrow 14


def stage(folder, name, tables=None, files=None, date="2011-02-24", **details):
    """A finished stage folder. tables: {name: pa.Table or (pa.Table, shards, rows per group)}; files: {name:
    JSON value}.

    `shards` is a number of files, or the place in the table where each file begins.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for table_name, given in (tables or {}).items():
        table, shards, rows_per_group = given if isinstance(given, tuple) else (given, 1, 1 << 20)
        written[table_name] = write_table(folder, table_name, table, shards, rows_per_group)
    described = []
    for file_name, value in (files or {}).items():
        (folder / file_name).write_text(
            json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
        )
        described.append(describe(folder, folder / file_name))
    return finish(folder, name, written, described, date, **details)


def finish(folder, name, tables, files, date="2011-02-24", ledger=None, metrics=None):
    rows = sum(table.rows for table in tables.values())
    Manifest(
        stage=name, pipeline="toy", date=date, seed=0, config={}, fingerprint="", inputs={}, tables=tables,
        files=files,
        ledger=ledger or Ledger(rows, rows), metrics=metrics or {}, run={},
    ).write(Path(folder))  # fmt: skip
    return Source(Path(folder), read(Path(folder)))


def write_table(folder, name, table, shards, rows_per_group):
    (folder / name).mkdir(exist_ok=True)
    starts = shards if isinstance(shards, list) else [table.num_rows * i // shards for i in range(shards)]
    edges = [*starts, table.num_rows]
    files = []
    for i in range(len(starts)):
        path = folder / name / f"part-{i:05d}.parquet"
        part = table.slice(edges[i], edges[i + 1] - edges[i])
        options = {"compression": "lz4", "use_dictionary": False} | (
            {"write_page_checksum": True} if CHECKSUMS else {}
        )
        with pq.ParquetWriter(path, part.schema, **options) as writer:
            writer.write_table(part, row_group_size=rows_per_group)
        meta = pq.ParquetFile(path).metadata
        groups = [meta.row_group(g).num_rows for g in range(meta.num_row_groups)]
        plain = describe(folder, path)
        files.append(File(plain.path, plain.bytes, plain.checksum, part.num_rows, groups))
    return Table({field.name: str(field.type) for field in table.schema}, table.num_rows, "0", files)


def baskets(rows, items=40, seed=0, weights=True):
    """Samples with structure to learn: the next item mostly follows the last one. Strings, as prepare gives
    them.
    """
    rng = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(1, items + 1)
    popularity /= popularity.sum()
    label, context = [], []
    for _ in range(rows):
        list_ = rng.choice(items, size=rng.integers(0, 6), p=popularity)
        follows = len(list_) and rng.random() < 0.7
        label.append(int((list_[-1] + 1) % items) if follows else int(rng.choice(items, p=popularity)))
        context.append([f"i{x}" for x in list_])
    label = [f"i{x}" for x in label]
    return pa.table(
        {
            "sample_id": pa.array([f"s{seed}-{i}" for i in range(rows)], pa.string()),
            "key": pa.array(label, pa.string()),
            "label": pa.array(label, pa.string()),
            "date": pa.array(
                [datetime.date(2011, 2, 20 + i * 4 // max(rows, 1)) for i in range(rows)], pa.date32()
            ),
            "context": pa.array(context, pa.list_(pa.string())),
            "country": pa.array(
                [str(x) for x in rng.choice(["UK", "FR", "DE"], size=rows, p=[0.8, 0.1, 0.1])], pa.string()
            ),
            "weight": pa.array(rng.choice([1.0, 1.0, 2.5], size=rows) if weights else np.ones(rows)),
            "keep_rate": pa.array(np.ones(rows)),
        }
    )


def vocabulary(values):
    names, counts = np.unique([value for value in values if value is not None], return_counts=True)
    order = np.lexsort((names, -counts))
    return {"use": "vocabulary", "values": names[order].tolist(), "counts": counts[order].tolist()}


def encoders_of(samples):
    return {
        "label": "label",
        "columns": {
            "label": vocabulary(samples["label"].to_pylist()),
            "context": {"use": "vocabulary", "list": True, "like": "label"},
            "country": vocabulary(samples["country"].to_pylist()),
        },
    }


def encoded(samples, encoders):
    """The samples as shards hold them: ids by plain Python dictionaries, an independent truth for
    transforms/encode.py.
    """
    columns = {name: samples[name] for name in ("sample_id", "key")}
    for name, encoder in encoders["columns"].items():
        known = encoders["columns"][encoder.get("like", name)]["values"]
        ids = {value: i for i, value in enumerate(known, start=1)}
        if encoder.get("list"):
            columns[name] = pa.array(
                [[ids.get(x, 0) for x in row] for row in samples[name].to_pylist()], pa.list_(pa.int32())
            )
        else:
            columns[name] = pa.array([ids.get(x, 0) for x in samples[name].to_pylist()], pa.int32())
    columns |= {
        name: samples[name].cast(pa.float32())
        for name in ("weight", "keep_rate", "offset")
        if name in samples.column_names
    }
    columns |= {"pace": samples["pace"].cast(pa.int32())} if "pace" in samples.column_names else {}
    return to_shard(pa.table(columns))


def night(
    root,
    samples,
    shards=3,
    rows_per_group=100,
    date="2011-02-24",
    champion=None,
    encoders=None,
    seed=7,
    epochs=None,
):
    """Work for the train stage of one night over `samples`; `epochs` is that field of selection.json.

    Rows with a `pace` lie in files of their own, as the shard stage leaves them.
    """
    root = Path(root)
    encoders = encoders or encoders_of(samples)
    metrics = {}
    if "pace" in samples.column_names:
        samples = samples.sort_by("pace")
        pace_N = samples["pace"].to_numpy()
        edges = [
            np.linspace(*np.searchsorted(pace_N, [pace, pace + 1]), shards, endpoint=False)
            for pace in np.unique(pace_N)
        ]
        metrics = {"pace": [int(pace) for pace in np.unique(pace_N) for _ in range(shards)]}
        shards = np.concatenate(edges).astype(int).tolist()
    table = encoded(samples, encoders)
    inputs = {
        "features": stage(root / "features", "features", files={"encoders.json": encoders}, date=date),
        "shard": stage(
            root / "shard", "shard", {"train": (table, shards, rows_per_group)}, date=date, metrics=metrics
        ),
    }
    if epochs:
        inputs["select"] = stage(
            root / "select", "select", files={"selection.json": {"epochs": epochs}}, date=date
        )
    if champion:
        inputs["champion"] = champion
    (root / "train").mkdir(exist_ok=True)
    return Work("toy", "train", datetime.date.fromisoformat(date), seed, root / "train", inputs)


def finished(work, outcome):
    """The stage folder of an outcome, as flow would leave it."""
    return finish(
        work.folder,
        work.stage,
        dict(outcome.tables),
        outcome.files,
        work.date.isoformat(),
        outcome.ledger,
        dict(outcome.metrics),
    )
