"""The documentation as a site: built without warnings, no dead link in it, and readable for all."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built as `make docs-site` and Read the Docs build it: a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--nitpicky", "--keep-going", "--quiet", "--builder", "html"]
    command = [sys.executable, "-m", "sphinx", *options, "--doctree-dir", str(folder / "trees"), str(DOCS)]
    done = subprocess.run([*command, str(folder / "html")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


class _Page(HTMLParser):
    """What a page of HTML links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.links |= {found[name] for name in ("href", "src") if name in found}
        self.ids |= {found["id"]} if "id" in found else set()


def test_every_page_is_in_the_navigation(site: Path) -> None:
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")} - {"index"}
    shown = _Page(site / "index.html").links
    assert {page for page in pages if f"{page}.html" not in shown} == set()


def test_no_link_within_the_site_is_dead(site: Path) -> None:
    pages = {path: _Page(path) for path in site.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].ids if target in pages else {parts.fragment}
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in anchors):
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


def test_links_into_the_repository_lead_to_files(site: Path) -> None:
    prefix = "https://github.com/pytest-refinery/pytest-refinery/blob/main/"
    links = {link for path in site.rglob("*.html") for link in _Page(path).links if link.startswith(prefix)}
    assert links
    paths = {urlsplit(link).path.partition("/blob/main/")[2] for link in links}
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_the_schema_of_expectation_files_is_published(site: Path) -> None:
    schema = json.loads((site / "refinery.schema.json").read_text(encoding="utf-8"))
    file = ROOT / "examples" / "support_agent" / "expectations" / "memory.refinery.yaml"
    jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), schema)


def test_the_schema_of_reports_is_published(site: Path) -> None:
    assert (site / "report.schema.json").read_bytes() == (DOCS / "reference" / "report.schema.json").read_bytes()


def test_language_models_find_every_page_as_markdown(site: Path) -> None:
    listed = (site / "llms.txt").read_text(encoding="utf-8")
    sources = {path.relative_to(site).as_posix() for path in site.glob("_sources/**/*.md.txt")}
    assert {source for source in sources if f"/{source})" not in listed} == {"_sources/index.md.txt"}


def test_the_python_api_is_described(site: Path) -> None:
    names = _Page(site / "reference" / "api.html").ids
    assert {
        "pytest_refinery.record",
        "pytest_refinery.hookspecs.pytest_refinery_check",
        "pytest_refinery.traces.model.Trace",
        "pytest_refinery.analysis.schemas.Diagnosis",
        "pytest_refinery.errors.TraceError",
    } <= names


def test_axe_finds_nothing_serious_on_the_main_pages(site: Path, chromium: Browser) -> None:
    found = {}
    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme)
        for name in ("index", "tutorial", "how-to/install"):
            page = context.new_page()
            page.goto((site / f"{name}.html").as_uri())
            violations = Axe().run(page).response["violations"]
            found[scheme, name] = [
                (each["id"], each["nodes"][0]["html"]) for each in violations if each["impact"] in SERIOUS
            ]
        context.close()
    assert {where: violations for where, violations in found.items() if violations} == {}
