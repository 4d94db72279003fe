from __future__ import annotations

from typing import Any

import pytest

from pytest_refinery.analysis.ports import PromptFile
from pytest_refinery.analysis.schemas import SuggestedFix, VerificationStatus
from pytest_refinery.expectations import loader
from pytest_refinery.traces.model import Message, Run, ToolCall, Trace
from pytest_refinery.verification import replay
from pytest_refinery.verification.replay import Replays
from pytest_refinery.verification.scratch import NotPossible

PROMISE = "I will do so from now on."
FILE = "prompts/system.md"


def run(*, said: str = PROMISE, told: str = "You help.", **other: Any) -> Run:  # noqa: ANN401  (any field)
    asked = [{"role": "system", "content": told}, {"role": "user", "content": "Exclude them."}]
    fields: dict[str, Any] = {
        "id": "call",
        "name": "model",
        "kind": "llm",
        "parent_id": "root",
        "inputs": {"messages": asked},
        "outputs": {"messages": [{"role": "assistant", "content": said}]},
        "settings": {"model": "m"},
    }
    return Run.model_validate(fields | other)


def trace(step: Run, *, answer: str = PROMISE) -> Trace:
    root = Run(id="root", name="desk", kind="chain", outputs={"output": answer})
    return Trace(id="t", name="desk", runs=(root, step))


def checks(*written: str) -> Any:  # noqa: ANN401  (checks)
    lines = "".join(f"\n    - {check}" for check in written)
    return loader.parse(f"trace: t\nexpectations:\n- expect: It.\n  checks:{lines}", source="t")[0].checks


def test_only_checks_that_fail_in_the_trace_and_in_the_step_alone_count() -> None:
    wanted = checks("output: {not_contains: from now on}", "output: {contains: I will}", "tools: {called: find}")
    step = replay.failed_by(run(), trace(run()), wanted, custom={})
    assert [check.name for check in step.checks] == ["output", "tools"]
    assert not step.hold(Message("assistant", PROMISE))
    assert not step.hold(Message("assistant", "I left them out."))
    assert step.hold(Message("assistant", "I left them out.", tool_calls=(ToolCall("find", {}),)))
    with pytest.raises(NotPossible, match=r"an answer calls find\(\{\}\) where the recorded one spoke"):
        step.hold(Message("assistant", "", tool_calls=(ToolCall("find", {}),)))


def test_a_failure_of_another_step_cannot_be_decided_by_this_one() -> None:
    step = run(said="Let me see.")
    with pytest.raises(NotPossible, match="no check of the expectation fails in the decisive step alone"):
        replay.failed_by(step, trace(step), checks("output: {not_contains: from now on}"), custom={})


def fix(before: str, after: str) -> SuggestedFix:
    return SuggestedFix(component="system prompt", file=FILE, before=before, after=after)


def test_the_fix_is_made_where_the_text_of_the_file_stands_in_the_prompt() -> None:
    call = replay.whole(run(told="Today is Monday.\nYou help.\nBe kind."))
    found = replay.with_fix(call, fix("You help.", "You help.\nYou forget."), [PromptFile(FILE, "You help.\n")])
    assert found.system == "Today is Monday.\nYou help.\nYou forget.\nBe kind."
    added = replay.with_fix(call, fix("", "You forget."), [PromptFile(FILE, "You help.\n")])
    assert added.system == found.system


def test_the_fix_is_made_in_a_rendered_template() -> None:
    call = replay.whole(run(told="Hello Ada. You help."))
    template = [PromptFile(FILE, "Hello {name}. You help.\n")]
    assert replay.with_fix(call, fix("You help.", "You forget."), template).system == "Hello Ada. You forget."
    with pytest.raises(NotPossible, match=f"was not given the text of {FILE}"):
        replay.with_fix(call, fix("", "You forget."), template)


def test_answers_are_counted_and_shown_from_where_they_differ() -> None:
    recorded = Message("assistant", PROMISE)
    other = Message("assistant", f"{PROMISE[:-1]}, but only in this conversation.")
    found = Replays(recorded, (recorded, recorded), (other, recorded))
    assert list(found.lines("new.md")) == [
        f'recorded    "{PROMISE}"',
        "as it was   2 of 2: as recorded",
        'new.md      1 of 2: ...ll do so from now on, but only in this conversation."',
        "new.md      1 of 2: as recorded",
    ]


def test_a_verdict_counts_the_answers_for_which_the_checks_hold() -> None:
    step = replay.failed_by(run(), trace(run()), checks("output: {not_contains: from now on}"), custom={})
    good, bad = Message("assistant", "I left them out."), Message("assistant", PROMISE)
    found = Replays(bad, (bad,) * 5, (good,) * 5).verdict(step, tokens=7)
    assert (found.status, found.how, found.tokens) == (VerificationStatus.CONFIRMED, "replay", 7)


def test_a_plan_takes_the_largest_call() -> None:
    small, large = run(), run(id="large", told="word " * 1000)
    found = replay.forecast(Trace(id="t", name="t", runs=(small, large)), 5)
    assert found.calls == 10
    assert found.input_tokens > 10_000
    assert replay.forecast(trace(run(kind="chain")), 5).calls == 0
