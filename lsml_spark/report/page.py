"""Jinja with everything escaped, JSON that cannot leave its `<script>`, and a Content-Security-Policy.

The policy allows the plotly file beside the page and one inline script by its hash, nothing from any network.
Plotly sets styles from script, hence 'unsafe-inline' for styles alone; `file:` is there because a page opened
from disk has no origin of its own.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lsml_spark.report import text

TEMPLATES = Path(__file__).with_name("templates")


def render(
    template: str,
    scripts: Sequence[str] = ("home.js", "charts.js"),
    styles: Sequence[str] = ("style.css",),
    **names: Any,
) -> bytes:
    """A page as UTF-8 with these assets inlined; equal names give equal bytes."""
    script = "".join(map(_asset, scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'self' file: 'sha256-{digest}'; style-src 'unsafe-inline'; img-src "
        "data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _environment().get_template(template)
    return page.render(
        policy=policy, style=Markup("".join(map(_asset, styles))), script=Markup(script), **names
    ).encode()


def as_json(value: Any) -> Markup:
    """JSON for a `<script>`: ASCII, with <, > and & as \\u escapes, so that no data can close the element."""
    plain = json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return Markup(plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@cache
def script_name() -> str:
    """The one script file of a site; the version in its name lets pages of two plotly versions live
    together.
    """
    # plotly takes a moment to import; only the report needs it
    from plotly.offline import get_plotlyjs_version

    return f"plotly-{get_plotlyjs_version()}.min.js"


@cache
def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _seen(value: Any) -> Any:
    """Whatever a template prints: what is not of our own making shows its control characters and the turns of
    its direction.
    """
    return text.seen(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (
        text.count,
        text.rows,
        text.counted,
        text.percent,
        text.decimal,
        text.signed,
        text.points,
        text.figure,
        text.change,
        text.visible,
        text.joined,
        text.unbroken,
        text.weekday,
        text.capital,
        text.written,
        as_json,
    ):
        environment.filters[write.__name__] = write
    environment.globals["plotly"] = script_name()
    return environment
