"""Takes the pictures of the report page again: ``python docs/take_screenshots.py``; needs Chromium on the path."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
ITEM = "#admits-it-cannot-remember"
SHOTS = (
    ("report-list", "", {"viewport": {"width": 1180, "height": 820}}),
    ("report-item", ITEM, {"viewport": {"width": 1180, "height": 820}}),
    ("report-trace-dark", ITEM, {"viewport": {"width": 1180, "height": 820}, "color_scheme": "dark"}),
    ("report-trace-phone", ITEM, {"viewport": {"width": 360, "height": 740}}),
)


def main() -> None:
    """Run the example and take every picture."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        sys.exit("There is no Chromium on the path. On Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "--refinery",
            f"--refinery-report={folder}",
            "-p",
            "no:cacheprovider",
        ]
        subprocess.run([*command, "examples/support_agent"], cwd=ROOT, check=False, stdout=subprocess.DEVNULL)  # noqa: S603
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        for name, anchor, window in SHOTS:
            page = browser.new_context(**window).new_page()
            page.goto(f"{Path(folder, 'index.html').as_uri()}{anchor}")
            if "trace" in name:
                page.locator(".item.shown .trace").evaluate("each => each.scrollIntoView()")
            page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
