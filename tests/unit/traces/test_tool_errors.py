from __future__ import annotations

from typing import Any

import pytest

from pytest_refinery.traces import answer, tool_errors
from pytest_refinery.traces.model import Run, Trace

TRACEBACK = "Traceback (most recent call last):\n  File 'x'\nKeyError: 'a'"


def said(outputs: Any, kind: str = "tool") -> str | None:  # noqa: ANN401  (JSON)
    return tool_errors.of(Run(id="r", name="get", kind=kind, outputs=outputs))


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ("Error: no such order", "Error: no such order"),
        ("error : down", "error : down"),
        ("TimeoutError: 30 s", "TimeoutError: 30 s"),
        ("tools.ToolException: no", "tools.ToolException: no"),
        (TRACEBACK, TRACEBACK),
        ('{"error": "no such order"}', "no such order"),
        ('{"error": {"message": "down"}}', "down"),
        ('{"error": true, "message": "down"}', '{"error": true, "message": "down"}'),
        ('{"isError": true, "content": "down"}', "down"),
        ("No error: all is well", None),
        ("Errors: 0", None),
        ('{"error": null, "total": 3}', None),
        ('{"error": "", "total": 3}', None),
        ('{"errors": []}', None),
        ("The error: it was late", None),
        ("", None),
    ],
)
def test_a_result_says_of_itself_that_the_call_failed(result: str, error: str | None) -> None:
    assert said(result) == error
    assert said({"output": result}) == error
    assert said({"role": "tool", "tool_call_id": "c", "content": result}, kind="message") == error


@pytest.mark.parametrize("flag", ["error", "is_error"])
def test_a_message_marked_as_an_error_is_one_whatever_it_says(flag: str) -> None:
    assert said({"role": "tool", "content": "No such order.", flag: True}, kind="message") == "No such order."
    assert said({"role": "tool", "content": "Found.", flag: False}, kind="message") is None


def test_what_somebody_says_of_an_error_is_no_result() -> None:
    assert said({"role": "assistant", "content": "Error: I cannot."}, kind="message") is None
    assert said({"role": "user", "content": '{"error": "x"}'}, kind="message") is None
    assert said("Error: no", kind="llm") is None


@pytest.mark.parametrize("outputs", [{"generations": []}, {"generations": [[]], "llm_output": None}, {"choices": []}])
def test_a_model_that_generates_nothing_has_answered_nothing(outputs: dict[str, Any]) -> None:
    trace = Trace(id="t", name="t", runs=(Run(id="r", name="chat", kind="llm", outputs=outputs),))
    assert answer.of(trace).text is None
