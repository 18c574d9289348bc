"""What operators do to roots, rules and raw days between two nights, on a pipeline of three columns."""

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from fuzz_site import Site

from lsml_spark.flow.pipeline import Pipeline

pytestmark = pytest.mark.spark
FIRST, SECOND, THIRD = "2011-02-01", "2011-02-02", "2011-02-03"
TOY = {
    "name": "toy",
    "window": 2,
    "raw": {"folder": "raw", "files": "{{ date }}.csv"},
    "quality": {
        "contract": {"item": "string", "n": "int"},
        "columns": {"item": [{"complete": 1.0, "on_bad": "quarantine"}]},
    },
    "prepare": {
        "sql": "SELECT concat(date, ':', _line) AS sample_id, item AS key, item AS label, date, n FROM clean"
    },
}


def day_of(site: Site, date: str, rows: int = 6) -> None:
    (site.raw / f"{date}.csv").write_text("item,n\n" + "".join(f"{'ab'[i % 2]},{i}\n" for i in range(rows)))


def manifest_of(site: Site, date: str, stage: str) -> dict:
    return json.loads((site.root / "toy" / date / stage / "manifest.json").read_text())


@pytest.mark.parametrize("name", ["a*b[1]{c,d}?", "back\\slash ü %20#"])
def test_nights_below_a_root_of_any_name_read_their_own_rows_and_verify(spark, tmp_path, name):
    with Site(tmp_path, yaml.safe_dump(TOY)) as site:
        # the first is one that the other would match, were it a pattern
        for root, rows in (("aXb1c?", 5), (name, 9)):
            site.root = site.folder / "runs" / root
            for date in (FIRST, SECOND):
                day_of(site, date, rows)
            site.day("run", "--until", "prepare", date=SECOND, codes=(0,))
            assert manifest_of(site, SECOND, "prepare")["ledger"]["rows_in"] == 2 * rows
        for words in (("verify",), ("quality", "explain"), ("report",)):
            site.day(*words, date=SECOND, codes=(0,))


def test_a_root_that_hadoop_cannot_spell_is_refused_before_anything_is_written(tmp_path):
    with Site(tmp_path, yaml.safe_dump(TOY)) as site:
        day_of(site, FIRST)
        for name in ("a:b*", "caf\udce9"):
            site.root = site.folder / "runs" / name
            for words in (("run", "--until", "quality"), ("status",), ("verify",)):
                assert "rename it" in site.day(*words, codes=(2,)).output
        assert not (site.folder / "runs").exists()


def test_a_window_whose_days_were_checked_by_other_rules_is_checked_again_or_said(spark, tmp_path):
    with Site(tmp_path, yaml.safe_dump(TOY)) as site:
        for date in (FIRST, SECOND, THIRD):
            day_of(site, date)
        site.day("run", "--until", "prepare", date=SECOND, codes=(0,))
        stricter = "quality.columns.item=[{one_of: [a], on_bad: quarantine}]"
        # raw days are there: checked again
        site.day("run", "--until", "prepare", "--set", stricter, date=SECOND, codes=(0,))
        assert [manifest_of(site, date, "quality")["ledger"]["rows_out"] for date in (FIRST, SECOND)] == [
            3,
            3,
        ]

        (site.raw / f"{FIRST}.csv").unlink()  # rotated away
        wider = {**TOY["quality"]["contract"], "more": {"type": "double", "required": False}}
        sets = (
            "--set",
            f"quality.contract={json.dumps(wider)}",
            "--set",
            f"prepare.sql={TOY['prepare']['sql'].replace('n FROM', 'n, more FROM')}",
        )
        ran = site.day("run", "--until", "prepare", *sets, date=SECOND, codes=(0,))
        assert f"{FIRST}, a day of the window, was checked under other rules" in ran.output, ran.output
        assert manifest_of(site, SECOND, "prepare")["ledger"]["rows_in"] == 3 + 6
        folder = site.root / "toy" / SECOND / "prepare" / "train"
        assert set(pq.read_table(folder)["more"].to_pylist()) == {None}
        assert f"raw/{FIRST}.csv: missing" in site.day("verify", date=SECOND, codes=(6,)).output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"spark": {"spark": {"driver": {"memory": "1g"}}}},
            "spark: spark: a mapping is no value of a Spark property",
        ),
        ({"spark": ["a"]}, "spark"),
        ({"spark": {"spark.x": [1]}}, "spark.x"),
        ({"raw": {"folder": "raw", "files": "${HOME:-${X}}"}}, "raw.files"),
        ({"raw": {"folder": "raw", "files": ""}}, "raw.files"),
        ({"raw": {"folder": "raw", "files": "/etc/*"}}, "raw.files"),
        ({"raw": {"folder": "raw", "files": "*.csv"}}, "every day would get the same files"),
    ],
)
def test_a_key_that_cannot_be_is_named(tmp_path, change, said):
    with Site(tmp_path, yaml.safe_dump({**TOY, **change})) as site:
        day_of(site, FIRST)
        for words in (("run", "--until", "quality"), ("ready",)):
            result = site.day(*words, codes=(2,))
            assert said in result.output, result.output


def test_a_day_that_spark_is_still_writing_is_not_there_yet(tmp_path):
    with Site(tmp_path, yaml.safe_dump({**TOY, "raw": {"folder": "raw", "files": "{{ date }}.csv"}})) as site:
        (site.raw / f"{FIRST}.csv" / "_temporary").mkdir(parents=True)
        assert "not there yet" in site.day("ready", codes=(8,)).output
        (site.raw / f"{FIRST}.csv" / "_temporary").rmdir()
        (site.raw / f"{FIRST}.csv" / "part-0.csv").write_text("k,v\n")
        assert "1 raw file" in site.day("ready", codes=(0,)).output


def test_a_folder_that_links_to_itself_gives_no_row_twice(tmp_path):
    with Site(
        tmp_path, yaml.safe_dump({**TOY, "raw": {"folder": "raw", "files": "**/{{ date }}.csv"}})
    ) as site:
        day_of(site, FIRST)
        (site.raw / "loop").symlink_to(site.raw)
        found = [path.name for path in Pipeline(site.pipeline).raw_files(datetime.date.fromisoformat(FIRST))]
        assert found == [f"{FIRST}.csv"]


@pytest.mark.slow
def test_verify_holds_no_raw_file_as_a_whole(spark, tmp_path):
    with Site(tmp_path, yaml.safe_dump({**TOY, "quality": {"contract": TOY["quality"]["contract"]}})) as site:
        (site.raw / f"{FIRST}.csv").write_text("item,n\n" + f"{'x' * 1000},1\n" * 150_000)
        site.day("run", "--until", "quality", codes=(0,))
        code = (
            "import resource, sys\nfrom typer.testing import CliRunner\nfrom lsml_spark.cli.main import app\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nresult = CliRunner().invoke(app, "
            "sys.argv[1:])\n"
            "print(result.exit_code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
        )
        words = ["verify", str(site.pipeline), "--root", str(site.root)]
        said = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        ).stdout
        exit_code, grown = map(int, said.split())
        assert exit_code == 0
        assert grown < 100_000, f"{grown} kB more for 150 MB"


@pytest.mark.slow
def test_a_root_of_other_letters_is_refused_where_cron_gives_no_language_and_no_other_is_made(tmp_path):
    root = tmp_path / "rü漢ns"
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(yaml.safe_dump(TOY))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / f"{FIRST}.csv").write_text("item,n\na,1\nb,2\n")
    job = Path(__file__).parents[2] / "jobs" / "quality.py"
    submit = Path(sys.executable).with_name("spark-submit")
    bare = {name: value for name, value in os.environ.items() if name in ("HOME", "JAVA_HOME")}
    bare |= {"PATH": f"{submit.parent}:{os.environ['PATH']}", "PYSPARK_PYTHON": sys.executable}
    words = [
        str(submit),
        "--master",
        "local[1]",
        str(job),
        "--config",
        str(pipeline),
        "--date",
        FIRST,
        "--root",
        str(root),
    ]
    ran = subprocess.run(words, env=bare, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 2, ran.stderr[-2000:]
    # where spark-submit puts all that Python says
    assert "spark-submit could not read a letter; call it with LC_ALL=C.UTF-8" in ran.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.yaml", "raw"]
    ran = subprocess.run(
        words, env={**bare, "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=300
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.yaml", "raw", "rü漢ns"]
