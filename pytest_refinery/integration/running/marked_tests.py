"""Python tests marked ``refinery``, and the trace that they are diagnosed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_refinery.analysis.ports import Case
from pytest_refinery.analysis.records import ExpectationRecord, ItemRecord, Outcome
from pytest_refinery.errors import RefineryError, did_you_mean
from pytest_refinery.expectations.severity import Severity
from pytest_refinery.expectations.verdicts import of_assertion
from pytest_refinery.integration.fixture import trace_of
from pytest_refinery.integration.item_records import stable_nodeid
from pytest_refinery.integration.running.evaluation import trace_record, with_texts
from pytest_refinery.traces import prompts as trace_prompts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_refinery.integration.running.item_services import ItemServices

_ARGUMENTS = ("expect", "why", "severity", "prompts")
# Names of an argument before it had its present one.
_FORMER = {"business_context": "why"}
NO_TRACE = (
    "No diagnosis: the test used no trace. Take the fixture refinery_trace and call "
    ".load(path), .use(trace), .capture() or .run(name, kind) on it."
)


def read(item: pytest.Item) -> MarkedTest | None:
    """Return the mark of a Python test, ``None`` where it has none.

    Fails the test where the mark has unknown arguments.
    """
    mark = item.get_closest_marker("refinery")
    if mark is None:
        return None
    given = {_FORMER.get(name, name): value for name, value in mark.kwargs.items()}
    problem = _problem(mark.args, given)
    if problem:
        pytest.fail(f"@pytest.mark.refinery: {problem}", pytrace=False)
    return MarkedTest(
        item=item,
        expect=given.get("expect") or _sentence(item),
        why=given.get("why", ""),
        severity=Severity(given.get("severity", Severity.MEDIUM)),
        prompts=tuple(given.get("prompts", ())),
    )


def _problem(args: Sequence[object], given: Mapping[str, Any]) -> str | None:
    if args:
        return f"takes keyword arguments only ({', '.join(_ARGUMENTS)}), got {args[0]!r}."
    for name in given:
        if name not in _ARGUMENTS:
            return f"there is no argument {name!r}.{did_you_mean(name, _ARGUMENTS)} There are: {', '.join(_ARGUMENTS)}."
    for name in ("expect", "why"):
        if not isinstance(given.get(name, ""), str):
            return f"{name} must be a text, got {given[name]!r}."
    if given.get("severity", Severity.MEDIUM) not in list(Severity):
        return f"severity must be one of {', '.join(Severity)}, got {given['severity']!r}."
    prompts = given.get("prompts", ())
    if isinstance(prompts, str) or not all(isinstance(pattern, str) for pattern in prompts):
        return f"prompts must be a list of globs, got {prompts!r}."
    return None


def _sentence(item: pytest.Item) -> str:
    """Return the first line of the test's docstring, or its name as words."""
    documented = getattr(getattr(item, "obj", None), "__doc__", None) or ""
    return str(documented).strip().partition("\n")[0] or item.name.removeprefix("test_").replace("_", " ")


@dataclass(frozen=True)
class MarkedTest:
    """A Python test with its expectation."""

    item: pytest.Item
    expect: str
    why: str
    severity: Severity
    prompts: tuple[str, ...]

    def blank_record(self) -> ItemRecord:
        """Return the record as long as nothing is known."""
        file, line, _ = self.item.location
        expectation = ExpectationRecord(
            id=self.item.name,
            expect=self.expect,
            business_context=self.why,
            severity=self.severity,
            file=file,
            line=(line or 0) + 1,
        )
        return ItemRecord(nodeid=stable_nodeid(self.item), outcome=Outcome.UNDECIDED, expectation=expectation)

    def explain(self, failures: Sequence[tuple[str, str]], record: ItemRecord, services: ItemServices) -> ItemRecord:
        """Return the record of a failed test, diagnosed where it used a trace.

        Args:
            failures: Of each failure its message with its kind, and its message alone.
            record: That of the test.
            services: Those of the test's folder.
        """
        trace = trace_of(self.item)
        if trace is None:
            return record.model_copy(update={"error": NO_TRACE})
        try:
            prompt_files = services.read_files(self.prompts, base=self.item.path.parent)
        except RefineryError as missing:
            return record.model_copy(update={"error": f"No diagnosis: {missing}"})
        case = Case(
            trace=trace,
            expect=self.expect,
            business_context=self.why,
            failures=tuple(of_assertion(self.expect, actual, error) for actual, error in failures),
            prompts=trace_prompts.extract(trace),
            prompt_files=prompt_files,
        )
        return services.diagnose(self.item, with_texts(record, trace), case)


def with_trace(item: pytest.Item, record: ItemRecord) -> ItemRecord:
    """Return the record of a test with the trace that it used, if it did."""
    trace = trace_of(item)
    return record if trace is None else record.model_copy(update={"trace": trace_record(trace)})
