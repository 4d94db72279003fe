"""Whether a trace is that of ``opening_hours``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pytest_refinery.expectations import tool_calls
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import answer, conversation, prompts
from tests.unit.sources.formats import opening_hours
from tests.unit.sources.formats.opening_hours import ANSWER, ARGUMENTS, QUESTION, SYSTEM, TOOL

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Trace
    from tests.unit.sources.formats.opening_hours import Right


def load(folder: Path) -> Trace:
    return JsonFiles().load("trace.json", base=folder)


def passes(trace: Trace, **check: object) -> bool:
    return all(verdict.passed for verdict in run_checks([Check.model_validate(check)], trace))


def holds(trace: Trace, right: Right, *, fails: bool, what: str = "") -> None:
    """Assert that a trace holds what its format can hold of the scenario."""
    assert trace.format == right.format, what
    assert [(call.name, call.readings[0]) for call in tool_calls.of(trace)] == [(TOOL, ARGUMENTS)], what
    read = conversation.read(trace)
    said = [step.role for step in read.steps if step.role != "system"]
    assert said == ["user", "assistant", "tool", "assistant"][0 if right.has_question else 1 :], what
    (given,) = [step.text for step in read.steps if step.role == "tool"]
    wrapped = (json.dumps({"output": opening_hours.CLOSED}), json.dumps({"error": opening_hours.FAULT}))
    assert given in wrapped or opening_hours.result(fails=fails) in given, what
    assert answer.of(trace).text == ANSWER, what
    told = [(prompt.kind, prompt.text) for prompt in prompts.extract(trace) if prompt.kind in {"system", "user"}]
    assert ("system", SYSTEM) in told or not right.has_system, what
    assert ("user", QUESTION) in told or not right.has_question, what
    assert passes(trace, errors="none") is not (fails and right.is_error_known), what
