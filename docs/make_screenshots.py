"""Takes the README's two pictures of the report, docs/report-*.png, of the last night of a site.

    make demo && python docs/make_screenshots.py [runs/retail/site]

Needs Chromium or Chrome on the PATH; where there is none it says so and leaves the pictures as they are.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
PAGES = {
    "": "report-night.png",
    ".quality": "report-quality.png",
}  # what stands behind a night's date in the page's name
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
    ),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=8000", "--window-size=1280,1280"),
)


def take(browser: str, page: Path, picture: Path) -> None:
    """The first screen of a page; 64 colours are enough for it, and a third of the bytes."""
    with tempfile.TemporaryDirectory() as profile:
        whole = Path(profile) / "whole.png"
        words = [
            browser,
            *QUIET,
            f"--user-data-dir={profile}",
            f"--screenshot={whole}",
            page.resolve().as_uri(),
        ]
        subprocess.run(words, check=True, stderr=subprocess.DEVNULL, timeout=120)
        with Image.open(whole) as drawn:
            drawn.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(picture, optimize=True)
    print(f"{picture}: {picture.stat().st_size:,} bytes, of {page}")


def main() -> None:
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/retail/site")
    nights = sorted(site.glob("????-??-??.quality.html"))
    if not nights:
        sys.exit(f"{site}: holds no page of a night; `make demo` makes some")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"no browser on the PATH ({', '.join(BROWSERS)}): the pictures stay; `apt install chromium`")
    date = nights[-1].name.split(".")[0]
    for kind, picture in PAGES.items():
        take(browser, site / f"{date}{kind}.html", DOCS / picture)


if __name__ == "__main__":
    main()
