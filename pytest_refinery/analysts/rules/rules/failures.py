"""Calls that failed, and what went on without their results."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import provenance
from pytest_refinery.analysts.rules.facts import results, texts
from pytest_refinery.analysts.rules.findings import Found, Quoted, quoted, said, shown_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.traces.conversation import Step

_EMPTY = frozenset({"", "[]", "{}", "null", "none", '""'})
_MOST_LISTED = 3


def answers_after_failures(facts: TraceFacts) -> Iterator[Found]:
    """Find the step that goes on as if a call had brought what it did not."""
    seen: set[int] = set()
    for call in facts.calls:
        step = _goes_on(facts, call) if call.failed and call.result is not None else None
        if step is not None and step.number not in seen:
            seen.add(step.number)
            yield _after(facts, call, step)


def _goes_on(facts: TraceFacts, failed: Call) -> Step | None:
    """Return what follows a failed call without admitting the failure; ``None`` where it was repaired."""
    assert failed.result is not None  # noqa: S101  (its caller has tested it)
    for step in facts.steps[failed.result.number :]:
        if facts.is_person(step):
            return None
        made = facts.calls_of.get(step.number, ())
        if any(not call.failed and _is_another_way(facts, call, failed) for call in made):
            return None
        if facts.is_agent(step) and (any(call.effect.is_change for call in made) or (step.text.strip() and not made)):
            return None if _admits(facts, step) else step
    return None


def _is_another_way(facts: TraceFacts, call: Call, failed: Call) -> bool:
    """Tell whether a later call brought something in place of the failed one."""
    is_read = not call.effect.is_change
    is_filled = call.result is not None and call.result.text.strip().lower() not in _EMPTY
    return is_filled and (call.name == failed.name or is_read) and not facts.effects.is_thought(call.name)


def _admits(facts: TraceFacts, step: Step) -> bool:
    names = ("refused", "gave_up", "outage", "failed", "not_found", "denied", "state")
    return any(facts.cues.find(name, step.text) for name in names) or step.text.rstrip().endswith("?")


def _after(facts: TraceFacts, call: Call, step: Step) -> Found:
    assert call.result is not None  # noqa: S101  (it failed, so it has a result)
    again = [each for each in facts.calls if each.name == call.name and each.failed and each.step.number < step.number]
    places = ", ".join(str(each.result.run_number) for each in again[:_MOST_LISTED] if each.result)
    error = results.message(call.result.text)
    is_outage = results.is_outage(call.result.text, facts.cues)
    acts = shown_call(facts.calls_of[step.number][0]) if step.number in facts.calls_of else said(facts, step)
    return Found(
        rule="went_on_after_failure",
        step=step,
        what=f"{shown_call(call)} failed (step {places}: “{texts.shown(error, 120)}”). The agent goes on here as if "
        "it had the "
        f"result: {acts}",
        failure_type=FailureType.INFRASTRUCTURE if is_outage else FailureType.TOOL_ISSUE,
        points=0.8,
        quotes=(Quoted(call.result, texts.shown(error, 80).rstrip("…")), quoted(facts, step, "")),
        holds=lambda case: not _admits(case, step),
        texts=(error[:80], step.text[:400]),
        tool=call.name,
    )


def failed_calls(facts: TraceFacts) -> Iterator[Found]:
    """Find calls that failed: a service that did not answer, or a call that had to be refused."""
    seen: set[tuple[str, bool]] = set()
    for call in facts.calls:
        if not call.failed or call.result is None or _closed_by(facts, call) is not None:
            continue
        is_outage = results.is_outage(call.result.text, facts.cues)
        points = 0.3 if is_outage else 0.5 if call.effect.is_change else 0.25
        yield provenance.of_failure(facts, call, "", points=points * (0.6 if (call.name, is_outage) in seen else 1))
        seen.add((call.name, is_outage))


def closed_doors(facts: TraceFacts) -> Iterator[Found]:
    """Find a change after which another change to the same record was refused."""
    for call in facts.calls:
        earlier = _closed_by(facts, call)
        if earlier is not None and call.result is not None:
            yield Found(
                rule="closed_door",
                step=earlier.step,
                what=f"The agent calls {shown_call(earlier)} first; that makes {call.name} impossible afterwards: "
                f"“{texts.shown(results.message(call.result.text), 120)}” (step {call.result.run_number}).",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                points=0.8,
                quotes=(quoted(facts, call.result, ""),),
                holds=lambda case, call=call: _closed_by(case, call) is not None,  # type: ignore[misc]
                texts=(call.name, *call.leaves()),
                tool=earlier.name,
            )


def _closed_by(facts: TraceFacts, refused: Call) -> Call | None:
    """Return the earlier change of the same record after which a change was refused for its state."""
    is_refused = refused.failed and refused.result is not None and refused.effect.is_change
    if not is_refused or not results.is_refusal(refused.result.text, facts.cues):  # type: ignore[union-attr]
        return None
    record = next(refused.leaves(), "")
    before = (call for call in facts.calls if call.step.number < refused.step.number and call.changed)
    others = (call for call in before if call.name != refused.name and record in set(call.leaves()))
    return next(others, None) if record else None


def repeated_calls(facts: TraceFacts) -> Iterator[Found]:
    """Find a call made again with the same arguments although nothing had changed since."""
    last: dict[str, Call] = {}
    for call in facts.calls:
        earlier = last.get(call.shape)
        is_reading = not call.effect.is_change and not facts.effects.is_thought(call.name)
        if earlier is not None and is_reading and not earlier.failed and not _changed_between(facts, earlier, call):
            yield Found(
                rule="repeated_call",
                step=call.step,
                what=f"The agent calls {shown_call(call)} again, as in step {earlier.step.run_number}; nothing had "
                "changed "
                f"since.",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                points=0.3,
                quotes=(quoted(facts, call.step, call.name),),
                texts=tuple(call.leaves()),
                tool=call.name,
                holds=lambda case, earlier=earlier, call=call: (  # type: ignore[misc]
                    earlier.shape == call.shape and not _changed_between(case, earlier, call)
                ),
            )
        last.setdefault(call.shape, call)


def _changed_between(facts: TraceFacts, one: Call, other: Call) -> bool:
    between = itertools.takewhile(lambda call: call is not other, facts.calls)
    return any(call.changed and call.step.number > one.step.number for call in between)


def limits(facts: TraceFacts) -> Iterator[Found]:
    """Find the notice that a run was stopped before it was done."""
    for step in facts.steps:
        found = facts.cues.find("limits", step.text[:2_000]) if not facts.is_person(step) else None
        if found:
            yield Found(
                rule="step_limit",
                step=step,
                what=f"The run is stopped here before it was done: {said(facts, step, found.group())}",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                points=0.3,
                quotes=(quoted(facts, step, found.group()),),
                texts=(found.group(),),
                holds=lambda case, step=step: not case.is_person(step) and bool(case.cues.find("limits", step.text)),  # type: ignore[misc]
            )
