"""make_torch_dataset: every row once with its own values, alone or behind a DataLoader, and on after any
batch.
"""

import io
import itertools
import subprocess
import sys

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch
import toy_shards
import toy_tables
from torch.utils.data import DataLoader

import lsml_spark
from lsml_spark import ReadOptions, make_torch_dataset
from lsml_spark.core.errors import ConfigError, IntegrityError
from lsml_spark.data.dataset import RaggedTensor

ROWS = 700
TRUTH = toy_tables.truth(ROWS)


@pytest.fixture(scope="module", params=["none", "lz4"])
def folder(request, tmp_path_factory):
    """In place, and through pyarrow."""
    path = tmp_path_factory.mktemp("table")
    toy_tables.write(path, toy_tables.table_of(TRUTH), compression=request.param)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain")
    toy_tables.write(path, toy_tables.table_of(TRUTH))
    return path


def rows_of(dataset):
    return [batch["row"].tolist() for batch in dataset]


def flat(lists):
    return list(itertools.chain.from_iterable(lists))


def same(batch):
    """The batch holds the values of its rows."""
    rows = batch["row"].numpy()
    for name in ("label", "small", "packed", "image"):
        if name in batch:
            assert batch[name].dtype == (
                torch.int64 if name == "label" else torch.from_numpy(TRUTH[name]).dtype
            )
            assert np.array_equal(batch[name].numpy(), TRUTH[name][rows])
    for place, name in enumerate(toy_tables.RECORD):
        if name in batch:
            assert np.array_equal(batch[name].numpy(), TRUTH["packed"][rows, place])
    if "tokens" in batch and isinstance(batch["tokens"], RaggedTensor):
        values, offsets = batch["tokens"]
        assert all(
            np.array_equal(values[a:b], TRUTH["tokens"][row])
            for row, a, b in zip(rows, offsets, offsets[1:], strict=False)
        )
    if "name" in batch:
        assert batch["name"] == [f"row {row}" for row in rows]


@pytest.mark.parametrize("shuffle", ["none", "buffer", "groups", "full"])
def test_every_row_comes_once_an_epoch_with_its_own_values(folder, shuffle):
    dataset = make_torch_dataset(folder, batch=64, shuffle=shuffle)
    epochs = []
    for _ in range(2):
        batches = list(dataset)
        assert len(batches) == len(dataset)
        for batch in batches:
            assert set(batch) == {"row", "label", "small", "packed", "image", "tokens"}
            same(batch)
        epochs.append(flat(batch["row"].tolist() for batch in batches))
        assert sorted(epochs[-1]) == list(range(ROWS))
    assert (epochs[0] == list(range(ROWS))) == (shuffle == "none")
    assert (epochs[0] == epochs[1]) == (shuffle == "none")


def test_chosen_columns_may_lie_in_a_record_and_text_comes_as_strings(folder):
    for batch in make_torch_dataset(folder, batch=64, columns=["c", "name", "row", "a"]):
        assert set(batch) == {"c", "name", "row", "a", "label"}
        same(batch)


@pytest.mark.parametrize("length", [3, 9])
def test_lists_are_padded_or_cut_on_request(folder, length):
    for batch in make_torch_dataset(
        folder, batch=96, columns=["row", "tokens"], options=ReadOptions(pad={"tokens": length})
    ):
        for row, values, size in zip(batch["row"], batch["tokens"], batch["tokens_length"], strict=True):
            wanted = TRUTH["tokens"][row][:length]
            assert size == len(wanted)
            assert values.tolist() == [*wanted.tolist(), *[0] * (length - len(wanted))]


@pytest.mark.parametrize("shuffle", ["buffer", "full"])
@pytest.mark.parametrize("world", [1, 2, 4, 8])
def test_global_batches_are_the_same_at_any_world_size(plain, shuffle, world):
    def steps(ranks):
        parts = [
            rows_of(
                make_torch_dataset(plain, batch=64 // ranks, rank=r, world=ranks, shuffle=shuffle, seed=3)
            )
            for r in range(ranks)
        ]
        return [flat(step) for step in zip(*parts, strict=True)]

    assert steps(world) == steps(1)


@pytest.mark.parametrize("stopped", [0, 1, 5, 10])
@pytest.mark.parametrize("shuffle", ["buffer", "full"])
def test_the_next_batch_after_a_resume_is_the_one_that_would_have_come_on_another_number_of_ranks_too(
    plain, shuffle, stopped
):
    told = {"shuffle": shuffle, "seed": 5}
    whole = make_torch_dataset(plain, **toy_tables.asked(batch=64, **told))
    whole.set_epoch(2)
    expected = rows_of(whole)
    first = make_torch_dataset(plain, **toy_tables.asked(batch=64, **told))
    first.set_epoch(2)
    seen = rows_of(itertools.islice(first, stopped))
    state = first.state_dict()
    rest = []
    for rank in range(2):
        other = make_torch_dataset(plain, **toy_tables.asked(batch=32, rank=rank, world=2, **told))
        other.load_state_dict(state)
        assert other.epoch == 2
        other.set_epoch(2)  # as a loop over epochs says it again
        rest.append(rows_of(other))
    assert seen + [a + b for a, b in zip(*rest, strict=True)] == expected


def test_after_the_last_batch_comes_the_next_epoch(plain):
    dataset = make_torch_dataset(plain, batch=100)
    list(dataset)
    resumed = make_torch_dataset(plain, batch=100)
    resumed.load_state_dict(dataset.state_dict())
    assert resumed.epoch == dataset.epoch == 1
    assert rows_of(resumed) == rows_of(dataset)


@pytest.mark.parametrize(
    "changed",
    [{"seed": 1}, {"batch": 32}, {"shuffle": "full"}, {"filters": [("row", "<", 600)]}, {"drop_last": True}],
)
def test_a_state_of_another_plan_is_refused(plain, changed):
    state = make_torch_dataset(plain, batch=64).state_dict()
    with pytest.raises(ConfigError, match="this state is of another plan"):
        make_torch_dataset(plain, **toy_tables.asked(**{"batch": 64} | changed)).load_state_dict(state)


def test_the_last_short_step_can_be_dropped(plain):
    dataset = make_torch_dataset(plain, batch=64, options=ReadOptions(drop_last=True))
    assert [len(rows) for rows in rows_of(dataset)] == [64] * len(dataset) == [64] * 10


@pytest.mark.parametrize("shuffle", ["none", "buffer"])
def test_workers_of_a_data_loader_give_the_same_batches_in_the_same_order(plain, shuffle):
    dataset = make_torch_dataset(plain, batch=64, shuffle=shuffle, columns=["row", "tokens"])
    expected = rows_of(make_torch_dataset(plain, batch=64, shuffle=shuffle))
    loader = DataLoader(dataset, batch_size=None, num_workers=2, persistent_workers=True)
    assert rows_of(loader) == expected
    state = dataset.state_dict(steps=4)
    dataset.set_epoch(1)
    assert (rows_of(loader) == expected) == (shuffle == "none")
    again = make_torch_dataset(plain, batch=64, shuffle=shuffle)
    again.load_state_dict(state)
    assert rows_of(DataLoader(again, batch_size=None)) == expected[4:]


def test_a_worker_goes_on_from_its_own_state(plain, monkeypatch):
    """What a StatefulDataLoader does in each worker."""

    def worker(state=None):
        dataset = make_torch_dataset(plain, batch=64)
        if state:
            dataset.load_state_dict(state)
        return dataset, iter(dataset)

    info = type("Info", (), {"id": 1, "num_workers": 2})
    monkeypatch.setattr("lsml_spark.data.dataset.get_worker_info", lambda: info)
    dataset, batches = worker()
    seen = [next(batches)["row"].tolist() for _ in range(2)]
    _, rest = worker(dataset.state_dict())
    seen += rows_of(rest)
    monkeypatch.undo()
    assert seen == rows_of(make_torch_dataset(plain, batch=64))[1::2]


FILTERS = {
    "equal": ([("label", "==", 2)], TRUTH["label"] == 2),
    "or": (
        [[("a", ">", 0.5), ("small", "<", 0)], [("name", "==", "row 3")]],  # in a record, narrow, text
        ((TRUTH["packed"][:, 0] > 0.5) & (TRUTH["small"] < 0)) | (TRUTH["row"] == 3),
    ),
    "expression": (pc.field("row") < 100, TRUTH["row"] < 100),
}


@pytest.mark.parametrize("which", FILTERS)
def test_a_filter_leaves_exactly_the_rows_that_pass_in_full_equal_steps(folder, which):
    filters, kept = FILTERS[which]
    parts = [
        make_torch_dataset(folder, batch=8, rank=rank, world=2, options=ReadOptions(filters=filters))
        for rank in range(2)
    ]
    assert len(parts[0]) == len(parts[1])
    batches = [list(part) for part in parts]
    for batch in flat(batches):
        same(batch)
    assert sorted(flat(batch["row"].tolist() for batch in flat(batches))) == np.flatnonzero(kept).tolist()
    assert all(len(batch["row"]) == 8 for part in batches for batch in part[:-1])


def test_a_filter_that_makes_no_sense_is_refused(plain):
    for filters, said in (("label", "filters"), ([("nothing", "==", 1)], "names no column")):
        with pytest.raises(ConfigError, match=said):
            make_torch_dataset(plain, options=ReadOptions(filters=filters))


def test_a_stage_folder_is_read_by_its_manifest_and_opens_only_the_files_that_it_needs(tmp_path):
    samples = toy_shards.baskets(400, seed=1)
    table = toy_shards.encoded(samples, toy_shards.encoders_of(samples))
    toy_shards.stage(tmp_path, "shard", {"train": (table, 20, 10), "test": (table.slice(0, 30), 1, 10)})
    wanted = sorted(table["label"].to_pylist())
    for path in (tmp_path, tmp_path / "train"):
        assert sorted(flat(batch["label"].tolist() for batch in make_torch_dataset(path, batch=32))) == wanted
    assert (
        sum(len(batch["label"]) for batch in make_torch_dataset(tmp_path, options=ReadOptions(table="test")))
        == 30
    )
    dataset = make_torch_dataset(tmp_path, batch=8, options=ReadOptions(lanes=1))
    assert len(dataset.reader.shards.files.opened) <= 1  # for the columns; the manifest counts the rows
    with pytest.raises(ConfigError, match=r"no table 'tests' \(did you mean 'test'\?\)"):
        make_torch_dataset(tmp_path, options=ReadOptions(table="tests"))


def test_files_globs_and_lists_need_no_manifest(plain):
    files = sorted(plain.glob("*.parquet"))
    for path in (str(plain / "*.parquet"), files, [str(file) for file in files], f"file://{plain}"):
        assert sorted(flat(rows_of(make_torch_dataset(path)))) == list(range(ROWS))
    assert len(flat(rows_of(make_torch_dataset(files[0])))) == pq.read_metadata(files[0]).num_rows
    with pytest.raises(ConfigError, match="no Parquet file"):
        make_torch_dataset(plain / "*.nothing")


def test_parquet_of_other_writers_is_read_too(tmp_path):
    table = toy_tables.table_of(TRUTH)
    lists, images = TRUTH["tokens"], TRUTH["image"].reshape(ROWS, -1)
    import pyarrow as pa

    foreign = pa.table(
        {
            "row": table["row"],
            "lists": pa.array([value.tolist() for value in lists]),
            "fixed": pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), 20),
            "flag": pa.array(TRUTH["label"] > 2),
            "day": pa.array(TRUTH["row"], pa.int32()).cast(pa.date32()),
        }
    )
    pq.write_table(foreign, tmp_path / "x.parquet", row_group_size=64)
    for batch in make_torch_dataset(tmp_path, batch=50):
        assert set(batch) == {"row", "lists", "fixed", "flag"}
        rows = batch["row"].numpy()
        assert np.array_equal(batch["fixed"].numpy(), images[rows])
        assert np.array_equal(batch["flag"].numpy(), TRUTH["label"][rows] > 2)
        assert batch["lists"].values.tolist() == np.concatenate([lists[row] for row in rows]).tolist()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"columns": ["lable"]}, "did you mean 'label'"),
        ({"label": "nothing"}, "there is no column 'nothing'"),
        ({"pad": {"image": 3}}, "pad: column 'image' holds no lists"),
        ({"pad": {"nothing": 3}}, "column 'nothing' is not read"),
        ({"shuffle": "ful"}, "did you mean 'full'"),
        ({"decode": {"image": "cmyk"}}, r"decode\.image\.mode"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_words(plain, told, said):
    with pytest.raises(ConfigError, match=said):
        next(iter(make_torch_dataset(plain, **toy_tables.asked(**told))))


def encoded(sizes, kind="PNG"):
    PIL = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    arrays, files = [], []
    for height, width in sizes:
        arrays.append(rng.integers(0, 256, (height, width, 3)).astype(np.uint8))
        file = io.BytesIO()
        PIL.fromarray(arrays[-1]).save(file, kind)
        files.append(file.getvalue())
    return arrays, files


def images(tmp_path, files):
    import pyarrow as pa

    pq.write_table(
        pa.table({"row": np.arange(len(files)), "image": pa.array(files, pa.binary())}),
        tmp_path / "x.parquet",
    )
    return tmp_path


def test_images_are_decoded_and_brought_to_one_size_on_request(tmp_path):
    arrays, files = encoded([(6, 8)] * 20)
    for batch in make_torch_dataset(
        images(tmp_path, files), batch=8, options=ReadOptions(decode={"image": "rgb"})
    ):
        assert all(
            np.array_equal(image, arrays[row])
            for image, row in zip(batch["image"].numpy(), batch["row"], strict=True)
        )
    _, files = encoded([(6, 8), (9, 5)] * 4, "JPEG")
    folder = images(tmp_path, files)
    with pytest.raises(ConfigError, match=r"column 'image': images of .*resize"):
        list(make_torch_dataset(folder, batch=8, options=ReadOptions(decode={"image": "rgb"})))
    (batch,) = make_torch_dataset(
        folder, batch=8, options=ReadOptions(decode={"image": {"mode": "gray", "resize": [4, 3]}})
    )
    assert batch["image"].shape == (8, 4, 3)
    with pytest.raises(IntegrityError, match="bytes that are no image"):
        list(make_torch_dataset(images(tmp_path, [b"none"]), options=ReadOptions(decode={"image": "rgb"})))


def test_a_first_batch_does_not_wait_for_pandas(plain):
    code = (
        f"import sys, lsml_spark; next(iter(lsml_spark.make_torch_dataset({str(plain)!r}))); assert "
        "'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_imports_no_torch():
    code = "import sys, lsml_spark, lsml_spark.data.read; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError):
        lsml_spark.nothing  # noqa: B018


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_batches_on_a_gpu_are_those_on_the_cpu(plain):
    here, there = (list(make_torch_dataset(plain, batch=64, device=device)) for device in (None, "cuda"))
    for a, b in zip(here, there, strict=True):
        assert all(value.is_cuda for name, value in b.items() if name != "tokens")
        assert torch.equal(a["image"], b["image"].cpu())
        assert torch.equal(a["tokens"].values, b["tokens"].values.cpu())
