"""Plain words in everything that people read: messages, help texts, reports, docs and docstrings."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.options import OPTIONS, Option

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LITERARY = re.compile(
    r"\b(told|heard|unheard|anew|whoever|whomever|mend|mends|mended|spoilt|lacked|heed|nobody|lest|hearken)\b",
    re.IGNORECASE,
)
# What parts of a report were called.
FORMER_LABELS = re.compile(r"\b(In short|Came out|Went in|Concerns|Was|Because|Lacked|Assumed)\b")
ALLOWED = {
    "pytest_refinery/analysis/prompt_texts.py": "models read it: other words make recorded answers useless",
    "pytest_refinery/analysts/model/questions.py": "models read it, too",
    "pytest_refinery/sources/formats/otel/contents.py": "`heard` is the name of an argument",
}
"""Where the words may stand, by the beginning of the path, and why."""
MODULES = sorted((ROOT / "pytest_refinery").rglob("*.py"))
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
    # What was changed, in the words of its time.
    if path.name != "CHANGELOG.md"
)
TEMPLATES = sorted((ROOT / "pytest_refinery" / "reports" / "page").glob("page.*"))


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each string of a module, docstrings and messages alike, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def is_allowed(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(tuple(ALLOWED))


def test_messages_and_docstrings_are_in_plain_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {hit[0]}"
        for path in MODULES
        if not is_allowed(path)
        for line, text in texts(path)
        for hit in LITERARY.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_are_in_plain_words(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    assert [f"{number}: {line}" for number, line in lines if LITERARY.search(line)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_the_page_has_the_labels_of_the_terminal(path: Path) -> None:
    assert FORMER_LABELS.findall(path.read_text(encoding="utf-8")) == []


def test_what_is_allowed_is_still_needed() -> None:
    for beginning in ALLOWED:
        paths = [path for path in MODULES if path.relative_to(ROOT).as_posix().startswith(beginning)]
        assert paths, beginning


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_help_of_an_option_has_at_most_12_words(option: Option) -> None:
    help_texts = [option.help, option.flag_help]
    assert all(len(text.split()) <= 12 for text in help_texts)


def test_the_readme_has_at_most_120_lines() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


OURS = (
    *(
        "analyst",
        "baseline",
        "budget",
        "candidate",
        "cassette",
        "check",
        "confidence",
        "coverage",
        "diagnosis",
        "digest",
    ),
    *(
        "digest",
        "evidence",
        "expectation",
        "finding",
        "fix",
        "gate",
        "group",
        "judge",
        "ledger",
        "root cause",
        "run",
        "severity",
    ),
    *("stage", "step", "trace", "trial", "undecided", "verdict"),
)
"""Words that mean something of their own here."""
FOR_AUTHORS = ("README.md", "docs/tutorial.md", "docs/reference/expectation-files.md", "docs/how-to/report-page.md")


def glossary() -> str:
    """Return the words that the table on the first page of the docs explains."""
    table = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").partition("## Words")[2]
    return " ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)).casefold()


@pytest.mark.parametrize("page", FOR_AUTHORS)
def test_pages_for_authors_use_no_word_of_ours_that_is_not_explained(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    if page == "README.md":
        # What it does; the rest is for people who decide whether to use it.
        text = text.partition("## Try it")[0]
    prose = re.sub(r"(?s)```.*?```|`[^`]*`|\]\([^)]*\)", " ", text).casefold()
    used = {word for word in OURS if re.search(rf"\b{word}(s|es)?\b", prose)}
    explained = glossary()
    assert {word for word in used if not re.search(rf"\b{word}\b", explained)} == set()
