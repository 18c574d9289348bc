"""Training over a damaged shard: stopped by name, or gone on without it and the loss in the ledger."""

import json

import pyarrow.parquet as pq
import pytest
import toy_shards

from lsml_spark.core.config import validate
from lsml_spark.core.errors import IntegrityError
from lsml_spark.train.run import Config, run
from lsml_spark.train.worker import in_process

SAMPLES = toy_shards.baskets(600, seed=4)


def config(**changes):
    model = {"use": "bag_mlp", "dim": 8, "hidden": [16], "dropout": 0.3}
    return validate(
        Config, {"model": model, "epochs": 2, "batch": 64, "workers": 1, "lane_sums": True} | changes, "test"
    )


def damaged(folder, column, epochs=None):
    """A night whose second shard has a bad page in one column of its first row group, of 100 rows."""
    folder.mkdir()
    work = toy_shards.night(folder, SAMPLES, epochs=epochs)
    path = work.inputs["shard"].files("train")[1]
    group = pq.read_metadata(path).row_group(0)
    chunk = next(
        group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == column
    )
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 5] ^= 0xFF
    path.write_bytes(content)
    return work, path


def rows_and_loss(work):
    return [
        (epoch["rows"], epoch["loss"])
        for epoch in json.loads((work.folder / "curve.json").read_bytes())["epochs"]
    ]


@pytest.mark.parametrize("column", ["context", "label"])
def test_by_default_a_damaged_shard_stops_the_night(tmp_path, column):
    work, path = damaged(tmp_path / "x", column)
    with pytest.raises(
        IntegrityError, match=rf"{path.name}, row group 0, column '{column}': page 0: its CRC-32 is"
    ):
        run(work, config(), in_process)


@pytest.mark.parametrize("column", ["context", "label"])
def test_skipped_rows_are_in_the_ledger_and_the_metrics(tmp_path, column):
    work, path = damaged(tmp_path / "x", column)
    outcome = run(work, config(data={"on_bad_shard": "skip"}), in_process)
    outcome.ledger.check("train")
    assert outcome.ledger.rows_out == 500
    assert outcome.ledger.dropped == {"in unreadable row groups": 100}
    assert outcome.metrics["unreadable"]["rows"] == 100
    (named,) = outcome.metrics["unreadable"]["row_groups"]
    assert named.endswith(f"{path.name}, row group 0")
    assert [rows for rows, _ in rows_and_loss(work)] == [500, 500]


def test_rows_left_to_other_epochs_are_told_apart_from_lost_ones(tmp_path):
    work, _ = damaged(tmp_path / "x", "context", {"use": "redraw", "share": 0.5})
    outcome = run(work, config(data={"on_bad_shard": "skip"}), in_process)
    outcome.ledger.check("train")
    assert outcome.ledger.dropped["left to other epochs"] == 300
    lost = [300 - rows for rows, _ in rows_and_loss(work)]
    assert sum(lost) == 100  # both halves together lose the group
    assert outcome.ledger.dropped.get("in unreadable row groups", 0) == lost[-1]


def test_a_sound_night_is_the_same_under_both_policies(tmp_path):
    outcomes = []
    for policy in ("fail", "skip"):
        (tmp_path / policy).mkdir()
        outcomes.append(
            run(
                toy_shards.night(tmp_path / policy, SAMPLES),
                config(data={"on_bad_shard": policy}),
                in_process,
            )
        )
    hashes = [{file.path: file.checksum for file in outcome.files} for outcome in outcomes]
    assert hashes[0] == hashes[1]
    assert "unreadable" not in outcomes[1].metrics


@pytest.mark.dist
def test_two_ranks_lose_the_same_rows_and_give_the_same_weights_as_one(tmp_path):
    found = []
    for ranks in (1, 2):
        work, _ = damaged(tmp_path / str(ranks), "context")
        outcome = run(
            work, config(data={"on_bad_shard": "skip"}, workers=ranks), in_process if ranks == 1 else None
        )
        found.append(
            ({file.path: file.checksum for file in outcome.files}["model.safetensors"], outcome.ledger)
        )
    assert found[0] == found[1]
