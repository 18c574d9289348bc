"""Manifests: what is read is what was written, to the byte; the identity is what was produced, and nothing
else.
"""

import dataclasses
import hashlib
import json

import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsml_spark.core import manifest
from lsml_spark.core.config import digest
from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Input, Manifest, Table
from lsml_spark.core.work import Source

TABLE = Table(
    {"key": "string", "n": "int"},
    5,
    "00ff",
    [File("t/a.parquet", 10, "aa", 3, [2, 1]), File("t/b.parquet", 9, "bb", 2, [2])],
)


def a_manifest(**changes) -> Manifest:
    values = {
        "stage": "select",
        "pipeline": "retail",
        "date": "2011-02-01",
        "seed": 7,
        "config": {"budget": 0.5, "policy": {"use": "zipf", "beta": 0.5}},
        "fingerprint": "f00d",
        "inputs": {"zipf": Input("2011-02-01/zipf", "abc")},
        "tables": {"train": TABLE},
        "files": [File("selection.json", 3, "cc")],
        "ledger": Ledger(9, 5, dropped={"not selected by zipf": 4}),
        "metrics": {"ess": 3.25, "name": "Müller <script>", "none": None, "list": [1, 2.5]},
        "run": {"seconds": 1.5, "host": "here"},
    }
    return Manifest(**{**values, **changes})


def test_what_is_read_is_what_was_written(tmp_path):
    a_manifest().write(tmp_path)
    assert manifest.read(tmp_path) == a_manifest()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_folder_without_a_manifest_does_not_exist(tmp_path):
    assert manifest.read(tmp_path) is None
    assert manifest.read(tmp_path / "no folder") is None
    (tmp_path / ".manifest.json.123").write_text("{")  # the writer was killed before it was done
    assert manifest.read(tmp_path) is None


def test_every_flipped_byte_is_found(tmp_path):
    a_manifest().write(tmp_path)
    path = tmp_path / "manifest.json"
    good = path.read_bytes()
    for position in range(len(good)):
        for flip in (0x01, 0x20, 0x80):
            path.write_bytes(good[:position] + bytes([good[position] ^ flip]) + good[position + 1 :])
            with pytest.raises(IntegrityError, match="damaged manifest"):
                manifest.read(tmp_path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_removed_added_or_moved_are_found(tmp_path, data):
    a_manifest().write(tmp_path)
    path = tmp_path / "manifest.json"
    good = path.read_bytes()
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, len(good)))
    bad = good[:start] + data.draw(st.binary(max_size=4)) + good[stop:]
    path.write_bytes(bad)
    if bad == good:
        assert manifest.read(tmp_path) == a_manifest()
        return
    with pytest.raises(IntegrityError, match="damaged manifest"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("content", ["", "null", "[]", '"text"', "{}", '{"checksum": 1}', "[" * 100_000])
def test_what_is_no_manifest_is_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(IntegrityError, match="damaged manifest"):
        manifest.read(tmp_path)


def test_a_manifest_rewritten_with_a_new_checksum_still_has_the_wrong_identity(tmp_path):
    a_manifest().write(tmp_path)
    path = tmp_path / "manifest.json"
    values = json.loads(path.read_text())
    values["ledger"]["rows_in"] += 1
    del values["checksum"]
    values["checksum"] = hashlib.sha256(
        json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()
    path.write_text(json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    with pytest.raises(IntegrityError, match="identity"):
        manifest.read(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"run": {"seconds": 99}},
        {"metrics": {}},
        {"pipeline": "other"},
        {"inputs": {}},
        {"tables": {"train": dataclasses.replace(TABLE, files=[File("t/other.parquet", 19, "ee", 5, [5])])}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_identity_does_not_depend_on_times_metrics_or_how_rows_are_split_into_files(changes):
    assert a_manifest(**changes).identity == a_manifest().identity


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": "augment"},
        {"date": "2011-02-02"},
        {"fingerprint": "beef"},
        {"ledger": Ledger(9, 5, dropped={"another reason": 4})},
        {"tables": {"train": dataclasses.replace(TABLE, rows_hash="00fe")}},
        {"tables": {"train": dataclasses.replace(TABLE, rows=6)}},
        {"tables": {"train": dataclasses.replace(TABLE, columns={"key": "string", "n": "bigint"})}},
        {"tables": {"test": TABLE}},
        {"files": [File("selection.json", 3, "dd")]},
        {"files": []},
    ],
    ids=str,
)
def test_the_identity_depends_on_everything_that_was_produced(changes):
    assert a_manifest(**changes).identity != a_manifest().identity


def test_the_order_of_files_does_not_matter_to_the_identity():
    one, other = File("a.json", 1, "aa"), File("b.json", 1, "bb")
    assert a_manifest(files=[one, other]).identity == a_manifest(files=[other, one]).identity


def test_metrics_with_numbers_as_keys_can_be_read_again(tmp_path):
    a_manifest(metrics={"by_frequency": {10: 1, 9: 2, 1: 3}}).write(tmp_path)
    assert manifest.read(tmp_path).metrics == {"by_frequency": {"10": 1, "9": 2, "1": 3}}


def test_a_file_is_described_by_its_size_and_checksum(tmp_path):
    data = bytes(range(256)) * 9000
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.bin").write_bytes(data)
    described = manifest.describe(tmp_path, tmp_path / "sub" / "x.bin")
    assert described == File("sub/x.bin", len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
    fast = manifest.describe(tmp_path, tmp_path / "sub" / "x.bin", "xxh128")
    assert fast == File("sub/x.bin", len(data), f"xxh128:{xxhash.xxh3_128_hexdigest(data)}")
    with pytest.raises(ValueError, match=r"no algorithm 'crc' \(known: sha256, xxh128\)"):
        manifest.checksum_of(tmp_path / "sub" / "x.bin", "crc")


def test_a_manifest_from_before_other_checksums_is_read_and_keeps_its_identity(tmp_path):
    made = a_manifest(files=[File("selection.json", 3, "sha256:cc")])
    made.write(tmp_path)
    values = json.loads((tmp_path / "manifest.json").read_text())
    values["files"] = [{"path": "selection.json", "bytes": 3, "sha256": "cc", "rows": None, "row_groups": []}]
    values["checksum"] = digest({key: value for key, value in values.items() if key != "checksum"})
    text = json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (tmp_path / "manifest.json").write_text(text)
    found = manifest.read(tmp_path)
    assert (found.files, found.identity) == (made.files, made.identity)


def test_json_files_are_the_same_bytes_for_equal_values(tmp_path):
    one = manifest.write_json(tmp_path, "a.json", {"b": 1, "a": [1.5, "ü"]})
    other = manifest.write_json(tmp_path, "b.json", {"a": [1.5, "ü"], "b": 1})
    assert one.checksum == other.checksum
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1.5, "ü"], "b": 1}


def test_a_source_knows_its_files_and_refuses_others(tmp_path):
    described = manifest.write_json(tmp_path, "selection.json", {"budget": 3})
    source = Source(tmp_path, dataclasses.replace(a_manifest(), files=[described]))
    assert source.files("train") == [tmp_path / "t/a.parquet", tmp_path / "t/b.parquet"]
    assert source.file("selection.json") == tmp_path / "selection.json"
    assert source.json("selection.json") == {"budget": 3}
    with pytest.raises(IntegrityError, match=r"names no file 'profile\.json'"):
        source.file("profile.json")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text('{"budget":4}\n'),
        lambda path: path.write_bytes(b"\xff{"),
        lambda path: path.unlink(),
    ],
)
def test_a_file_of_a_stage_that_is_not_as_written_is_named_with_the_way_out(tmp_path, spoil):
    described = manifest.write_json(tmp_path, "selection.json", {"budget": 3})
    source = Source(tmp_path, dataclasses.replace(a_manifest(), files=[described]))
    spoil(tmp_path / "selection.json")
    for read in (source.file, source.json):
        with pytest.raises(
            IntegrityError, match=rf"selection\.json: damaged .*--from {source.manifest.stage}` makes it anew"
        ):
            read("selection.json")


def test_files_of_the_run_are_checked_like_all_others_and_no_part_of_the_identity():
    plain = a_manifest()
    timed = dataclasses.replace(
        plain, run={"files": [{"path": "metrics.jsonl", "bytes": 3, "checksum": "sha256:00"}]}
    )
    assert [file.path for file in timed.all_files()] == [
        *(file.path for file in plain.all_files()),
        "metrics.jsonl",
    ]
    assert timed.identity == plain.identity


def test_the_files_of_tables_and_others_are_all_files():
    assert [file.path for file in a_manifest().all_files()] == [
        "t/a.parquet",
        "t/b.parquet",
        "selection.json",
    ]


@pytest.mark.parametrize(
    "path", ["../other/model.safetensors", "/etc/passwd", "a/../../b", "..", "", "./a", "a\x00b"]
)
@pytest.mark.parametrize("where", ["table", "file", "run"])
def test_a_manifest_whose_files_lie_outside_of_its_folder_is_not_read(tmp_path, path, where):
    """Forged with the right checksums, as anybody can."""
    file = File(path, 1, "sha256:00")
    told = {
        "table": {"tables": {"rows": Table({}, 0, "0", [file])}},
        "file": {"files": [file]},
        "run": {"run": {"files": [vars(file)]}},
    }[where]
    a_manifest(**told).write(tmp_path)
    with pytest.raises(IntegrityError, match="none within its folder"):
        manifest.read(tmp_path)


@pytest.mark.parametrize("put", [lambda path: path.symlink_to(path), lambda path: path.mkdir()])
def test_what_was_put_into_the_place_of_a_manifest_is_damage(tmp_path, put):
    put(tmp_path / manifest.NAME)
    with pytest.raises(IntegrityError, match=r"damaged manifest .*delete the folder"):
        manifest.read(tmp_path)
