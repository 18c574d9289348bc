"""How well each shuffle mixes rows, against a full shuffle, on rows in hash order and on rows sorted by
label.

    python benchmarks/shuffle_quality.py [--rows 1000000] [--labels 10] [--batch 1024] [--rows-per-group
    16384] [--seeds 5]

Through `make_torch_dataset` on Parquet written here, so it is the reader that is measured and not its plan.
Figures and what they are for a uniform shuffle: lsml_spark/data/order/shuffle_quality.py.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import machine

from lsml_spark import ReadOptions, make_torch_dataset
from lsml_spark.data.order.shuffle_quality import imbalance, neighbours, travel

MODES = {
    "none": {"shuffle": "none"},
    "buffer, 1 lane": {"shuffle": "buffer", "options": ReadOptions(lanes=1)},
    "buffer": {"shuffle": "buffer"},
    "full": {"shuffle": "full"},
}


def write(folder: Path, label_N: np.ndarray, rows_per_group: int) -> None:
    folder.mkdir(parents=True)
    schema = pa.schema([pa.field("row", pa.int64(), False), pa.field("label", pa.int32(), False)])
    for number, rows in enumerate(np.array_split(np.arange(len(label_N)), 8)):
        table = pa.table([pa.array(rows), pa.array(label_N[rows].astype(np.int32))], schema=schema)
        told = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
        pq.write_table(table, folder / f"part-{number:05d}.parquet", row_group_size=rows_per_group, **told)


def measure(folder: Path, label_N: np.ndarray, batch: int, seed: int, told: dict) -> dict[str, float]:
    order_N = np.concatenate(
        [step["row"].numpy() for step in make_torch_dataset(folder, batch=batch, seed=seed, **told)]
    )
    assert np.array_equal(np.sort(order_N), np.arange(len(label_N)))
    return {
        "travel": travel(order_N),
        "neighbours": neighbours(order_N),
        "imbalance": imbalance(order_N, label_N, batch),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rows-per-group", type=int, default=16_384)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "shuffle_quality.json"
    )
    arguments = parser.parse_args()
    sorted_N = np.arange(arguments.rows) * arguments.labels // arguments.rows
    written = {"in hash order": np.random.default_rng(0).permutation(sorted_N), "sorted by label": sorted_N}
    result: dict = {
        "machine": machine(),
        "command": " ".join(["python", "benchmarks/shuffle_quality.py", *sys.argv[1:]]),
        "rows written": {},
    }
    scratch = Path(tempfile.mkdtemp(prefix="shuffle_quality-"))
    try:
        for name, label_N in written.items():
            write(scratch / name, label_N, arguments.rows_per_group)
            found = {}
            for mode, told in MODES.items():
                runs = [
                    measure(scratch / name, label_N, arguments.batch, seed, told)
                    for seed in range(arguments.seeds)
                ]
                found[mode] = {
                    figure: round(statistics.median(run[figure] for run in runs), 4) for figure in runs[0]
                }
            result["rows written"][name] = found
            print(
                f"\n{name}; {result['machine']}\n\n| shuffle | travel | neighbours | imbalance of labels |\n"
                "|---|---|---|---|"
            )
            for mode, figures in found.items():
                print(
                    f"| {mode} | {figures['travel']:.3f} | {figures['neighbours']:.3f} | "
                    f"{figures['imbalance']:.4f} |",
                    flush=True,
                )
    finally:
        shutil.rmtree(scratch)
    arguments.out.parent.mkdir(exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
