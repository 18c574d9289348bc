"""Writes docs/measured.md, its pictures and the README's claims from claims_*.py: `make docs`."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from claim import Claim
from claims_data import reading, scale, select_on_spark, shuffles, streams, verifying, writing
from claims_training import selection, spark_ml, training, ways
from pages import between, wrapped, write_or_check

REPO = Path(__file__).resolve().parents[1]
PAGE, PICTURES, README = REPO / "docs/measured.md", REPO / "docs/measured", REPO / "README.md"
CLAIMS = (
    reading,
    streams,
    training,
    spark_ml,
    selection,
    select_on_spark,
    writing,
    verifying,
    ways,
    scale,
    shuffles,
)
OURS, OTHERS, INK = "#1f6f8b", "#aab2ba", "#24292f"


def picture(claim: Claim) -> str:
    """Horizontal bars as SVG, ours dark."""
    values = [value for _, value in claim.bars]
    least = min(values) / 3 if claim.log else 0.0
    top = max(values)

    def width(value: float) -> float:
        return 380 * (math.log(value / least) / math.log(top / least) if claim.log else max(value, 0) / top)

    named = any(label.startswith("lsml") for label, _ in claim.bars)  # ours among others, or all are ours
    lines = []
    for number, (label, value) in enumerate(claim.bars):
        y = 40 + 28 * number
        colour = OURS if label.startswith("lsml") or not named else OTHERS
        shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        lines += [
            f'<text x="250" y="{y + 14}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="260" y="{y}" width="{width(value):.1f}" height="20" fill="{colour}"/>',
            f'<text x="{266 + width(value):.1f}" y="{y + 14}">{shown.replace("-", "−")}</text>',
        ]
    height = 48 + 28 * len(claim.bars)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" font-family="sans-serif" '
        f'font-size="13" fill="{INK}">\n<rect width="720" height="{height}" fill="white"/>\n'
        f'<text x="10" y="22">{escape(claim.axis.replace("`", ""))}</text>\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def section(claim: Claim) -> str:
    script = claim.source.get("command", f"python benchmarks/{claim.name}.py").split()[1]
    source = wrapped(f"By [{Path(script).name}](../{script}), {claim.source['machine']}.")
    parts = [
        f"## {claim.title}",
        wrapped(claim.sentence),
        f"![{claim.axis}](measured/{claim.name}.svg)",
        table(claim.table),
        wrapped(claim.more) if claim.more else "",
        source,
    ]
    return "\n\n".join(filter(None, parts))


def pages() -> dict[Path, str]:
    """Every file that this module writes, with its text."""
    claims = [claim() for claim in CLAIMS]
    listed = "\n".join(wrapped(f"- {claim.sentence}", rest="  ") for claim in claims if claim.in_readme)
    return {
        PAGE: between(PAGE, "measured", "\n\n".join(section(claim) for claim in claims)),
        README: between(README, "measured", listed),
    } | {PICTURES / f"{claim.name}.svg": picture(claim) for claim in claims}


if __name__ == "__main__":
    write_or_check(pages())
