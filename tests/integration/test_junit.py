"""pytest's JUnit file: with our properties, or as the schema of xunit2 wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

# What the schema that pytest checks xunit2 with (junit-10.xsd of Jenkins) has in a test case; pytest writes "error".
_CHILDREN = {"skipped", "error", "errors", "failure", "rerunFailure", "rerunError", "system-out", "system-err"}
_ATTRIBUTES = {"name", "time", "classname", "group"}


def _parsed(path: Path) -> ET.ElementTree[Element]:
    return ET.parse(path)  # noqa: S314  (of our own run)


def cases_of(suite: Path, pytester: pytest.Pytester, *args: str) -> dict[str, Element]:
    pytester.runpytest("--refinery", "--junitxml=junit.xml", *args)
    return {str(case.get("name")): case for case in _parsed(suite / "junit.xml").iter("testcase")}


def test_the_file_fits_the_schema_of_xunit2_where_the_key_asks_for_it(pytester: pytest.Pytester, suite: Path) -> None:
    pytester.makeini("[pytest]\njunit_family = xunit2\nrefinery_junit_properties = false\n")
    cases = cases_of(suite, pytester)
    assert len(cases) == 3
    for case in cases.values():
        assert {child.tag for child in case} <= _CHILDREN
        assert set(case.attrib) <= _ATTRIBUTES


def test_an_outcome_and_its_element_say_the_same(pytester: pytest.Pytester, suite: Path) -> None:
    path = suite / "memory.refinery.yaml"
    path.write_text(path.read_text().replace("tags: [wording]", "tags: [skip]"))
    found = {}
    for name, case in cases_of(suite, pytester).items():
        said = {each.get("name"): each.get("value") for each in case.iter("property")}
        found[name] = (said.get("refinery.outcome"), {child.tag for child in case} - {"properties", "system-out"})
    assert found["admits-it-cannot-remember"] == ("failed", {"failure"})
    assert found["cannot-be-read"] == ("undecided", {"error"})
    assert found["mentions-the-sweep"] == ("skipped", {"skipped"})


def test_a_debugger_stops_where_the_agent_raised(pytester: pytest.Pytester) -> None:
    pytester.makefile(
        ".refinery.yaml",
        raises="expectations:\n  - id: one\n    expect: It answers.\n    agent: own_agent:answer\n"
        "    inputs: {question: hi}\n    checks: [{output: {contains: fine}}]\n",
    )
    pytester.makepyfile(own_agent="def answer(**_):\n    where = 'in the agent'\n    raise LookupError(where)\n")
    pytester.makeconftest(
        "def pytest_exception_interact(node, call, report):\n"
        "    print('STOPS IN', call.excinfo.traceback[-1].frame.f_locals.get('where'))\n"
    )
    result = pytester.runpytest("--refinery", "-s")
    result.stdout.fnmatch_lines(
        ["*STOPS IN in the agent", "*it raised LookupError:", "*in the agent at own_agent.py:3"]
    )


@pytest.mark.parametrize("body", ["assert where == ''", "raise LookupError(where)"])
def test_a_debugger_stops_where_a_check_raised(pytester: pytest.Pytester, suite: Path, body: str) -> None:
    path = suite / "memory.refinery.yaml"
    path.write_text(path.read_text().replace("output: {not_contains: from now on}", "python: own_checks:check"))
    pytester.makepyfile(own_checks=f"def check(trace):\n    where = 'in the check'\n    {body}\n")
    pytester.makeconftest(
        "def pytest_exception_interact(node, call, report):\n"
        "    print('STOPS IN', call.excinfo.traceback[-1].frame.f_locals.get('where'))\n"
    )
    result = pytester.runpytest("--refinery", "-s", "-k", "admits")
    result.stdout.fnmatch_lines(["*STOPS IN in the check*"])
