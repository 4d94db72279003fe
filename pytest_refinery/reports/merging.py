"""The reports of shards, or of a job and its re-run, as one."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, NamedTuple

from pytest_refinery.analysis.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_refinery.analysis.records import ItemRecord, Report

_DECIDED = frozenset({Outcome.PASSED, Outcome.FAILED})
_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


class Merged(NamedTuple):
    """The items of all reports, where each comes from, and what to say of those that are in several."""

    items: tuple[ItemRecord, ...]
    sources: dict[str, str]
    notes: tuple[str, ...]


def merge(reports: Sequence[tuple[str, Report]]) -> Merged:
    """Return the items of several reports; the last report in which an item was decided counts.

    Args:
        reports: Each with the name of its folder, a re-run after what it repeats.
    """
    found: dict[str, ItemRecord] = {}
    sources: dict[str, str] = {}
    notes: list[str] = []
    for name, report in reports:
        for item in report.expectations:
            before = found.get(item.nodeid)
            if before is not None and before.outcome in _DECIDED:
                if item.outcome not in _DECIDED:
                    continue
                notes.append(f"{item.nodeid} is in {sources[item.nodeid]} and in {name}: the later one counts")
            found[item.nodeid], sources[item.nodeid] = item, name
    return Merged(tuple(found.values()), sources, tuple(notes))


def junit(files: Iterable[bytes]) -> str:
    """Return the JUnit files of shards as one; a test that a later file repeats is that of the later one.

    Raises:
        ValueError: A file is no XML.
    """
    cases: dict[tuple[str | None, str | None], ET.Element] = {}
    for content in files:
        try:
            # The parser of the standard library expands no external entity.
            root = ET.fromstring(content)  # noqa: S314
        except ET.ParseError as error:
            raise ValueError(str(error)) from error
        for case in root.iter("testcase"):
            cases[case.get("classname"), case.get("name")] = case
    suite = ET.Element("testsuite", name="pytest")
    suite.extend(cases.values())
    suite.set("tests", str(len(suite)))
    for name, tag in _COUNTS.items():
        suite.set(name, str(sum(case.find(tag) is not None for case in suite)))
    suite.set("time", f"{sum(float(case.get('time') or 0) for case in suite):.3f}")
    suites = ET.Element("testsuites", name="pytest tests")
    suites.append(suite)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"
