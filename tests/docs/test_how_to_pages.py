"""The code on the pages, run as its readers would run it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
TRACE = [{"id": "1", "name": "agent", "run_type": "chain", "outputs": {"output": "Hello. I will do so from now on."}}]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)


@pytest.fixture
def traces(pytester: pytest.Pytester) -> Path:
    folder = pytester.mkdir("traces")
    for name in ("cash-sweep.json", "hello.json"):
        (folder / name).write_text(json.dumps(TRACE), encoding="utf-8")
    pytester.mkdir("prompts").joinpath("system.md").write_text("Be helpful.\n", encoding="utf-8")
    return pytester.path


def test_python_tests_are_diagnosed_as_the_page_says(pytester: pytest.Pytester, traces: Path) -> None:
    marked, recorded = blocks("how-to/python-tests.md", "python")
    helpers = "\n\ndef find_order(number):\n    return {}\n\n\ndef answer(order):\n    return 'It is on its way.'\n\n\n"
    (traces / "test_page.py").write_text(marked + helpers + recorded, encoding="utf-8")
    result = pytester.runpytest("--refinery", "-p", "no:randomly")
    result.assert_outcomes(failed=2)
    assert sum(line.startswith("root cause ") for line in result.outlines) == 2


def test_hooks_work_as_the_page_says(pytester: pytest.Pytester, traces: Path) -> None:
    check, analyst, diagnosed = blocks("reference/hooks.md", "python")
    (file,) = blocks("reference/hooks.md", "yaml")
    (traces / "house_rules.py").write_text(
        "from pytest_refinery.llm.builtin.analyst import BuiltinAnalyst\n\n\n"
        "class HouseAnalyst(BuiltinAnalyst):\n    name = 'house'\n",
        encoding="utf-8",
    )
    (traces / "conftest.py").write_text(f"{check}\n\n{analyst}\n\n{diagnosed}", encoding="utf-8")
    (traces / "hello.refinery.yaml").write_text(file, encoding="utf-8")
    pytester.syspathinsert()
    pytester.runpytest("--refinery").assert_outcomes(passed=1)
    (traces / "hello.refinery.yaml").write_text(file.replace("greets: Hello", "greets: Goodbye"), encoding="utf-8")
    result = pytester.runpytest("--refinery", "--refinery-analyst", "house", "-s")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*hello.refinery.yaml::says-hello * 1", "*no 'Goodbye' in the answer*", "analyst    house:*"]
    )
