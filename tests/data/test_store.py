"""Shards of a store: the same batches by byte ranges, another try where it fails, none where that is of no
use.
"""

import itertools

import numpy as np
import pyarrow as pa
import pytest
import toy_shards
import toy_tables
from pyarrow import fs

from lsml_spark import ReadOptions, make_torch_dataset
from lsml_spark.core.errors import ConfigError, EnvironmentProblem, IntegrityError
from lsml_spark.data import reader
from lsml_spark.data.parquet.store import Patience, RetryingFile, Store

ROWS = 300


class Flaky(fs.FileSystemHandler):
    """A local folder whose every `broken`-th read or open fails; `log` says what was asked."""

    def __init__(self, broken=0, error=ConnectionResetError):
        self.local, self.broken, self.error, self.asked, self.log = (
            fs.LocalFileSystem(),
            broken,
            error,
            itertools.count(1),
            [],
        )

    def ask(self, *what):
        self.log.append(what)
        if self.broken and next(self.asked) % self.broken == 0:
            raise self.error("the store is moody")

    def open_input_file(self, path):
        self.ask("open", path)
        return pa.PythonFile(FlakyFile(self, path), mode="r")

    def get_file_info(self, paths):
        return self.local.get_file_info(paths)

    def get_file_info_selector(self, selector):
        self.ask("list")
        return self.local.get_file_info(selector)

    def get_type_name(self):
        return "flaky"

    def __eq__(self, other):
        return self is other

    def __ne__(self, other):
        return self is not other

    open_input_stream = open_output_stream = open_append_stream = normalize_path = None
    create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = delete_file = move = (
        copy_file
    ) = None


class FlakyFile:
    def __init__(self, handler, path):
        self.handler, self.path, self.file = handler, path, open(path, "rb")  # noqa: SIM115
        self.closed = False

    def read(self, size=-1):
        self.handler.ask("read", self.path, self.file.tell(), size)
        return self.file.read(size)

    def seek(self, *to):
        return self.file.seek(*to)

    def tell(self):
        return self.file.tell()

    def close(self):
        self.closed = True
        self.file.close()


Flaky.__abstractmethods__ = frozenset()


@pytest.fixture(autouse=True)
def naps(monkeypatch):
    """Pauses are noted instead of taken."""
    taken = []
    monkeypatch.setattr(reader, "Patience", lambda retries: Patience(retries, sleep=taken.append))
    return taken


@pytest.fixture
def folder(tmp_path):
    toy_tables.write(tmp_path / "x", toy_tables.table_of(toy_tables.truth(ROWS)), files=3, compression="lz4")
    return tmp_path / "x"


def patient(naps, **told):
    return Patience(sleep=naps.append, **told)


def rows_of(path, handler, **told):
    dataset = make_torch_dataset(
        str(path), **toy_tables.asked(batch=32, filesystem=fs.PyFileSystem(handler), threads=1, **told)
    )
    return sorted(np.concatenate([batch["row"].numpy() for batch in dataset]).tolist())


def test_a_sound_store_gives_the_rows_of_the_files(folder):
    assert rows_of(folder, Flaky()) == list(range(ROWS))


def test_only_the_wanted_row_groups_and_columns_are_fetched(tmp_path):
    known = toy_tables.truth(4000)
    known["image"] = np.random.default_rng(0).integers(0, 256, (4000, 4, 5)).astype(np.uint8)
    (path,) = toy_tables.write(tmp_path, toy_tables.table_of(known), files=1, rows_per_group=400)
    handler = Flaky()
    dataset = make_torch_dataset(
        str(path),
        batch=8,
        columns=["label"],
        options=ReadOptions(lanes=1, filesystem=fs.PyFileSystem(handler), threads=1),
    )
    opened = len(handler.log)
    next(iter(dataset))
    fetched = sum(entry[3] for entry in handler.log[opened:] if entry[0] == "read")
    assert fetched < path.stat().st_size / 2


def test_every_third_failure_changes_nothing(folder):
    handler = Flaky(broken=3)
    assert rows_of(folder, handler, retries=4) == list(range(ROWS))


def test_pauses_grow_with_jitter_and_end_in_an_error_that_names_the_file(folder, naps):
    store = Store(fs.PyFileSystem(Flaky(broken=1)), patient(naps, retries=5, first=1.0, longest=5.0))
    path = str(folder / "part-00000.parquet")
    with pytest.raises(
        EnvironmentProblem, match=r"part-00000\.parquet: cannot be read after 6 tries \(the store is moody\)"
    ):
        RetryingFile(store, path)
    assert len(naps) == 5
    assert all(limit / 2 <= nap <= limit for nap, limit in zip(naps, [1, 2, 4, 5, 5], strict=True))


def test_an_outage_is_not_taken_for_a_damaged_shard(folder):
    with pytest.raises(EnvironmentProblem, match="is the store in reach"):
        rows_of(folder, Flaky(broken=1), on_bad="skip", retries=1)


def test_what_is_not_there_is_not_asked_for_twice(folder, naps):
    handler = Flaky()
    with pytest.raises(ConfigError, match="no such file"):
        rows_of(folder / "none.parquet", handler)
    # the manifests that might have told of it; the store lists no such file
    assert len(handler.log) == len(set(handler.log)) == 2
    assert not naps


def test_damage_is_not_asked_for_twice(folder, naps):
    path = folder / "part-00001.parquet"
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"part-00001\.parquet, row group 0"):
        rows_of(folder, Flaky())
    assert not naps


def test_a_stage_folder_of_a_store_is_read_by_its_manifest(tmp_path):
    samples = toy_shards.baskets(100, seed=1)
    table = toy_shards.encoded(samples, toy_shards.encoders_of(samples))
    toy_shards.stage(tmp_path, "shard", {"train": (table, 4, 10)})
    handler = Flaky()
    dataset = make_torch_dataset(
        str(tmp_path), batch=10, options=ReadOptions(filesystem=fs.PyFileSystem(handler), lanes=1)
    )
    assert {entry[1] for entry in handler.log} == {
        str(tmp_path / "manifest.json"),
        str(tmp_path / "train" / "part-00000.parquet"),
    }
    assert sorted(label for batch in dataset for label in batch["label"].tolist()) == sorted(
        table["label"].to_pylist()
    )
    damaged = (tmp_path / "manifest.json").read_text().replace('"toy"', '"tou"')
    (tmp_path / "manifest.json").write_text(damaged)
    with pytest.raises(IntegrityError, match=f"{tmp_path}.*damaged manifest"):
        make_torch_dataset(str(tmp_path), options=ReadOptions(filesystem=fs.PyFileSystem(handler)))


def test_an_unknown_store_is_refused():
    with pytest.raises(ConfigError, match=r"ftp://host/x: not a store that pyarrow"):
        make_torch_dataset("ftp://host/x")


@pytest.mark.slow
def test_shards_on_s3_are_those_on_the_disk(folder, monkeypatch):
    """Against moto's server on loopback."""
    server = pytest.importorskip("moto.server")
    monkeypatch.undo()
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        told = {
            "endpoint_override": f"{host}:{port}",
            "scheme": "http",
            "allow_bucket_creation": True,
            "region": "us-east-1",
        }
        s3 = fs.S3FileSystem(access_key="x", secret_key="x", **told)
        s3.create_dir("bucket")
        fs.copy_files(
            str(folder), "bucket/x", source_filesystem=fs.LocalFileSystem(), destination_filesystem=s3
        )
        for path in ("bucket/x", "bucket/x/*.parquet"):
            here, there = (
                make_torch_dataset(p, batch=32, seed=2, options=ReadOptions(filesystem=f))
                for p, f in ((str(folder), None), (path, s3))
            )
            assert [batch["row"].tolist() for batch in here] == [batch["row"].tolist() for batch in there]
    finally:
        moto.stop()
