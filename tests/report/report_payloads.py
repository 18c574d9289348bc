"""Texts that would run, load or rearrange something if a page took them for anything but text; each says so
in `document.title`.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from report_nights import as_name, before, full, history, make_stage, quality, report

from lsml_spark.core.ledger import Ledger
from lsml_spark.core.manifest import File, Table, describe
from lsml_spark.core.work import Source
from lsml_spark.report.run import Config
from lsml_spark.report.site import publish

RUN = "document.title=`owned`"
PAYLOADS = {
    "script": f"<script>{RUN}</script>",
    "handler": f"<img src=x onerror={RUN}>",
    "svg": f"<svg/onload={RUN}><animate onbegin={RUN} attributeName=x dur=1s>",
    "double_quotes": f'" autofocus tabindex=1 onfocus="{RUN}" x="',
    "single_quotes": f"' onmouseover='{RUN}' onfocus='{RUN}' autofocus x='",
    "end_of_script": f"</script><script>{RUN}</script>",
    "comment_in_script": f"<!--<script>{RUN}</script>--><!--",
    "url": f"javascript:{RUN}",
    "link": f"<a href='javascript:{RUN}' id=query>b</a>",
    "template": "{{7*7}}{% if 1 %}${7*7}#{7*7}<%=7*7%>",
    "entities": f"&lt;script&gt;{RUN}&lt;/script&gt;&#60;img src=x onerror={RUN}&#62;",
    "bidi": "\u202egnp.exe\u2066\u2069\u200f\u061c" + RUN,
    "line_ends": f"\u2028{RUN}\u2029//\n{RUN}\r\n\x00\x1b[31m\x85",
    "string_in_script": f"\\';{RUN};//\\\";{RUN};//`-{RUN}-`",
    "style": f"</style><style>*{{display:none}}@import "
             f"url(//canary.invalid/x)</style>;background:url(//canary.invalid/{RUN})",
    "frame": f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe><base href=//canary.invalid>',
    "half_parsed": "<noscript><p title=\"</noscript><img src=x "
                   f"onerror={RUN}>\"><math><mtext></p><style><!--</style>",
    "plotly": f"<b onclick={RUN}>%{{x}} $\\\\href{{javascript:{RUN}}}{{x}}$<br><a href='javascript:{RUN}'>",
}  # fmt: skip


def labelled(runs: Path, date: str, prepare: Source, label: str) -> Source:
    """The prepare folder with the day's labels to read, one of them this."""
    path = prepare.folder / "test" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"label": [label, "a", "a"]})
    pq.write_table(table, path)
    found = describe(prepare.folder, path)
    test = Table({"label": "string"}, 3, "3" * 16, [File(found.path, found.bytes, found.checksum, 3, [3])])
    made = prepare.manifest
    config = {"sql": f"SELECT `Gift {label}` AS label, StockCode AS key"}
    return make_stage(
        runs,
        date,
        "prepare",
        made.ledger,
        tables={**made.tables, "test": test},
        inputs=made.inputs,
        config=config,
    )


def hostile_site(
    runs: Path, evil: str, dates: tuple[str, str, str] = ("2011-02-24", "2011-02-25", "2011-02-27")
) -> Path:
    """A site whose every field that a user or the data can name holds `evil`: two whole nights with history,
    and a stopped one.
    """
    first, second, stopped = dates
    past = history(runs, [f"2011-01-{day:02}" for day in range(3, 10)], hostile=evil)
    last = full(runs, first, hostile=evil)
    last["prepare"] = labelled(runs, first, last["prepare"], evil)
    report(runs, first, last, Config(title=f"Shop {evil}"))
    night = full(runs, second, hostile=evil, promoted=False)
    night["prepare"] = labelled(runs, second, night["prepare"], f"{evil} too")
    report(runs, second, {**night, **before(last), **past}, Config(title=f"Shop {evil}"))
    held = {
        "quality": quality(runs, stopped, failed=f"a column {evil} is new", hostile=evil),
        "champion": last["train"],
        **past,
    }
    report(runs, stopped, held, Config(title=f"Shop {evil}"))
    # a day of which there is no report yet
    quality(runs, "2011-03-01", failed=f"{as_name(evil)}: {evil}", hostile=evil)
    make_stage(runs, "2011-01-02", "quality", Ledger(), {"failed": f"history {evil}"})
    return publish(runs, "retail").parent
