"""Whatever bytes, text, YAML and names come: a documented exit code, one line, a balanced ledger, nothing
written elsewhere.

A few draws of each kind, always the same; LSML_FUZZ=12 in the environment tries twelve times as many, another
each time.
"""

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzz_days import CONTRACT, ODD, VALUES, changed, raw_file
from fuzz_site import DAY, DOCUMENTED, Site, throw
from hypothesis import strategies as st

pytestmark = pytest.mark.spark
QUALITY: dict[str, Any] = {
    "contract": CONTRACT,
    "columns": {
        "item": [{"complete": 0.5}, {"matches": "^[a-z]", "on_bad": "quarantine"}, {"length": {"high": 40}}],
        "n": [{"complete": 1.0, "on_bad": "quarantine"}, {"in_range": {"low": -10, "high": 1000}}, "finite"],
        "note": [{"one_of": ["a", "b"]}],
        "price": ["finite", {"outlier": {"above": 3.5}}],
    },
    "rows": [
        {"unique": ["item", "n"], "on_bad": "quarantine"},
        {"sql": "n < 900 OR item IS NULL", "name": "few"},
    ],
    "table": [{"rows": 1}, {"kept": 0.1}, "schema", {"fresh": {"within": "36h", "column": "when"}}],
}
TOY: dict[str, Any] = {
    "name": "toy",
    "seed": 1,
    "window": 2,
    "raw": {"folder": "raw", "files": "{{ date }}*"},
    "quality": QUALITY,
    "prepare": {
        "sql": "SELECT concat_ws(':', date, _file, _line) AS sample_id, item AS key, item AS label, date, n, "
        "note FROM clean",
    },
    "zipf": {},
    "select": {"policy": {"use": "zipf", "beta": 0.5}, "budget": 0.5},
    "augment": {"steps": []},
    "features": {"columns": {"label": "vocabulary", "n": "vocabulary", "note": "vocabulary"}},
    "shard": {"shards": 2},
    "train": {
        "model": "logistic",
        "epochs": 1,
        "batch": 8,
        "optimizer": {"use": "adagrad", "lr": 0.1},
        "workers": 1,
    },
    "evaluate": {"k": 1, "context": None, "baselines": ["popularity"]},
    "promote": {"tolerance": 0.01, "min_rows": 1},
    "report": {},
}


def tries(count: int) -> Callable[[Any], Any]:
    """A test that takes `examples`."""
    return pytest.mark.parametrize("examples", [count])


def two_days(site: Site) -> None:
    for day in (datetime.date.fromisoformat(DAY) - datetime.timedelta(1), DAY):
        (site.raw / f"{day}.csv").write_text(
            "item,n,note\n" + "".join(f"{'abcd'[i % 4]}{i % 3},{i},x{i % 5}\n" for i in range(40))
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sites")


@tries(4)
def test_a_day_of_any_files_is_checked_or_refused_and_what_is_left_of_it_can_be_looked_at(
    spark, folder, examples
):
    def hold(data: st.DataObject) -> None:
        how = data.draw(
            st.sampled_from(
                [
                    {},
                    {"multiline": True},
                    {"header": False},
                    {"encoding": "latin-1"},
                    {"delimiter": ";"},
                    {"trim": True},
                ]
            )
        )
        pipeline = {**TOY, "raw": {**TOY["raw"], **how}}
        with Site(folder, yaml.safe_dump(pipeline)) as site:
            for number, (end, content) in enumerate(data.draw(st.lists(raw_file(), min_size=1, max_size=3))):
                (site.raw / f"{DAY}-{number}{end}").write_bytes(content)
            ran = site.day("run", "--until", "quality", codes=(0, 2, 3))
            if ran.exit_code == 2:
                assert not list(site.root.rglob("manifest.json"))
                return
            site.day("verify", codes=(0,))
            site.day("status", codes=(0,))
            site.day("quality", "explain", codes=(0,))
            site.day("quarantine", "show", codes=(0, 2))
            held = site.folder / "held.csv"
            exported = site.day("quarantine", "show", "--csv", str(held), codes=(0, 2), writes=("held.csv",))
            if exported.exit_code == 0:
                site.day("quarantine", "release", "--repaired", str(held), codes=(2,))  # no row was mended
            site.day("report", codes=(0,))

    throw(hold, examples)


@tries(3)
def test_suggest_and_init_take_any_files(spark, folder, examples):
    def hold(data: st.DataObject) -> None:
        with Site(folder, "") as site:
            for number, (end, content) in enumerate(data.draw(st.lists(raw_file(), min_size=1, max_size=2))):
                (site.raw / f"{DAY}-{number}{end}").write_bytes(content)
            proposal, drafted = site.folder / "proposal.yaml", site.folder / "drafted.yaml"

            def makes(out: Path, *words: str) -> bool:
                words = (*words, str(site.raw), "--out", str(out))
                return site.lsml(*words, codes=(0, 2, 3), writes=(out.name,)).exit_code == 0

            if makes(proposal, "quality", "suggest"):
                sections = yaml.safe_load(proposal.read_text())
                site.pipeline.write_text(yaml.safe_dump({"name": "toy", "raw": TOY["raw"], **sections}))
                site.day("quality", "check", codes=(0, 3))  # what it writes, it reads
                if makes(drafted, "init"):
                    site.lsml("check", str(drafted), codes=(0,))

    throw(hold, examples)


@tries(6)
def test_any_mistakes_in_a_pipeline_are_refused_before_a_day_is_read(spark, folder, examples):
    def hold(data: st.DataObject) -> None:
        text = data.draw(changed(TOY))
        with Site(folder, text) as site:
            two_days(site)
            checked = site.lsml("check", str(site.pipeline), codes=(0, 2))
            if checked.exit_code == 0:
                site.day("run", "--until", "features", codes=(0, 2, 3, 8))
            site.day(
                *data.draw(
                    st.sampled_from(
                        [("status",), ("verify",), ("report",), ("quality", "explain"), ("ready",)]
                    )
                )
            )

    throw(hold, examples)


@tries(30)
def test_a_pipeline_of_any_text(folder, examples):
    letters = st.text(alphabet="abc:-{}[]&*!|>'\"%@`#,?\\ \n\t0.~é\x00\x85\ufeff", max_size=40)

    def hold(data: st.DataObject) -> None:
        text = data.draw(st.binary(max_size=60) | st.text(max_size=40) | letters)
        with Site(folder, text) as site:
            site.lsml("check", str(site.pipeline), codes=(2,))
            site.day("run", codes=(2,))

    throw(hold, examples)


@tries(15)
def test_any_names_of_files_folders_dates_stages_and_settings(folder, examples):
    word = st.one_of(
        VALUES,
        st.sampled_from([str(odd) for odd in ODD]),
        st.text(max_size=12),
        st.just(DAY),
        st.just("--date"),
    )

    def hold(data: st.DataObject) -> None:
        with Site(folder, yaml.safe_dump(TOY)) as site:
            name = data.draw(word).replace("\0", "").replace("/", "")[:40]
            for path in (site.raw / f"{DAY}{name}.csv", site.raw / name):
                if name not in ("", ".", "..") and not os.path.lexists(path):
                    path.mkdir() if data.draw(st.booleans()) else path.write_text("item,n\na,1\n")
            site.day("ready", codes=(0, 2, 3, 8))
            root = site.root / data.draw(word)[:40].strip("/")
            words = data.draw(
                st.sampled_from(
                    [
                        ["run", str(site.pipeline), "--date", data.draw(word), "--root", str(site.root)],
                        [
                            "run",
                            str(site.pipeline),
                            "--date",
                            DAY,
                            "--until",
                            data.draw(word),
                            "--root",
                            str(site.root),
                        ],
                        ["run", str(site.folder / data.draw(word)), "--date", DAY, "--root", str(site.root)],
                        ["check", str(site.pipeline), "--set", f"{data.draw(word)}={data.draw(word)}"],
                        ["check", str(site.pipeline), "--set", f"raw.files={data.draw(word)}"],
                        ["status", str(site.pipeline), "--root", str(root)],
                        ["verify", str(site.pipeline), "--date", data.draw(word), "--root", str(root)],
                        ["report", str(site.pipeline), "--date", data.draw(word), "--root", str(root)],
                        [
                            "quality",
                            "explain",
                            str(site.pipeline),
                            "--date",
                            data.draw(word),
                            "--root",
                            str(site.root),
                        ],
                        [
                            "quarantine",
                            "show",
                            str(site.pipeline),
                            "--date",
                            data.draw(word),
                            "--rule",
                            data.draw(word),
                            "--root",
                            str(site.root),
                        ],
                        ["quality", "suggest", str(site.raw / data.draw(word))],
                        [
                            "backfill",
                            str(site.pipeline),
                            "--from",
                            data.draw(word),
                            "--to",
                            DAY,
                            "--root",
                            str(site.root),
                        ],
                        ["show", str(site.raw / data.draw(word))],
                        ["init", str(site.raw / data.draw(word)), "--out", str(site.root / "x.yaml")],
                    ]
                )
            )
            site.lsml(*words, codes=DOCUMENTED)

    throw(hold, examples)


def test_the_toy_is_right(spark, folder):
    """Else every draw would be refused for the same reason."""
    with Site(folder, yaml.safe_dump(TOY)) as site:
        two_days(site)
        site.day("run", "--until", "features", codes=(0,))
        site.day("verify", codes=(0,))
