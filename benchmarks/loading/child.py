"""One reader in a process of its own: `child.py write|read MODULE SHAPE ROWS FOLDER [READER SECONDS]`. The
last line is JSON.

A reader's module has `write(folder, rows)`, READERS {name: function (folder, shape) → an iterable of batches,
an epoch each time it is iterated} and REQUIREMENTS for pip. A batch is a mapping or sequence; what is called
`label`, or comes last, are the labels.
"""

import importlib
import itertools
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

HERE = time.perf_counter()
sys.path.insert(0, str(Path(__file__).parents[1]))


def write(module: str, shape: str, count: int, folder: Path) -> dict:
    from loading import shapes

    data = shapes.rows(shape, count)
    folder.mkdir(parents=True)
    clock = time.perf_counter()
    importlib.import_module(f"loading.{module}").write(folder, data)
    megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return {"seconds": round(time.perf_counter() - clock, 2), "megabytes": round(megabytes, 1)}


def read(module: str, shape: str, count: int, folder: Path, name: str, seconds: float) -> dict:
    """Rows per second after the first batch, whole epochs one after the other where they fit into
    `seconds`.
    """
    source = importlib.import_module(f"loading.{module}").READERS[name](folder, shape)
    rows = epoch_rows = total = 0
    complete = None
    clock = 0.0
    for epoch in itertools.count():
        for batch in source:
            label = label_of(batch)
            if not clock:  # the first batch, with all that starts once, is timed apart
                first = time.perf_counter() - HERE
                clock, counted = time.perf_counter(), len(label)
            rows += len(label)
            if not epoch:
                epoch_rows, total = (
                    epoch_rows + len(label),
                    total + int(label.sum() if hasattr(label, "sum") else sum(label)),
                )
            if time.perf_counter() - clock > seconds:
                break
        else:
            complete = complete if epoch else [epoch_rows, total]
            if time.perf_counter() - clock < seconds:
                continue
        break
    wall = time.perf_counter() - clock
    found = {
        "rows_per_second": (rows - counted) / wall,
        "first_batch": round(first, 3),
        "rows": rows,
        "seconds": round(wall, 2),
    }
    return found | (
        {} if complete is None else {"epoch": complete, "right": complete == expected(shape, count)}
    )


def label_of(batch):
    return batch["label"] if isinstance(batch, Mapping) else batch[-1]


def expected(shape: str, count: int) -> list:
    """[rows of an epoch, sum of their labels]: `shapes.rows` draws the labels first."""
    import numpy as np

    return [count, int(np.random.default_rng(0).integers(0, 1000, count).sum())]


def main() -> None:
    what, module, shape, count, folder, *rest = sys.argv[1:]
    try:
        if what == "write":
            found = write(module, shape, int(count), Path(folder))
        else:
            found = read(module, shape, int(count), Path(folder), rest[0], float(rest[1]))
    except NotImplementedError as error:
        found = {"cannot": str(error)}
    except Exception as error:  # a peer may fail with anything: that is a result too
        found = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[-300:]}"}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
