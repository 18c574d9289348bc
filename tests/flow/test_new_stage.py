"""To add a stage is a row of core/stages.py and a package: whoever else must know of it reads it there."""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from nights import RETAIL, SMALL

from lsml_spark.core.errors import IntegrityError
from lsml_spark.core.stages import SPARK_STAGES, STAGES

pytestmark = pytest.mark.spark

NIGHT = "2011-01-14"
DOCS = Path(__file__).parents[2] / "docs" / "architecture.md"
# A process whose table has two rows more, and whose package lsml_spark has their modules.
AMONG_THEM = """
import json, sys, types
from pathlib import Path
import lsml_spark
lsml_spark.__path__.append(sys.argv[1])
file = Path(lsml_spark.__file__).parent / "core" / "stages.py"
rows = {
    "prepare": 'Stage("audit", "plain", "", ("quality",), "counts rows once more", {"quality": ("clean",)})',
    "train": 'Stage("weave", "plain", "", ("shard",), "looks at the shards", {"shard": ("train",)})',
}
text = file.read_text()
for before, row in rows.items():
    text = text.replace(f'    Stage("{before}", ', f'    {row},\\n    Stage("{before}", ')
module = sys.modules["lsml_spark.core.stages"] = types.ModuleType("lsml_spark.core.stages")
exec(compile(text, str(file), "exec"), module.__dict__)
"""
STAGE = """
from lsml_spark.core.config import Strict
from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import write_json
from lsml_spark.core.work import Outcome

class Config(Strict):
    wrong: int = 0

def run(work, config):
    rows = work.inputs["{reads}"].manifest.tables["{table}"].rows + config.wrong
    return Outcome(Ledger(rows, rows), files=[write_json(work.folder, "rows.json", rows)])
"""
PROGRAM = """
from typer.testing import CliRunner
from lsml_spark.cli.main import app
from lsml_spark.flow import one_stage, pilot
from lsml_spark.jobs.__main__ import stage_of
import argparse

pipeline, date, root, settings = json.loads(sys.argv[2])

def job(stage, *more):
    sets = [*settings, *more]
    asked = argparse.Namespace(config=Path(pipeline), date=date, root=Path(root), set=sets)
    return one_stage.run(stage_of([stage]), asked)

def lsml(verb, *words, sets=()):
    settings = [word for one in sets for word in ("--set", one)]
    told = CliRunner().invoke(app, [verb, pipeline, *words, *settings, "--root", root])
    return [told.exit_code, told.output]

if len(sys.argv) > 3:
    print(json.dumps(lsml("pilot", "--date", date, sets=[*settings, "train.epochs=1"])))
    sys.exit()
found = {
    "arm": [pilot.BEFORE, pilot.ARM],
    "spark": module.SPARK_STAGES,
    "jobs": [job("audit"), job("weave")],
    "run": lsml("run", "--date", date, sets=settings),
    "status": lsml("status"),
    "verify": lsml("verify", "--date", date),
    "page": (Path(root) / "retail" / date / "report" / "night.html").read_text(),
}
found["wrong"] = [job("weave", "weave.wrong=1"), *lsml("verify", "--date", date)]
job("weave")
print(json.dumps(found))
"""


def told_by_a_process_with_two_stages_more(folder, root, *more):
    for name, (reads, table) in {"audit": ("quality", "clean"), "weave": ("shard", "train")}.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
        (folder / name / "run.py").write_text(textwrap.dedent(STAGE).format(reads=reads, table=table))
    words = [str(folder), json.dumps([str(RETAIL), NIGHT, str(root), SMALL]), *more]
    done = subprocess.run(
        [sys.executable, "-c", AMONG_THEM + PROGRAM, *words], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_stage_after_quality_and_one_before_train_are_two_rows_and_two_packages(nights, tmp_path):
    """Nothing beside them and the report is run again: the night is up to date for all others."""
    found = told_by_a_process_with_two_stages_more(tmp_path / "more", nights)
    before, arm = found["arm"]
    assert before == ["quality", "audit", "prepare", "zipf"]
    assert arm == ["select", "augment", "features", "shard", "weave", "train", "evaluate"]
    assert found["spark"] == list(SPARK_STAGES)
    assert found["jobs"] == [0, 0]
    code, output = found["run"]
    assert code == 0, output
    assert re.findall(r"(\w+) +up to date", output) == [
        "quality",
        "audit",
        *STAGES[1:7],
        "weave",
        *STAGES[7:-1],
    ]
    assert re.search(r"report +done in", output)
    assert {"audit", "weave"} <= set(found["status"][1].split())
    assert all(words in found["page"] for words in ("counts rows once more", "looks at the shards"))
    assert found["verify"][0] == 0, found["verify"][1]
    done, code, output = found["wrong"]
    assert (done, code) == (0, IntegrityError.exit_code)
    assert re.search(
        r"weave/manifest\.json: rows in: the files hold (\d+) rows, the ledger says", " ".join(output.split())
    )


@pytest.mark.slow
def test_every_arm_of_a_pilot_has_the_stage_before_train(nights, tmp_path):
    code, output = told_by_a_process_with_two_stages_more(tmp_path / "more", nights, "pilot")
    assert code == 0, output
    assert len(re.findall(r"weave +done in", output)) == 4


def test_the_way_of_the_data_is_drawn_through_all_stages():
    diagram = next(line for line in DOCS.read_text().splitlines() if line.strip().startswith("raw ▶"))
    assert re.findall(r"[▶═] (\w+)", diagram) == list(STAGES)
