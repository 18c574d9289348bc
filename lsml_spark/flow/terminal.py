"""The console of all screens: rich's own colours pass, escape codes of what is shown do not."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from lsml_spark.core.terminal import plain


class Terminal(Console):
    """A rich Console on which every text is plain, whatever it is wrapped in: strings, Text, cells of
    tables.
    """

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(plain(segment.text), segment.style)
