"""Each format says the same of the same: what was asked, called, given and answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pytest_refinery.expectations import tool_calls
from pytest_refinery.expectations.checks import Check, run_checks
from pytest_refinery.sources.json_files import JsonFiles
from pytest_refinery.traces import answer, conversation, prompts
from tests.unit.sources.formats import opening_hours
from tests.unit.sources.formats.opening_hours import ANSWER, ARGUMENTS, QUESTION, SAMPLES, SYSTEM, TOOL

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_refinery.traces.model import Trace


def load(folder: Path, sample: str, *, fails: bool) -> Trace:
    content = SAMPLES[sample][1](fails)
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "trace.json").write_bytes(data)
    return JsonFiles().load("trace.json", base=folder)


def passes(trace: Trace, **check: object) -> bool:
    return all(verdict.passed for verdict in run_checks([Check.model_validate(check)], trace))


@pytest.mark.parametrize("fails", [False, True], ids=["given", "failed"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_a_format_gives_the_scenario(tmp_path: Path, sample: str, fails: bool) -> None:  # noqa: FBT001
    right = SAMPLES[sample][0]
    trace = load(tmp_path, sample, fails=fails)
    assert trace.format == right.format
    assert [(call.name, call.readings[0]) for call in tool_calls.of(trace)] == [(TOOL, ARGUMENTS)]
    read = conversation.read(trace)
    said = [step.role for step in read.steps if step.role != "system"]
    assert said == ["user", "assistant", "tool", "assistant"][0 if right.has_question else 1 :]
    assert [step.text for step in read.steps if step.role == "tool"] in (
        [opening_hours.result(fails=fails)],
        [json.dumps({"output": opening_hours.CLOSED})],
        [json.dumps({"error": opening_hours.FAULT})],
    )
    assert answer.of(trace).text == ANSWER
    told = [(prompt.kind, prompt.text) for prompt in prompts.extract(trace) if prompt.kind in {"system", "user"}]
    assert ("system", SYSTEM) in told or not right.has_system
    assert ("user", QUESTION) in told or not right.has_question


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_check_passes_for_lack_of_a_call(tmp_path: Path, sample: str) -> None:
    right = SAMPLES[sample][0]
    trace = load(tmp_path, sample, fails=True)
    assert not passes(trace, tools={"not_called": TOOL})
    assert not passes(trace, tools={"at_most": 0})
    assert passes(trace, tools={"at_most": 1, "arguments": {TOOL: ARGUMENTS}})
    assert passes(trace, errors="none") is not right.is_error_known
    assert passes(load(tmp_path, sample, fails=False), errors="none")
