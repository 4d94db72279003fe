"""A real Chromium, headless, which may reach nothing but files of this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from pytest_refinery.reports.page import render as page
from pytest_refinery.reports.page.kept import Kept
from tests import reported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from pytest_refinery.analysis.records import Report

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The distribution's browser, closed with the module: as long as it is open, no other event loop can run."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"no browser on the path, looked for {', '.join(_NAMES)}; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*_FLAGS])
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page that was opened, and what it did that no page should."""

    page: Page
    address: str
    said: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def go(self, anchor: str) -> None:
        """Follow a deep link, as from somewhere else."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}{anchor}")

    def texts(self, selector: str) -> list[str]:
        """Return the texts of what can be seen."""
        return [each.inner_text() for each in self.page.locator(selector).filter(visible=True).all()]

    def shows(self, selector: str, *texts: str) -> None:
        """Wait until these texts, and no others, can be seen: browsers tell of a new address a moment later."""
        expect(self.page.locator(selector).filter(visible=True)).to_have_text([*texts])

    def focused(self) -> str:
        """Return the text of what has the focus."""
        return str(self.page.evaluate("document.activeElement.innerText || document.activeElement.name || ''"))


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Open the page about a report in a window of its own; whatever it logs or requests fails the test."""
    windows: list[Opened] = []

    def opened(
        report: Report | None = None,
        pictures: Mapping[str, str] | None = None,
        anchor: str = "",
        **window: Any,  # noqa: ANN401  (as playwright's)
    ) -> Opened:
        report = report or reported.report()
        pictures = {report.expectations[0].nodeid: reported.picture()} if pictures is None else pictures
        path = tmp_path / "index.html"
        path.write_text(page.render(report, Kept(pictures)), encoding="utf-8")
        window.setdefault("viewport", {"width": 1280, "height": 900})
        found = Opened(chromium.new_context(**window).new_page(), path.as_uri())
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("dialog", lambda dialog: found.said.append(dialog.message))
        found.page.on("request", lambda request: found.requested.append(request.url))
        windows.append(found)
        found.page.goto(f"{found.address}{anchor}")
        return found

    yield opened
    for window in windows:
        window.page.context.close()
        assert window.said == []
        assert {url for url in window.requested if not url.startswith(("file:", "about:", "data:,"))} == set()
