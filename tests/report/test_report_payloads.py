"""Whatever a file, column, key, label, rule or YAML is called, it is text on every page: no element,
attribute, URL or script is its own.

The proof is by comparison: the pages of nights whose names are a harmless word have the same elements,
attributes and scripts.
"""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from chromium import BROWSER, chromium
from report_payloads import PAYLOADS, hostile_site

from lsml_spark.report.text import seen

# attributes that hold words; their place is compared, not their text
SHOWN = ("data-label", "aria-label", "title", "placeholder")
HARMLESS = "harmless"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Skeleton(HTMLParser):
    """A page without its words: `parts` are tags with their attributes, and scripts; `words` are what was
    left out.
    """

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.parts: list[Any] = []
        self.words: list[str] = []
        self._script = ""
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, [(name, "…" if name in SHOWN else value) for name, value in attrs]))
        self.words += [str(value) for name, value in attrs if name in SHOWN]
        self._script = tag if tag in ("script", "style") else ""
        if tag == "script" and ("type", "application/json") in attrs:
            self._script = "json"

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(("/", tag))
        self._script = ""

    def handle_comment(self, data: str) -> None:
        self.parts.append(("comment", data))

    def handle_data(self, data: str) -> None:
        if self._script == "json":
            assert not set("<>&\u2028\u2029") & set(data)
            value = json.loads(data)
            self.parts.append(names(value))
            self.words += texts(value)
        elif self._script:
            self.parts.append(data)
        else:
            self.words.append(data)


def names(value: Any) -> set[str]:
    """Every name of the JSON; its texts and figures (lengths of texts among them) are free."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set(value if isinstance(value, dict) else ()).union(*map(names, inside))


def texts(value: Any) -> Iterator[str]:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(item)
    if isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Skeleton]:
    return skeletons(hostile_site(tmp_path_factory.mktemp("harmless"), HARMLESS))


def skeletons(site: Path) -> dict[str, Skeleton]:
    return {path.name: Skeleton(path.read_bytes()) for path in sorted(site.glob("*.html"))}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_name_that_is_code_changes_no_element_attribute_or_script_of_any_page(name, harmless, tmp_path):
    site = hostile_site(tmp_path, PAYLOADS[name])
    found = skeletons(site)
    assert set(found) == set(harmless)
    for page, skeleton in found.items():
        assert skeleton.parts == harmless[page].parts, page
        unseen = UNSEEN.findall((site / page).read_bytes().decode())
        assert unseen == [], page
    shown = "".join(found["2011-02-25.html"].words)
    assert shown.count(seen(PAYLOADS[name])) > 20  # it is there, as text


def test_the_harmless_word_stands_in_every_field_that_can_be_named(harmless):
    """Else the comparison would prove nothing of that field."""
    night, quality = ("".join(harmless[f"2011-02-25{page}"].words) for page in (".html", ".quality.html"))
    for field in (
        "Shop harmless",  # title of the YAML
        "odd <b>harmless",  # reason of the ledger
        "check harmless", "held harmless", "column harmless", "message harmless", "column harmless appeared",
        "2011-02-25harmless",  # file
        "not merchandise (postage, fees)harmless",  # reason of SQL
        "100+harmless",  # band
        "2011-02-24harmless",  # champion, start
        "in band 2–9 fell by 0.021, more than 0.01harmless",  # reason of the promotion
        "libraryharmless", "1.0harmless", "pipelines/harmless.yaml", "raw.folder=harmless",
    ):  # fmt: skip
        assert field in night, field
    for field in ("harmless too", "column harmless", "held harmless", "Shop harmless"):
        assert field in quality, field
    training, selection = (
        "".join(harmless[f"2011-02-25.{page}.html"].words) for page in ("training", "selection")
    )
    assert all(
        field in training
        for field in ("bf16harmless", "cpuharmless", "row group 3harmless", "page 2 is damagedharmless")
    )
    assert all(field in selection for field in ("2011-02-24harmless", "budget_asked harmless"))
    assert "history harmless" in "".join(harmless["index.html"].words)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH (apt install chromium)")
def test_no_payload_runs_or_loads_anything_in_a_browser_even_without_the_policy(tmp_path):
    """The policy of the pages would stop most of them: here the escaping stands alone."""
    with chromium(tmp_path / "profile") as page:
        for name, evil in PAYLOADS.items():
            site = hostile_site(tmp_path / name, evil)
            for path in [site / f"2011-02-25{kind}.html" for kind in ("", ".quality", ".selection")]:
                text = path.read_bytes().decode()
                path.write_bytes(
                    re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text).encode()
                )
                page.said.clear()
                page.open(path)
                touch(page)
                assert page.eval("document.title").startswith("Shop "), (name, path.name)
                assert page.eval("window.owned") is None
                assert page.said == [], (name, path.name)
                asked = [url for url in page.asked if not url.startswith((site.as_uri(), "about:", "data:"))]
                assert asked == [], (name, path.name)


def touch(page: Any) -> None:
    """Open all that is folded, every column's panel, and point at the first place of every chart."""
    page.eval("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.eval(
        "document.querySelectorAll('.js-plotly-plot').forEach(one => one.data.forEach((_, curve) => {"
        " try { Plotly.Fx.hover(one, [{curveNumber: curve, pointNumber: 0}]); } catch (error) {} }))"
    )
    for column in range(page.eval("document.querySelectorAll('.columns tbody tr').length")):
        page.eval(f"location.hash = 'column-{column}'; new Promise(done => setTimeout(done, 10))")
    page.eval("document.querySelectorAll('[tabindex], a, input, summary').forEach(one => one.focus())")
