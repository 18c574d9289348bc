"""What the reader holds stays below its limit on a table many times larger, and a limit that cannot work says what would."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import toy_tables

from lsml_spark import make_torch_dataset
from lsml_spark.core.errors import ConfigError

LIMIT = 32 << 20
# Memory of its own (RssAnon; mapped files are the kernel's to take back), beyond what it had before the first step. With these settings
# freed memory goes back to the kernel at once, so that what is seen is what is held.
PLAIN = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
READ = """
import json, sys
from lsml_spark import make_torch_dataset
def own():
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("RssAnon"))
path, warm, limit = sys.argv[1:]
list(make_torch_dataset(warm, batch=256))  # libraries take what they take
rows, most, before = 0, 0, own()
for batch in make_torch_dataset(path, batch=256, memory=int(limit)):
    rows += len(batch["row"])
    most = max(most, own() - before)
print(json.dumps({"rows": rows, "most": most}))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """160 MB of lists, which must be decoded, in row groups of 1 MB."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    known = toy_tables.truth(20_000)
    known["tokens"] = [rng.integers(0, 9, 2000).astype(np.int32) for _ in range(100)] * 200
    toy_tables.write(folder, toy_tables.table_of(known), files=10, rows_per_group=125, compression="lz4")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is held")
@pytest.mark.slow
def test_memory_stays_below_the_limit_on_a_table_five_times_as_large(large):
    done = subprocess.run(
        [sys.executable, "-c", READ, str(large), str(large / "part-00000.parquet"), str(LIMIT)],
        capture_output=True, text=True, check=True, env=os.environ | PLAIN,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["rows"] == 20_000
    assert found["most"] <= LIMIT


def test_a_limit_below_one_step_says_what_is_needed_and_what_to_change(tmp_path):
    toy_tables.write(tmp_path, toy_tables.table_of(toy_tables.truth(2000)), files=2, rows_per_group=500, compression="lz4")
    with pytest.raises(ConfigError, match=r"a step needs [\d,]+ bytes: \d+ row groups of up to 500 rows.* memory is 10,000\. Raise memory"):
        list(make_torch_dataset(tmp_path, batch=64, memory=10_000))


def test_a_tight_limit_changes_no_batch(tmp_path):
    toy_tables.write(tmp_path, toy_tables.table_of(toy_tables.truth(4000)), files=4, rows_per_group=100, compression="lz4")
    wide, tight = (list(make_torch_dataset(tmp_path, batch=64, memory=memory)) for memory in (1 << 30, 250_000))
    assert [batch["row"].tolist() for batch in wide] == [batch["row"].tolist() for batch in tight]
