"""What an agent was asked and answered, and the tool call of one of its steps: the head of every report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_refinery.traces import answer, conversation, messages
from pytest_refinery.traces.model import RunKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysis.records import TraceRecord
    from pytest_refinery.traces.answer import Answer
    from pytest_refinery.traces.conversation import Step
    from pytest_refinery.traces.model import Run, ToolCall, Trace

_LONGEST_TEXT = 4_000
_LONGEST_CALL = 500


def with_texts(record: TraceRecord, trace: Trace) -> TraceRecord:
    """Return the record of a trace with what was asked last and what was answered."""
    last = answer.of(trace)
    return record.model_copy(update={"asked": _cut(_asked(trace, last)), "answered": _cut(last.text or "")})


def _asked(trace: Trace, last: Answer) -> str:
    if trace.root.kind == RunKind.MESSAGE:
        before = trace.runs[: trace.numbers[last.run.id] - 1]
        spoken = [each for run in before for each in messages.read([run.outputs]).messages]
        return next((each.text for each in reversed(spoken) if each.role == "user" and each.text.strip()), "")
    steps = [step for step in conversation.read(trace).steps if step.role == "user" and step.text.strip()]
    if steps:
        return steps[-1].text
    given = trace.root.inputs
    return "" if given is None else given if isinstance(given, str) else _written(given)


def call_of(trace: Trace, run: Run, *, words: str = "") -> tuple[str, str]:
    """Return the tool call that ``run`` made or is, and its result; empty texts where there is none.

    Args:
        trace: The trace of the run.
        run: One of its runs.
        words: A text; of several calls, the first one whose tool it names is returned.
    """
    steps = conversation.read(trace).steps
    own = [step for step in steps if step.run_id == run.id]
    is_tool = run.kind in {RunKind.TOOL, RunKind.RETRIEVER} or any(step.role == "tool" for step in own)
    calls = [step.answers for step in own if step.answers] if is_tool else [call for step in own for call in step.calls]
    call = next((each for each in calls if each.name in words), calls[0] if calls else None)
    if call is None:
        return "", ""
    return _shown(call), _cut(_result(steps, own[0], call), most=_LONGEST_CALL)


def _result(steps: Sequence[Step], first: Step, call: ToolCall) -> str:
    later = (step for step in steps[first.number - 1 :] if step.role == "tool")
    return next((step.text for step in later if step.answers is call or step.answers == call), "")


def _shown(call: ToolCall) -> str:
    given = call.arguments
    if isinstance(given, Mapping):
        return _cut(
            f"{call.name}({', '.join(f'{key}: {_written(each)}' for key, each in given.items())})", _LONGEST_CALL
        )
    return _cut(f"{call.name}({given})", _LONGEST_CALL)


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, most: int = _LONGEST_TEXT) -> str:
    return text if len(text) <= most else f"{text[:most]} ..."
