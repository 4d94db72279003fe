"""pytest's JUnit file: with our properties, or as the schema of xunit2 wants it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.runners import WITH_WORKERS

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

# What the schema that pytest checks xunit2 with (junit-10.xsd of Jenkins) allows: the elements in each element, its
# attributes, and those that it must have. No package brings the schema. pytest itself writes "error" for "errors".
_SAID: tuple[set[str], set[str], set[str]] = (set(), {"type", "message"}, set())
_COUNTS = {"name", "time", "tests", "failures", "errors"}
_PLACE = {"group", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "version"}
_RESULTS = {"skipped", "error", "errors", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError"}
_SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, _COUNTS, set()),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        _COUNTS | _PLACE,
        _COUNTS - {"time"},
    ),
    "testcase": (_RESULTS | {"system-out", "system-err"}, {"name", "time", "classname", "group"}, {"name"}),
    **dict.fromkeys(_RESULTS, _SAID),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, {"name", "value"}),
    "system-out": (set(), set(), set()),
    "system-err": (set(), set(), set()),
}


def _parsed(path: Path) -> ET.ElementTree[Element]:
    return ET.parse(path)  # noqa: S314  (of our own run)


def cases_of(suite: Path, pytester: pytest.Pytester, *args: str) -> dict[str, Element]:
    pytester.runpytest("--refinery", "--junitxml=junit.xml", *args)
    return {str(case.get("name")): case for case in _parsed(suite / "junit.xml").iter("testcase")}


def faults_in(root: Element) -> list[str]:
    """Return what the schema of xunit2 does not allow."""
    found = []
    for element in root.iter():
        inner, allowed, required = _SCHEMA.get(element.tag, (set(), set(), {"a known name"}))
        found += [f"{each.tag} in {element.tag}" for each in element if each.tag not in inner]
        found += [f"{name} of {element.tag}" for name in set(element.attrib) - allowed | required - set(element.attrib)]
        if element.tag.startswith("testsuite") and not re.fullmatch(r"\d*(\.\d{0,3})?", element.get("time", "")):
            found.append(f"time {element.get('time')}")
    return found


@WITH_WORKERS
def test_the_file_fits_the_schema_of_xunit2_where_the_key_asks_for_it(
    pytester: pytest.Pytester, suite: Path, plugin_args: tuple[str, ...]
) -> None:
    pytester.makeini(
        "[pytest]\njunit_family = xunit2\njunit_logging = all\nrefinery_junit_properties = false\n"
        "markers = refinery: diagnosed\n"
    )
    pytester.makepyfile(
        test_own="import pytest\n"
        "@pytest.mark.refinery\ndef test_fails():\n    print('said')\n    assert 0\n"
        "@pytest.mark.refinery\n@pytest.mark.xfail\ndef test_expected():\n    assert 0\n"
        "@pytest.fixture\ndef broken():\n    yield\n    raise OSError\n"
        "@pytest.mark.refinery\ndef test_breaks_behind(broken):\n    pass\n"
    )
    cases = cases_of(suite, pytester, *plugin_args)
    assert {"admits-it-cannot-remember", "cannot-be-read", "test_fails", "test_expected", "test_breaks_behind"} <= set(
        cases
    )
    assert faults_in(_parsed(suite / "junit.xml").getroot()) == []


def test_with_properties_the_file_has_what_the_schema_of_xunit2_does_not(
    pytester: pytest.Pytester, suite: Path
) -> None:
    cases_of(suite, pytester, "-o", "junit_family=xunit2")
    assert set(faults_in(_parsed(suite / "junit.xml").getroot())) == {"properties in testcase"}


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
