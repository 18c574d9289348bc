"""Goal: the first batch within a second of the start of a process, on 10,000 shards, by the manifest alone.

python benchmarks/loading/many_shards.py make FOLDER [SHARDS]  # shards that link to one file of 256 rows
python benchmarks/loading/many_shards.py read FOLDER           # seconds from the start of the process
python benchmarks/loading/many_shards.py torch FOLDER          # the same as tensors
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
ROWS = 256


def make(folder: Path, shards: int = 10_000) -> None:
    from loading import ours, shapes
    from lsml_spark.core.manifest import File

    rows = shapes.rows("dense", ROWS)
    table = ours.in_layout(rows)
    (folder / "train").mkdir(parents=True)
    first = folder / "train" / "part-00000.parquet"
    ours.write_shard(first, table, ROWS)
    files = []
    for i in range(shards):
        path = folder / "train" / f"part-{i:05d}.parquet"
        if i:
            os.link(first, path)
        files.append(File(path.relative_to(folder).as_posix(), first.stat().st_size, "", ROWS, [ROWS]))
    ours.finish(folder, table, files)


def since_start() -> float:
    """Seconds since the kernel started this process."""
    started = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf(
        "SC_CLK_TCK"
    )
    return float(Path("/proc/uptime").read_text().split()[0]) - started


def read(folder: Path) -> dict:
    from lsml_spark import make_reader

    batch = next(iter(make_reader(folder, batch=1024)))
    found = {"arrays": since_start()}
    assert batch["x"].shape == (1024, 256)
    assert "torch" not in sys.modules
    return {name: round(value, 2) for name, value in found.items()}


def read_tensors(folder: Path) -> dict:
    found = {"python": since_start()}
    import torch

    found["torch"] = since_start()
    from lsml_spark import make_torch_dataset

    batch = next(iter(make_torch_dataset(folder, batch=1024)))
    found["tensors"] = since_start()
    assert len(batch["label"]) == 1024
    assert isinstance(batch["x"], torch.Tensor)
    return {name: round(value, 2) for name, value in found.items()}


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        print(json.dumps({"read": read, "torch": read_tensors}[sys.argv[1]](Path(sys.argv[2]))))
