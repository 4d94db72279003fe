"""Errors, and the step that caused them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.llm.builtin import words
from pytest_refinery.llm.builtin.reading import Sign, is_write, values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.llm.builtin.reading import Reading
    from pytest_refinery.traces.conversation import Step
    from pytest_refinery.traces.model import ToolCall

_ERROR = re.compile(
    r"^\s*(error\b|exception\b|traceback|exitcode: -?[1-9]|"
    r"\{?\"?(error|detail)\"?\s*:|failed\b|invalid\b|http (4|5)\d\d)|"
    r"\b(traceback \(most recent call last\)|[a-z]+(error|exception): )",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(
    r"rate limit|429|timeout|timed out|connection|unavailable|50[0234]\b|quota|unauthori[sz]ed|forbidden|40[13]\b",
    re.IGNORECASE,
)
# What fails again mostly fails as a consequence of the first failure.
_LATER_FAILURE = 0.7
# How many steps back the change may be that forbids this one.
_FARTHEST = 200
_STATE = re.compile(
    r"\bnon-\w+|status|already|not (allowed|permitted|eligible|pending|active|open)|cannot be|can't be|expired|closed",
    re.IGNORECASE,
)
_NOT_THERE = re.compile(r"not found|no such|does not exist|no results?|404|unknown", re.IGNORECASE)


def is_failed(step: Step) -> bool:
    """Tell whether a tool's step reports that the call failed."""
    return step.role == "tool" and (step.is_error or bool(_ERROR.search(step.text[:4000])))


def failed_calls(reading: Reading) -> Iterator[Sign]:
    """Blame the step that made a call which failed."""
    failures: Counter[str] = Counter()
    for step in reading.steps:
        if is_failed(step) and closed_by(reading, step) is None:
            caller = reading.caller(step)
            if caller is None or _OUTSIDE.search(step.text[:2000]):
                yield _outside(step)
            else:
                failures[step.speaker] += 1
                yield _own_mistake(step, caller, strength=_LATER_FAILURE ** (failures[step.speaker] - 1))


def closed_by(reading: Reading, step: Step) -> Step | None:
    """Return the earlier change of the same record after which the change in ``step`` was refused."""
    if not (is_failed(step) and step.answers and is_write(step.answers)):
        return None
    refused = step.answers
    for earlier in itertools.islice(reading.conversation.backwards(step), _FARTHEST):
        if any(_closes(call, refused) for call in earlier.calls) and _succeeded(reading, earlier):
            return earlier
    return None


def _closes(done: ToolCall, refused: ToolCall) -> bool:
    record = next(values(refused.arguments), "")
    return is_write(done) and done.name != refused.name and record in set(values(done.arguments))


def _succeeded(reading: Reading, step: Step) -> bool:
    results = reading.results.get(step.number, ())
    return bool(results) and not any(is_failed(result) for result in results)


def _own_mistake(step: Step, caller: Step, *, strength: float) -> Sign:
    changes = step.answers is not None and is_write(step.answers)
    is_lookup = bool(_NOT_THERE.search(step.text[:2000])) and step.answers is not None and not changes
    name = step.answers.name if step.answers else step.speaker
    return Sign(
        step=caller,
        rule="missed_lookup" if is_lookup else _refusal(step) if changes else "failed_call",
        what=f"The call of {name} made here failed: “{words.shown(_message(step.text))}”.",
        failure_type=FailureType.TOOL_ISSUE if not is_lookup else FailureType.RETRIEVAL_ISSUE,
        quote=_message(step.text),
        quoted=step,
        strength=strength,
        subject=name,
    )


def _refusal(step: Step) -> str:
    """Tell a change that the record's state forbids from one that was called wrongly."""
    return "forbidden_change" if _STATE.search(step.text[:2000]) else "failed_change"


def _outside(step: Step) -> Sign:
    return Sign(
        step=step,
        rule="service_failed",
        what=f"{step.speaker} could not be reached or refused to answer: “{words.shown(_message(step.text))}”.",
        failure_type=FailureType.INFRASTRUCTURE,
        quote=_message(step.text),
        subject=step.speaker,
    )


def _message(text: str) -> str:
    """Return the sentence that names the error: the last line of a Python traceback, else the first error."""
    named = re.findall(r"^\w*(?:Error|Exception): .*$", text, re.MULTILINE)
    if named:
        return words.quote(named[-1])
    found = _ERROR.search(text)
    return words.quote(text, around=found.start() if found else 0)


def crashed_runs(reading: Reading) -> Iterator[Sign]:
    """Find runs that ended in an error, the deepest of each chain of them."""
    by_run = {step.run_id: step for step in reading.steps}
    trace = reading.case.trace
    for run in trace.runs:
        broken = run.error and not any(child.error for child in trace.children.get(run.id, ()))
        step = by_run.get(run.id)
        if broken and step is not None and step.role != "tool" and run.error:
            yield Sign(
                step=step,
                rule="crashed_run",
                what=f"{run.name} ended in an error: “{words.shown(_message(run.error))}”.",
                failure_type=FailureType.INFRASTRUCTURE,
                quote=_message(run.error),
                subject=run.name,
            )
