"""The site in headless Chromium, opened from disk: it draws, loads nothing, runs nothing of the data, fits
400 px.
"""

import html
import json
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest
from chromium import BROWSER, COMMON, chromium
from report_nights import before, full, quality, report

from lsml_spark.report.page import script_name
from lsml_spark.report.site import publish

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason="no chromium or google-chrome on the PATH (apt install chromium)"
    ),
]

QUIET = [*COMMON, "--disable-quic", "--enable-logging=stderr", "--virtual-time-budget=8000"]
DARK = "--blink-settings=preferredColorScheme=0"

# A frame of the wanted width around a page: a browser window cannot be made as narrow as a telephone.
FRAME = """<!doctype html><body style="margin:0">
<iframe id="f" src="{page}" style="border:0;width:{width}px;height:3000px"></iframe><script>
window.addEventListener("load", function () {{
  setTimeout(function () {{
    var inner = document.getElementById("f").contentDocument, root = inner.documentElement;
    document.body.dataset.measured = JSON.stringify({{
      scroll: root.scrollWidth, client: root.clientWidth, height: root.scrollHeight,
      plots: inner.querySelectorAll(".main-svg").length,
      background: getComputedStyle(inner.body).backgroundColor
    }});
  }}, 3000);
}});
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    last = full(runs, "2011-02-24", hostile=True)
    report(runs, "2011-02-24", last)
    report(runs, "2011-02-25", {**full(runs, "2011-02-25", hostile=True), **before(last)})
    report(
        runs,
        "2011-02-27",
        {"quality": quality(runs, "2011-02-27", failed="92.2 % of the rows were rejected")},
    )
    return publish(runs, "retail").parent


def browse(tmp_path: Path, url: str, *options: str) -> tuple[str, str]:
    """(stdout, stderr) of one visit with a fresh profile."""
    assert BROWSER is not None
    command = [BROWSER, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *options, url]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, done.stderr


def console(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if ":CONSOLE" in line]


def measured(tmp_path: Path, page: Path, width: int, *options: str) -> dict:
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(page=page.as_uri(), width=width))
    dom, stderr = browse(tmp_path, frame.as_uri(), "--dump-dom", *options)
    assert console(stderr) == []
    found = re.search(r'data-measured="([^"]*)"', dom)
    assert found, dom[-500:]
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize(
    ("name", "plots"), [("index.html", 2), ("2011-02-25.html", 4), ("2011-02-27.html", 0)]
)
def test_a_page_draws_its_charts_without_a_word_on_the_console(site, tmp_path, name, plots):
    dom, stderr = browse(tmp_path, (site / name).as_uri(), "--dump-dom")
    assert console(stderr) == []
    drawn = re.findall(r'<div class="plot[^"]*js-plotly-plot"', dom)
    assert len(drawn) == plots
    assert ('class="main-svg"' in dom) == (plots > 0)
    assert 'class="fallback"' not in dom


@pytest.mark.parametrize("name", ["index.html", "2011-02-25.html"])
def test_no_script_of_the_data_runs(site, tmp_path, name):
    dom, _ = browse(tmp_path, (site / name).as_uri(), "--dump-dom")
    assert "<title>owned" not in dom
    assert not re.search(r"<img\b", dom)
    assert "onerror=&quot;" in dom or "onerror=\"document.title='owned'\"&gt;" in dom  # it is there, as text


def asked_for(tmp_path: Path, page: Path) -> set[str]:
    """The URLs on the browser's network log that a page asked for; the browser's own requests have no
    origin.
    """
    log = tmp_path / "net.json"
    browse(tmp_path, page.as_uri(), "--dump-dom", f"--log-net-log={log}", "--net-log-capture-mode=Everything")
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    return {event["url"] for event in events if event.get("initiator", "not an origin") != "not an origin"}


@pytest.mark.parametrize("name", ["index.html", "2011-02-25.html"])
def test_nothing_but_the_page_and_its_script_is_asked_for(site, tmp_path, name):
    assert asked_for(tmp_path, site / name) == set()


def test_a_request_would_have_been_noticed(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><img src='http://canary.invalid/x.png'>")
    assert asked_for(tmp_path, page) == {"http://canary.invalid/x.png"}


def test_without_plotly_beside_it_a_page_opens_its_tables(site, tmp_path):
    alone = tmp_path / "alone.html"
    alone.write_bytes((site / "2011-02-25.html").read_bytes())
    dom, _ = browse(tmp_path, alone.as_uri(), "--dump-dom")
    assert f"This chart is drawn by {script_name()} beside this page, as it lies in the folder" in dom
    assert dom.count('<details open=""') == 2


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", ["index.html", "2011-02-25.html", "2011-02-27.html"])
def test_no_page_is_wider_than_its_window(site, tmp_path, name, width):
    found = measured(tmp_path, site / name, width, f"--window-size={width + 100},3000")
    assert found["client"] == width
    assert found["scroll"] <= width


def test_a_dark_screen_gets_a_dark_page(site, tmp_path):
    def lightness(*options: str) -> float:
        background = measured(tmp_path, site / "2011-02-25.html", 1280, *options)["background"]
        return sum(map(int, re.findall(r"\d+", background)[:3])) / 765

    assert lightness() > 0.9
    assert lightness(DARK) < 0.15


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
@pytest.mark.parametrize("name", ["index.html", "2011-02-25.html"])
def test_a_screenshot_is_not_blank(site, tmp_path, name, width, scheme):
    frame, picture = tmp_path / "frame.html", tmp_path / f"{name}-{width}-{scheme}.png"
    frame.write_text(FRAME.format(page=(site / name).as_uri(), width=width))
    options = [DARK] if scheme == "dark" else []
    browse(
        tmp_path, frame.as_uri(), f"--window-size={max(width, 500)},3000", f"--screenshot={picture}", *options
    )
    header = picture.read_bytes()[:24]
    assert struct.unpack(">II", header[16:24]) == (max(width, 500), 3000)
    assert picture.stat().st_size > 60_000  # a blank page of this size compresses to less than 20 kB


def test_a_page_prints(site, tmp_path):
    paper = tmp_path / "night.pdf"
    browse(
        tmp_path,
        (site / "2011-02-25.html").as_uri(),
        f"--print-to-pdf={paper}",
        "--no-pdf-header-footer",
        DARK,
    )
    assert paper.read_bytes().startswith(b"%PDF")


def test_a_page_that_lies_where_its_stage_wrote_it_has_charts_and_links_of_the_site(site, tmp_path):
    page = site.parent / "2011-02-25" / "report" / "night.html"
    dom, _ = browse(tmp_path, page.as_uri(), "--dump-dom")
    assert len(re.findall(r'<div class="plot[^"]*js-plotly-plot"', dom)) == 4
    assert 'href="../../site/2011-02-25.quality.html"' in dom
    assert 'href="../../site/index.html"' in dom


@pytest.mark.parametrize(
    "name", ["2011-02-25.html", "2011-02-25.quality.html", "2011-02-25.training.html", "index.html"]
)
def test_a_table_that_is_wider_than_its_place_says_so(site, tmp_path, name):
    with chromium(tmp_path / "profile") as page:
        for width in (400, 1280):
            page.open(site / name, width=width)
            page.eval("new Promise(done => setTimeout(done, 300))")
            cut = (
                "Array.from(document.querySelectorAll('.scroll')).filter(one => one.scrollWidth > "
                "one.clientWidth + 1)"
            )
            silent = page.eval(
                f"{cut}.filter(one => getComputedStyle(one, '::before').content.indexOf('right') < 0).length"
            )
            assert silent == 0, width
