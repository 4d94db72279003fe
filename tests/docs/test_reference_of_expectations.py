from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.errors import ExpectationFileError
from pytest_refinery.expectations import loader, model
from pytest_refinery.expectations.checks import Check, run_checks
from tests.unit.expectations.made import calling, make_check, make_run, make_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
FILES, CHECKS = REFERENCE / "expectation-files.md", REFERENCE / "checks.md"
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return [found["text"] for found in BLOCK.finditer(page.read_text()) if found["language"] == language]


@pytest.mark.parametrize(
    ("page", "text"), [(page.name, text) for page in (FILES, CHECKS) for text in blocks(page, "yaml")]
)
def test_each_file_that_is_shown_loads(page: str, text: str) -> None:
    assert loader.parse(text, source=page)


def test_each_key_of_a_file_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", FILES.read_text(), re.MULTILINE))
    assert explained == {*model.keys_at(()), *model.keys_at(("expectations",))}


def test_each_check_and_each_of_its_keys_is_explained() -> None:
    text = CHECKS.read_text()
    for name in Check.model_fields:
        section = re.search(rf"^## .*`{name}`.*?(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
        assert section
        keys = () if name == "python" else model.keys_at(("expectations", 0, "checks", 0, name))
        assert [key for key in keys if not re.search(rf"^\|.*\b{key}\b", section[0], re.MULTILINE)] == []


def test_the_messages_that_are_shown_are_those_that_are_given() -> None:
    trace = make_trace(make_run("0f3a", name="support_agent", outputs={"output": "I will leave them out from now on."}))
    (verdict,) = run_checks([make_check("output", {"not_contains": "from now on"})], trace)
    assert blocks(CHECKS, "text") == [f"{verdict.message}\n"]


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "money_checks.py").write_text(blocks(CHECKS, "python")[0])
    yield tmp_path
    sys.modules.pop("money_checks", None)


@pytest.mark.parametrize(
    ("answer", "message"), [("It is 3.50 and 4.00.", "'amounts from nowhere: 4.00'"), ("It is 3.50.", "true")]
)
def test_the_function_that_is_shown_works(module: Path, answer: str, message: str) -> None:
    trace = calling(("price", {}))
    root, tool = trace.runs
    runs = (root.model_copy(update={"outputs": answer}), tool.model_copy(update={"outputs": {"price": "3.50"}}))
    check = make_check("python", "money_checks:quotes_only_known_amounts")
    (verdict,) = run_checks([check], trace.model_copy(update={"runs": runs}), import_from=[module])
    assert verdict.actual == message


def test_the_problems_that_are_shown_are_those_that_are_given() -> None:
    text = "trace: t\nexpectations:\n- expect: x\n- id: y\n  expekt: x\n  checks:\n  - output:\n      matches: 'a(b'\n"
    with pytest.raises(ExpectationFileError) as caught:
        loader.parse(text, source="memory.refinery.yaml")
    given = [problem.message for problem in caught.value.problems]
    shown = [line.split(": ", 1)[1] for line in blocks(FILES, "text")[0].splitlines()]
    assert set(shown) <= set(given)
