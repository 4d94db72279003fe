"""The site: these pages as they are, the reference of the Python API from docstrings, and what programs read."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pytest_refinery.expectations import model as expectations

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_DOCS = Path(__file__).parent
_PROJECT = tomllib.loads(_DOCS.with_name("pyproject.toml").read_text(encoding="utf-8"))["project"]
_FILES = f"{_PROJECT['urls']['Source']}/blob/main/"
_HEADINGS = {"": "Start", "how-to": "How to", "reference": "Reference", "explanation": "Explanation"}
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")

project = _PROJECT["name"]
author = copyright = _PROJECT["authors"][0]["name"]  # noqa: A001  (Sphinx's name)
release = version = _PROJECT["version"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 4
nitpicky = True
# Types of the standard library, of pytest and of pydantic, whose pages are elsewhere, and those that only rooms know.
nitpick_ignore_regex = [("py:.*", r"(?!pytest_refinery\.).*")]
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "model_config, model_post_init"}
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
# In docstrings, as in Markdown, one backtick or two mean a name.
default_role = "code"
html_theme = "furo"
html_extra_path = ["reference/report.schema.json"]
html_title = f"{project} {version}"
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", f"{_PROJECT['urls']['Documentation']}en/stable/")
html_theme_options = {
    "source_repository": _PROJECT["urls"]["Source"],
    "source_branch": "main",
    "source_directory": "docs/",
}


def setup(app: Sphinx) -> None:
    """Let Sphinx call what is below."""
    app.connect("source-read", link_to_the_repository)
    app.connect("html-page-context", make_accessible, priority=900)
    app.connect("build-finished", write_what_programs_read)


def link_to_the_repository(_: Sphinx, page: str, source: list[str]) -> None:
    """Let links to files that are not on the site lead to the repository."""
    folder = _DOCS.joinpath(page).parent

    def linked(found: re.Match[str]) -> str:
        target = folder.joinpath(found[1]).resolve()
        if target.is_relative_to(_DOCS) or not target.exists():
            return found[0]
        return f"]({_FILES}{target.relative_to(_DOCS.parent).as_posix()}"

    source[0] = _LINK.sub(linked, source[0])


def make_accessible(_: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Let keyboards scroll wide code, and take from captions the role of a heading, which needs a level."""
    context["body"] = context.get("body", "").replace("<pre>", '<pre tabindex="0">')
    tree = context["furo_navigation_tree"]
    context["furo_navigation_tree"] = tree.replace('class="caption" role="heading"', 'class="caption"')


def write_what_programs_read(app: Sphinx, failed: Exception | None) -> None:
    """Write the schemas of what users write and read, and ``llms.txt``."""
    if failed is None and app.builder.name == "html":
        schema = json.dumps(expectations.json_schema(), indent=2, ensure_ascii=False) + "\n"
        Path(app.outdir, "refinery.schema.json").write_text(schema, encoding="utf-8")
        Path(app.outdir, "llms.txt").write_text(_llms_txt(app), encoding="utf-8")


def _llms_txt(app: Sphinx) -> str:
    """Return the list of pages for language models, each as the Markdown that it is written in: https://llmstxt.org."""
    sections: dict[str, list[str]] = {}
    for page in app.env.toctree_includes["index"]:
        folder = PurePosixPath(page).parent.name
        link = f"[{app.env.titles[page].astext()}]({html_baseurl}_sources/{page}.md.txt)"
        sections.setdefault(_HEADINGS[folder], []).append(f"- {link}")
    listed = (f"## {heading}\n\n" + "\n".join(links) for heading, links in sections.items())
    return "\n\n".join((f"# {project}", f"> {_PROJECT['description']}", *listed)) + "\n"
