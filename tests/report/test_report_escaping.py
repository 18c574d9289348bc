"""Whatever stands in the data, the page holds only the elements of its templates and loads nothing from any
network.
"""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_nights import EVIL, before, full, quality, report

from lsml_spark.report.page import as_json, script_name
from lsml_spark.report.site import publish
from lsml_spark.report.text import chart_text, visible

ALLOWED = {
    "html",
    "head",
    "meta",
    "title",
    "link",
    "style",
    "body",
    "a",
    "header",
    "p",
    "time",
    "main",
    "section",
    "svg",
    "circle",
    "path",
    "rect",
    "div",
    "h1",
    "h2",
    "h3",
    "ul",
    "li",
    "span",
    "bdi",
    "small",
    "br",
    "nav",
    "figure",
    "figcaption",
    "b",
    "ol",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "i",
    "details",
    "summary",
    "dl",
    "dt",
    "dd",
    "pre",
    "code",
    "script",
    "search",
    "label",
    "input",
    "noscript",
}


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of every script."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        else:
            self.words.append(data)


@pytest.fixture(scope="module")
def hostile_pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    runs = tmp_path_factory.mktemp("runs")
    last = full(runs, "2011-02-24", hostile=True)
    report(runs, "2011-02-24", last)
    report(runs, "2011-02-25", {**full(runs, "2011-02-25", hostile=True), **before(last)})
    stopped = {"quality": quality(runs, "2011-02-27", failed=f"a column {EVIL} is new", hostile=True)}
    report(runs, "2011-02-27", stopped)
    site = publish(runs, "retail").parent
    return {path.name: path.read_bytes() for path in site.glob("*.html")}


def test_the_markup_of_the_data_is_shown_as_text(hostile_pages):
    for name, page in hostile_pages.items():
        assert EVIL in "".join(Elements(page).words), f"{name} does not show the value, or not unchanged"
    shown = "".join(Elements(hostile_pages["2011-02-25.html"]).words)
    # descriptions, reasons, checks, columns, messages, drift, policy and the first key
    assert shown.count(EVIL) > 20


def test_only_elements_of_the_templates_are_on_the_page(hostile_pages):
    for name, page in hostile_pages.items():
        found = Elements(page)
        assert {tag for tag, _ in found.tags} <= ALLOWED, name
        handlers = [key for _, attributes in found.tags for key in attributes if key.startswith("on")]
        assert handlers == [], name


def test_the_scripts_are_data_the_plotly_file_and_the_one_that_the_policy_names(hostile_pages):
    for name, page in hostile_pages.items():
        found = Elements(page)
        data = [
            script for attributes, script in found.scripts if attributes.get("type") == "application/json"
        ]
        code = [(attributes, script) for attributes, script in found.scripts if "type" not in attributes]
        assert len(data) + len(code) == len(found.scripts), name
        if not name.endswith(".quality.html"):
            assert code.pop(0) == ({"src": script_name()}, ""), name
        assert len(code) == 1, name
        policy = next(attributes["content"] for tag, attributes in found.tags if "http-equiv" in attributes)
        digest = base64.b64encode(hashlib.sha256(code[0][1].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
        assert "unsafe-eval" not in policy
        assert "default-src 'none'" in policy
        for text in data:
            assert not set("<>&\u2028\u2029") & set(text)
            json.loads(text)


def test_nothing_is_loaded_from_a_network(hostile_pages):
    for name, page in hostile_pages.items():
        for tag, attributes in Elements(page).tags:
            for key in ("src", "href", "action", "srcset", "data", "poster"):
                if key in attributes:
                    target = attributes[key] or ""
                    assert re.fullmatch(r"#[\w-]+|data:,|[\w.-]+\.(html|js|json)(#column-\d+)?", target), (
                        f"{name}: <{tag} {key}={target}>"
                    )
        style = b"".join(re.findall(rb"<style>.*?</style>", page, re.DOTALL))
        assert b"url(" not in style
        assert b"@import" not in style


def test_a_file_is_named_without_its_folder_and_control_characters_are_seen(hostile_pages):
    page = hostile_pages["2011-02-25.html"].decode()
    assert "secret-folder" not in page
    assert re.search(r">2011-02-25[^<]*\.csv\.gz<", page)
    assert "Nul␀, tab␉, ⟨U+202E⟩right-to-left" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", page)


@pytest.mark.parametrize(
    "text", ["</script>", "<!--", "\u2028\u2029", "&lt;", "]]>", "\ud800", 'a"b\\', "é<"]
)
def test_json_cannot_leave_its_script_and_reads_back_as_it_was(text):
    written = as_json({"text": text})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"text": text}


def test_plotly_reads_no_tag_and_no_entity_from_a_label():
    assert (
        chart_text("<a href='javascript:x'>b</a> &amp;")
        == "&lt;a href=&#39;javascript:x&#39;&gt;b&lt;/a&gt; &amp;amp;"
    )


def test_long_values_are_cut_and_say_so():
    assert visible("x" * 1000) == "x" * 200 + "… (+800 characters)"


def test_scripts_write_text_and_never_markup():
    folder = Path(report.__globals__["run"].__code__.co_filename).with_name("templates")
    for script in folder.glob("quality*.js"):
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new "
            r"Function|createContextualFragment",
            script.read_text(),
        )
        assert found == [], script.name


def test_templates_have_no_inline_handlers_and_no_unescaped_output():
    folder = Path(report.__globals__["run"].__code__.co_filename).with_name("templates")
    for template in folder.glob("*.html"):
        text = template.read_text()
        assert not re.search(r"\son\w+=", text), template.name
        assert not re.search(r"\|\s*safe\b|autoescape", text), template.name
