"""README.md and docs/: short lines, links that lead somewhere, and no page that is older than its source."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from documented import PAGES, REPO, blocks

from lsml_spark.core.stages import STAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_line_is_longer_than_110(page):
    assert [line for line in page.read_text().splitlines() if len(line) > 110] == []


def test_the_readme_is_read_in_five_minutes():
    assert len((REPO / "README.md").read_text().splitlines()) <= 110


@pytest.mark.parametrize("maker", ["make_reference", "make_measured"])
def test_what_make_docs_writes_is_not_stale(maker):
    """Of the Config classes, and of benchmarks/results."""
    words = [sys.executable, "-W", "ignore", str(REPO / "docs" / f"{maker}.py"), "--check"]
    # A Spark session that another test started keeps folders of scripts off the path, and these lie side by
    # side.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environ)
    assert done.returncode == 0, done.stderr


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub names them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_into_a_page_lead_to_a_heading(page):
    links = re.findall(r"\]\(([^)#:]*\.md|)#([^)]*)\)", page.read_text())
    assert [
        f"{to}#{name}" for to, name in links if name not in anchors(page.parent / to if to else page)
    ] == []


def test_every_stage_has_its_screen_in_how_it_works():
    heads = re.findall(r"^## (\w+)$", (REPO / "docs/how_it_works.md").read_text(), re.MULTILINE)
    assert heads == list(STAGES)


def test_the_plan_names_every_folder():
    text = (REPO / "docs/architecture.md").read_text()
    named = set(re.findall(r"`([\w/]+)/`", text[text.index("## Folders") : text.index("## A stage")]))
    house = REPO / "lsml_spark"
    assert named == {str(path.parent.relative_to(house)) for path in house.glob("**/__init__.py")} - {"."}


def test_the_pipeline_that_the_readme_explains_is_the_shipped_one():
    (printed,) = blocks(REPO / "README.md", "yaml")
    shipped = yaml.safe_load((REPO / "pipelines/retail.yaml").read_text())
    assert part(yaml.safe_load(printed), shipped)


def part(some: object, whole: object) -> bool:
    """Whether each key of the one has the same value in the other."""
    if isinstance(some, dict) and isinstance(whole, dict):
        return all(key in whole and part(value, whole[key]) for key, value in some.items())
    return some == whole


def test_the_pictures_are_small():
    pictures = [*(REPO / "docs").glob("*.png"), *(REPO / "docs/measured").glob("*.svg")]
    assert len(pictures) > 2
    assert [path.name for path in pictures if path.stat().st_size >= 200_000] == []
