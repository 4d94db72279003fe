"""What became of the user's wishes: turned down unlooked, replaced, or followed where they turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import provenance
from pytest_refinery.analysts.rules.facts import texts, values
from pytest_refinery.analysts.rules.findings import Found, quoted, said, shown_call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.traces.conversation import Step

_RECENT = 4
_MOST_SIBLINGS = 60


def ignored_wishes(facts: TraceFacts) -> Iterator[Found]:
    """Find a change with one of several possibilities where the user last named another one."""
    for call in facts.calls if not facts.parties.is_team else ():
        for text in call.leaves() if call.effect.is_change else ():
            wish = _other_wish(facts, call, text)
            if wish is not None:
                request, label = wish
                yield Found(
                    rule="ignored_wish",
                    step=call.step,
                    what=f"The user asked for “{label}” (step {request.run_number}); the agent calls "
                    f"{shown_call(call)}, and {text} is not that.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    points=0.6,
                    quotes=(quoted(facts, request, label),),
                    texts=(text, label),
                    tool=call.name,
                    holds=lambda case, call=call, text=text, wish=wish: _other_wish(case, call, text) == wish,  # type: ignore[misc]
                )
                break


def _other_wish(facts: TraceFacts, call: Call, text: str) -> tuple[Step, str] | None:
    """Return the last words about a choice, if they name another possibility than ``text``."""
    siblings = _siblings(facts, text, call)
    if not siblings:
        return None
    own = {label for other in siblings for label in provenance.labels_of(facts, text, other, before=call.step.number)}
    theirs = {
        label: other
        for other in siblings
        for label in provenance.labels_of(facts, other, text, before=call.step.number)
    }
    recent = [step for step in reversed(facts.people_steps) if step.number < call.step.number][:_RECENT]
    for step in recent:
        spoken = f" {step.text.casefold()} "
        if any(f" {label.casefold()} " in spoken for label in own):
            return None
        named = next((label for label in theirs if f" {label.casefold()} " in spoken), None)
        if named is not None:
            return step, named
    return None


def _siblings(facts: TraceFacts, text: str, call: Call) -> list[str]:
    """Return the other ids that stood beside ``text`` in the result that listed it."""
    key = values.identifier_key(text)
    record = next((r for r in facts.records.about(text, before=call.step.number) if not r.is_whole), None)
    if record is None or not any(isinstance(value, bool) for value in record.value.values()):
        return []
    beside = (r for r in facts.records.all if r.step is record.step and set(r.value) == set(record.value))
    return [entity for r in beside for entity in r.ids if entity != key][:_MOST_SIBLINGS]


def passed_over_wishes(facts: TraceFacts) -> Iterator[Found]:
    """Find an answer that passes over what the user asked for: nothing after it is about that."""
    for step in facts.answers if facts.tools and not facts.parties.is_team else ():
        request = facts.request(step)
        last = texts.sentences(request.text, facts.cues)[-1:] if request is not None else []
        if any(facts.cues.find("orders", sentence) for sentence in last) and provenance.is_passed_over(facts, step):
            yield provenance.passed_over(facts, step, "", points=0.45)


def turned_requests(facts: TraceFacts) -> Iterator[Found]:
    """Find a user who turns to something else after the agent had said what cannot be done."""
    for step in facts.people_steps[1:] if not facts.parties.is_team else ():
        found = facts.cues.find("corrects", step.text) or facts.cues.find("withdraws", step.text)
        before = next((earlier for earlier in facts.before(step) if facts.is_agent(earlier)), None)
        limited = before is not None and facts.cues.find("refused", before.text)
        if found and limited:
            yield Found(
                rule="turned_request",
                step=step,
                what=f"The user turns to something else here: {said(facts, step, found.group())}",
                failure_type=FailureType.CONTEXT_ISSUE,
                points=0.4,
                quotes=(quoted(facts, step, found.group()),),
                texts=(step.text[:400],),
                holds=lambda case, step=step, before=before: (  # type: ignore[misc]
                    case.is_person(step) and bool(before and case.cues.find("refused", before.text))
                ),
            )


def refusals_without_looking(facts: TraceFacts) -> Iterator[Found]:
    """Find answers that turn a request down without any call since it was made."""
    for step in facts.answers if facts.tools and not facts.parties.is_team else ():
        found = facts.cues.find("refused", step.text) if not step.calls else None
        request = facts.request(step)
        if found is None or request is None or any(facts.is_source(earlier) for earlier in facts.turn(step)):
            continue
        yield Found(
            rule="refused_without_looking",
            step=step,
            what=f"The agent turns the request down here without any call since it was made: "
            f"{said(facts, step, found.group())}",
            failure_type=FailureType.MODEL_LIMITATION,
            points=0.4,
            quotes=(quoted(facts, step, found.group()),),
            texts=(step.text[:400],),
            holds=lambda case, step=step: (  # type: ignore[misc]
                not step.calls and not any(case.is_source(earlier) for earlier in case.turn(step))
            ),
        )
