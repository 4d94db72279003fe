"""Ordinary Python tests with the mark ``refinery``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import unwrapped
from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., pytest.RunResult]

LOADED = """\
import pytest

@pytest.mark.refinery(
    expect="The agent says that it cannot keep preferences.",
    business_context="Clients believed it.",
    prompts=["prompts/*.md"],
)
def test_memory(refinery_trace):
    trace = refinery_trace.load("traces/sweep.json")
    assert "from now on" not in trace.root.outputs["content"]
"""


@pytest.fixture
def bare_suite(suite: Path) -> Path:
    """The suite's folder without its expectation file."""
    (suite / "memory.refinery.yaml").unlink()
    return suite


@WITH_WORKERS
def test_a_failing_test_is_diagnosed_from_the_trace_it_loaded(run: Run, bare_suite: Path) -> None:
    (bare_suite / "test_memory.py").write_text(LOADED, encoding="utf-8")
    result = run("--refinery-report", "out")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: *",
            "*refinery diagnosis*",
            "Root cause *",
            "Step         3 of 3, message of assistant",
        ]
    )
    (item,) = json.loads((bare_suite / "out" / "report.json").read_text("utf-8"))["expectations"]
    assert item["outcome"] == "failed"
    assert item["expectation"]["expect"] == "The agent says that it cannot keep preferences."
    assert item["expectation"]["line"] == 3
    assert item["trace"]["source"] == "traces/sweep.json"
    assert "from now on" in item["diagnosis"]["gaps"][0]["actual"]
    assert item["diagnosis"]["suggested_fix"]["file"] == "prompts/system.md"


def test_what_a_test_records_by_hand_is_its_trace(run: Run, bare_suite: Path) -> None:
    (bare_suite / "test_agent.py").write_text(
        """\
import pytest

@pytest.mark.refinery
def test_the_agent_finds_the_order(refinery_trace):
    with refinery_trace.run("agent", "chain", inputs={"question": "Where is order 7?"}) as agent:
        with refinery_trace.run("find_order", "tool", inputs={"id": 7}) as tool:
            tool.outputs = {"error": "no such order"}
        agent.outputs = {"output": "It arrives tomorrow."}
    assert "not found" in agent.outputs["output"]
""",
        encoding="utf-8",
    )
    result = run("--refinery-report", "out")
    result.assert_outcomes(failed=1)
    (item,) = json.loads((bare_suite / "out" / "report.json").read_text("utf-8"))["expectations"]
    assert item["expectation"]["expect"] == "the agent finds the order"
    assert (item["trace"]["runs"], item["trace"]["source"]) == (2, "this test")
    assert item["diagnosis"]["coverage"]["percentage"] == 100.0


def test_what_the_agents_own_tracing_says_in_a_block_is_its_trace(
    run: Run, bare_suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TRACING": "true", "API_KEY": "lsv2_pt_x", "ENDPOINT": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"LANGSMITH_{name}", value)
    (bare_suite / "test_agent.py").write_text(
        """\
import asyncio
import pytest
from langsmith import traceable

@traceable(run_type="tool")
async def find_order(number):
    return {"error": "no such order"}

@traceable
async def agent(question):
    await find_order(7)
    return "It arrives tomorrow."

@pytest.mark.refinery(expect="The agent says that it has not found it.")
def test_the_agent_finds_the_order(refinery_trace):
    with refinery_trace.capture("shop", inputs={"question": "Where?"}) as run:
        with refinery_trace.run("by hand"):
            run.outputs = asyncio.run(agent("Where?"))
    assert "not found" in run.outputs
""",
        encoding="utf-8",
    )
    result = run("--refinery-report", "out")
    result.assert_outcomes(failed=1)
    (item,) = json.loads((bare_suite / "out" / "report.json").read_text("utf-8"))["expectations"]
    assert (item["trace"]["runs"], item["trace"]["source"]) == (4, "this test")
    assert item["diagnosis"]["coverage"]["percentage"] == 100.0
    assert "127.0.0.1:9" not in result.stdout.str() + result.stderr.str()


def test_an_exception_in_a_recorded_run_is_its_error(run: Run, bare_suite: Path) -> None:
    (bare_suite / "test_agent.py").write_text(
        """\
import pytest

@pytest.mark.refinery(expect="The agent answers.")
def test_agent(refinery_trace):
    with refinery_trace.run("agent"), refinery_trace.run("lookup", "tool"):
        raise ConnectionError("the ledger is down")
""",
        encoding="utf-8",
    )
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * ConnectionError: the ledger is down", "Root cause *", "Step         2 of 2, tool call lookup*"]
    )


def test_a_test_that_passes_is_reported_and_not_diagnosed(run: Run, bare_suite: Path) -> None:
    (bare_suite / "test_memory.py").write_text(LOADED.replace("not in", "in"), encoding="utf-8")
    result = run("--refinery-report", "out")
    result.assert_outcomes(passed=1)
    (item,) = json.loads((bare_suite / "out" / "report.json").read_text("utf-8"))["expectations"]
    assert (item["outcome"], item["diagnosis"]) == ("passed", None)


def test_a_failure_without_a_trace_says_how_to_give_one(run: Run, bare_suite: Path) -> None:
    (bare_suite / "test_bare.py").write_text(
        "import pytest\n\n@pytest.mark.refinery(expect='It works.')\ndef test_bare():\n    assert False\n",
        encoding="utf-8",
    )
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["No diagnosis: the test used no trace. Take the fixture refinery_trace*"])


def test_pytest_fail_is_a_failure_like_any_other(run: Run, bare_suite: Path) -> None:
    (bare_suite / "test_memory.py").write_text(
        LOADED.replace(
            '    assert "from now on" not in trace.root.outputs["content"]', '    pytest.fail("it promised")'
        ),
        encoding="utf-8",
    )
    run().stdout.fnmatch_lines(["*Failed: it promised", "Root cause *"])


def test_skips_and_expected_failures_stay_what_they_are(run: Run, bare_suite: Path) -> None:
    (bare_suite / "test_others.py").write_text(
        """\
import pytest

@pytest.mark.refinery(expect="x")
def test_skips(refinery_trace):
    pytest.skip("not today")

@pytest.mark.refinery(expect="x")
def test_xfails(refinery_trace):
    pytest.xfail("known")

@pytest.mark.xfail
@pytest.mark.refinery(expect="x")
def test_is_expected_to_fail(refinery_trace):
    refinery_trace.load("traces/sweep.json")
    assert False
""",
        encoding="utf-8",
    )
    run().assert_outcomes(skipped=1, xfailed=2)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("expct='x'", "there is no argument 'expct'. Did you mean 'expect'?"),
        ("'x'", "takes keyword arguments only (expect, why, severity, prompts), got 'x'."),
        ("expect=3", "expect must be a text, got 3."),
        ("prompts='*.md'", "prompts must be a list of globs, got '*.md'."),
    ],
)
def test_a_wrong_mark_is_an_error_of_its_test_alone(
    pytester: pytest.Pytester, bare_suite: Path, mark: str, said: str
) -> None:
    (bare_suite / "test_marks.py").write_text(
        f"import pytest\n\n@pytest.mark.refinery({mark})\ndef test_a():\n    pass\n\ndef test_b():\n    pass\n",
        encoding="utf-8",
    )
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(passed=1, errors=1)
    assert any(line.endswith(f"@pytest.mark.refinery: {said}") or said in line for line in result.outlines)


def test_a_prompt_glob_that_matches_nothing_is_said(pytester: pytest.Pytester, bare_suite: Path) -> None:
    (bare_suite / "test_memory.py").write_text(LOADED.replace("prompts/*.md", "promts/*.md"), encoding="utf-8")
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(failed=1)
    assert "No diagnosis: prompts: no file matches 'promts/*.md' (looked in " in unwrapped(result)


def test_the_fixture_works_without_the_plugin_being_asked_for(pytester: pytest.Pytester, bare_suite: Path) -> None:
    (bare_suite / "test_memory.py").write_text(LOADED, encoding="utf-8")
    result = pytester.runpytest("--strict-markers")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*refinery diagnosis*")


def test_async_and_unittest_styles_do_not_break(pytester: pytest.Pytester, bare_suite: Path) -> None:
    (bare_suite / "test_case.py").write_text(
        """\
import unittest
import pytest

@pytest.mark.refinery(expect="It works.")
class TestCase(unittest.TestCase):
    def test_fails(self):
        self.assertEqual(1, 2)
""",
        encoding="utf-8",
    )
    result = pytester.runpytest("--refinery")
    result.assert_outcomes(failed=1)
