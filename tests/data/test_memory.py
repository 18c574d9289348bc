"""What the reader holds stays below its limit on a table many times larger, and a limit that cannot work says
what would.
"""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy_tables

from lsml_spark import ReadOptions, make_torch_dataset
from lsml_spark.core.errors import ConfigError

LIMIT = 32 << 20
# Memory of its own (RssAnon; mapped files are the kernel's to take back), beyond what it had before the first
# step. With these settings freed memory goes back to the kernel at once, so that what is seen is what is
# held.
PLAIN = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}
READ = """
import json, sys
from lsml_spark import ReadOptions, make_torch_dataset
def own():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))
path, warm, limit = sys.argv[1:]
list(make_torch_dataset(warm, batch=256))  # libraries take what they take
rows, most, before = 0, 0, own()
for batch in make_torch_dataset(path, batch=256, options=ReadOptions(memory=int(limit))):
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


@pytest.mark.parametrize(
    ("compression", "said"),
    [
        (
            "lz4",
            r"row group \d: its columns .* are [\d,]+ bytes when decoded; memory is 10,000\. Raise memory",
        ),
        (
            "none",
            r"a step needs [\d,]+ bytes: \d+ row groups of up to 500 rows.* memory is 10,000\. Raise memory",
        ),
    ],
)
def test_a_limit_below_one_step_says_what_is_needed_and_what_to_change(tmp_path, compression, said):
    toy_tables.write(
        tmp_path,
        toy_tables.table_of(toy_tables.truth(2000)),
        files=2,
        rows_per_group=500,
        compression=compression,
    )
    with pytest.raises(ConfigError, match=said):
        list(
            make_torch_dataset(
                tmp_path, batch=64, columns=["row", "image"], options=ReadOptions(memory=10_000)
            )
        )


def test_a_tight_limit_changes_no_batch(tmp_path):
    toy_tables.write(
        tmp_path, toy_tables.table_of(toy_tables.truth(4000)), files=4, rows_per_group=100, compression="lz4"
    )
    wide, tight = (
        list(make_torch_dataset(tmp_path, batch=64, options=ReadOptions(memory=memory)))
        for memory in (1 << 30, 250_000)
    )
    assert [batch["row"].tolist() for batch in wide] == [batch["row"].tolist() for batch in tight]


def png(height, width):
    PIL = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    PIL.fromarray(np.zeros((height, width), np.uint8)).save(file, "PNG")
    return file.getvalue()


def table(tmp_path, columns, **options):
    pq.write_table(pa.table(columns), tmp_path / "x.parquet", **options)
    return tmp_path


def never(*told, **options):
    raise AssertionError("it was decoded")


@pytest.mark.parametrize(
    "sides", [[(6000, 6000)], [(8, 8), (6000, 6000)], [(200, 200)] * 1000], ids=["one", "second", "many"]
)
@pytest.mark.parametrize("told", ["rgb", {"mode": "gray", "resize": [8, 8]}], ids=["whole", "resized"])
def test_images_are_counted_as_they_are_when_decoded_and_before_that(tmp_path, monkeypatch, sides, told):
    cache = {side: png(*side) for side in set(sides)}
    folder = table(tmp_path, {"image": pa.array([cache[side] for side in sides], pa.binary())})
    assert (folder / "x.parquet").stat().st_size < 1 << 20
    reader = make_torch_dataset(folder, options=ReadOptions(decode={"image": told}, memory=LIMIT))
    if told != "rgb" and len(sides) > 2:  # only one at a time is large
        assert next(iter(reader))["image"].shape == (1000, 8, 8)
        return
    monkeypatch.setattr("PIL.Image.Image.convert", never)
    with pytest.raises(
        ConfigError, match=r"a step needs [\d,]+ bytes: .* for decoded images.* Raise memory, or lower batch"
    ):
        list(reader)


def test_the_size_of_an_image_is_seen_in_its_header():
    PIL = pytest.importorskip("PIL.Image")
    from lsml_spark.media.image import size_of

    for kind, mode, told in (
        ("PNG", "L", {}),
        ("JPEG", "RGB", {}),
        ("JPEG", "L", {"progressive": True, "exif": b"Exif\0\0" + bytes(999)}),
    ):
        file = io.BytesIO()
        PIL.new(mode, (37, 21)).save(file, kind, **told)
        assert size_of(file.getvalue()) == (37, 21)
        for end in range(len(file.getvalue())):
            assert size_of(file.getvalue()[:end]) in {(37, 21), (0, 0)}
    assert size_of(b"\xff\xd8" + b"\xff" * 50) == size_of(b"GIF89a" + bytes(50)) == (0, 0)


@pytest.mark.parametrize(
    "told", [{"pad": {"tokens": 10**9}}, {"fill_last": True, "batch": 2**30}], ids=["padded", "filled"]
)
def test_padding_and_filling_are_counted_before_they_are_made(tmp_path, told):
    toy_tables.write(tmp_path, toy_tables.table_of(toy_tables.truth(100)))
    with pytest.raises(
        ConfigError, match=r"a step needs [\d,]+ bytes: .* for decoded images, padding and filling"
    ):
        list(make_torch_dataset(tmp_path, **toy_tables.asked(memory=LIMIT, **told)))


BOMBS = {
    "runs": {"x": pa.array(np.zeros(10_000_000, np.int64))},
    "one text": {"x": pa.array(["x" * 100_000] * 2000)},
    "lists": {"x": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(10_000_000, np.float64)), 1000)},
    "packed": {"x": pa.array([bytes(1_000_000)] * 60)},
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_row_group_that_unpacks_to_more_than_the_limit_is_refused_before_that(tmp_path, monkeypatch, kind):
    folder = table(
        tmp_path, BOMBS[kind], compression="zstd", use_dictionary=kind != "packed", row_group_size=10_000_000
    )
    assert (folder / "x.parquet").stat().st_size < 1 << 20
    reader = make_torch_dataset(folder, columns=["x"], options=ReadOptions(memory=LIMIT))
    monkeypatch.setattr("lsml_spark.data.parquet.files.Files._decoded", never)
    with pytest.raises(
        ConfigError,
        match=r"x\.parquet, row group 0: its columns \['x'\] are [\d,]+ bytes when decoded; memory is "
        r"33,554,432",
    ):
        list(reader)


def test_texts_of_a_dictionary_are_counted_not_guessed(tmp_path):
    """So many rows that the largest text in each of them would not fit."""
    texts = ["x" * 100_000] + ["y"] * 20_000
    found = [
        text
        for batch in make_torch_dataset(
            table(tmp_path, {"x": texts}), columns=["x"], options=ReadOptions(memory=LIMIT)
        )
        for text in batch["x"]
    ]
    assert sorted(found) == sorted(texts)


def test_a_page_that_unpacks_to_more_than_its_footer_says_is_counted_by_its_own_header(tmp_path, monkeypatch):
    folder = table(
        tmp_path, BOMBS["packed"], compression="zstd", use_dictionary=False, row_group_size=10_000_000
    )
    from lsml_spark.data.parquet import decoded

    class Footer:
        """One that says of every column chunk that it is small."""

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return 100 if name == "total_uncompressed_size" else getattr(self.inner, name)

        def row_group(self, index):
            return Footer(self.inner.row_group(index))

        def column(self, index):
            return Footer(self.inner.column(index))

    reader = make_torch_dataset(folder, columns=["x"], options=ReadOptions(memory=LIMIT))
    (group,) = reader.reader.shards.groups
    files = reader.reader.shards.files
    opened = files.open(group.path)
    monkeypatch.setitem(
        files.opened, group.path, type(opened)(Footer(opened.footer), opened.schema, opened.mapped)
    )
    assert decoded.decoded_bytes(files, group, ["x"], LIMIT) > 60_000_000
