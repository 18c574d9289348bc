"""The row groups that a manifest tells are those of the footers, or it is said: reader, trainer and verify
agree on that.
"""

import datetime
import json

import pytest
import toy_shards

from lsml_spark import make_reader
from lsml_spark.core.config import digest, validate
from lsml_spark.core.errors import IntegrityError, TrainingError
from lsml_spark.core.manifest import NAME, read
from lsml_spark.data.parquet.footers import row_groups_differ
from lsml_spark.flow.layout import Runs
from lsml_spark.flow.verify import verify
from lsml_spark.train.run import Config, run
from lsml_spark.train.worker import in_process

SAMPLES = toy_shards.baskets(285, seed=4)


def change(folder, file, **values):
    """Write one file's entry of table train otherwise, with checksums that fit."""
    path = folder / NAME
    told = json.loads(path.read_bytes())
    told["tables"]["train"]["files"][file] |= values
    told.pop("checksum")
    told["checksum"] = digest(told)
    path.write_bytes(json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")


CASES = {  # of 95 rows in groups of 50 and 45
    "the last one left out": {"row_groups": [50], "rows": 50},
    "the last one left out, its rows not": {"row_groups": [50]},
    "none": {"row_groups": []},
    "none and no rows": {"row_groups": [], "rows": 0},
    "negative": {"row_groups": [233, -138]},
    "one more": {"row_groups": [50, 45, 0]},
    "others": {"row_groups": [45, 50]},
    "one for two": {"row_groups": [95]},
}


@pytest.mark.parametrize("which", CASES)
def test_row_groups_that_are_not_those_of_the_footer_are_damage_by_name(tmp_path, which):
    work = toy_shards.night(tmp_path, SAMPLES, rows_per_group=50)
    folder = tmp_path / "shard"
    change(folder, 1, **CASES[which])
    problems = list(row_groups_differ(folder, read(folder).tables["train"]))
    assert any("part-00001.parquet" in problem for problem in problems)
    with pytest.raises(
        IntegrityError, match=r"part-00001\.parquet|files have \d+ rows together, the table 285"
    ):
        list(make_reader(folder, batch=16))
    source = type(work.inputs["shard"])(folder, read(folder))
    told = validate(
        Config, {"model": {"use": "bag_mlp", "dim": 4, "hidden": []}, "workers": 1, "batch": 64}, "test"
    )
    changed = type(work)(
        work.pipeline, work.stage, work.date, work.seed, work.folder, {**work.inputs, "shard": source}
    )
    with pytest.raises(
        (IntegrityError, TrainingError),
        match=r"part-00001\.parquet|files have \d+ rows together, the table 285",
    ):
        run(changed, told, in_process)


@pytest.mark.parametrize("counts", [["50", 45], [49.5, 45.5], [True, 94], "50", None])
def test_row_groups_that_are_no_counts_are_a_damaged_manifest(tmp_path, counts):
    toy_shards.night(tmp_path, SAMPLES, rows_per_group=50)
    change(tmp_path / "shard", 1, row_groups=counts)
    with pytest.raises(IntegrityError, match="damaged manifest"):
        make_reader(tmp_path / "shard")


def test_a_sound_table_has_no_difference(tmp_path):
    toy_shards.night(tmp_path, SAMPLES, rows_per_group=50)
    assert list(row_groups_differ(tmp_path / "shard", read(tmp_path / "shard").tables["train"])) == []


def test_verify_names_the_file(tmp_path):
    folder = tmp_path / "toy" / "2011-02-24" / "prepare"
    toy_shards.stage(folder, "prepare", {"train": (SAMPLES, 3, 50)})
    change(folder, 1, row_groups=[45, 50])
    with pytest.raises(
        IntegrityError, match=r"part-00001\.parquet: its row group 0 has 50 rows, its manifest says 45"
    ):
        verify(Runs(tmp_path, "toy"), [datetime.date(2011, 2, 24)])
