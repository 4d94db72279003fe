"""Which findings explain what failed: those on the way back from a failed check, or in the words of the expectation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_refinery.analysts.rules.facts import calls, texts, values
from pytest_refinery.expectations.output_check import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.findings import Found
    from pytest_refinery.analysts.rules.objections import Objection
    from pytest_refinery.traces.conversation import Step

SENTENCE = "expectation"
_ENOUGH_WORDS = 2
_GENERAL = 3


def explained(facts: TraceFacts, found: Found, failed: Sequence[Objection]) -> Found:
    """Return a finding with the labels of all that it explains."""
    if not failed:
        is_meant = bool(facts.case.expect.strip()) and _is_meant(facts, found)
        return replace(found, explains=(SENTENCE,)) if is_meant else found
    labels = [each.label for each in failed if each.label in found.explains or _lies_on_the_way(facts, found, each)]
    return replace(found, explains=tuple(dict.fromkeys(labels)))


def _lies_on_the_way(facts: TraceFacts, found: Found, objection: Objection) -> bool:
    check = objection.check
    if check.startswith("tools."):
        return _is_about_the_calls(facts, found, objection)
    if check.startswith("errors."):
        return found.step in facts.failures or any(call.failed for call in facts.calls_of.get(found.step.number, ()))
    if check.startswith(("latency.", "tokens.", "runs.")):
        return found.rule in {"repeated_call", "step_limit", "outage", "failed_call", "duplicate_change"}
    if check.startswith("output.") or facts.parties.is_team or objection.unwanted or objection.missing:
        return _feeds_the_answer(facts, found, objection)
    # A function of the suite or a judge says only in words what it is about.
    said = objection.failure.actual
    return _shares_words(facts, found, said) and (_feeds_the_answer(facts, found, objection) or _is_meant(facts, found))


def _is_about_the_calls(facts: TraceFacts, found: Found, objection: Objection) -> bool:
    """Tell whether a finding is about a call objected to, about the tool, or about the record that it is for."""
    named = {objection.tool, *objection.order}
    if found.tool in named or any(text in named for text in found.texts):
        return True
    if found.step.number in {call.step.number for call in objection.calls}:
        return True
    wanted = {folded(values.as_text(each)) for each in values.leaves(objection.demanded)}
    told = {folded(text) for text in found.texts}
    acting = frozenset().union(*(texts.content(" ".join(calls.words_of_name(name)), facts.cues) for name in named))
    is_same_act = bool(acting & facts.stems(found.step))
    return bool(wanted & told and found.tool) or (is_same_act and not found.tool)


def _feeds_the_answer(facts: TraceFacts, found: Found, objection: Objection) -> bool:
    """Tell whether a finding is about the answer, what it rests on, or the words objected to or missing."""
    answer = objection.answer
    if answer is None or facts.parties.is_team:
        return facts.parties.is_team
    spoken = [folded(text) for text in (*objection.unwanted, objection.missing) if text]
    told = [folded(text) for text in found.texts]
    if any(_overlap(one, other) for one in spoken for other in told):
        return True
    is_near = _is_in_turn(facts, found.step, answer) and not _is_another_call(facts, found, objection)
    return found.step == answer or is_near or _tells_of_it(facts, found, objection)


def _is_another_call(facts: TraceFacts, found: Found, objection: Objection) -> bool:
    """Tell whether a finding is about a call that did not bring the words objected to, where another one did."""
    sources = (facts.first_with(words) for words in objection.unwanted if found.tool)
    bringing = [
        facts.call_answered_by[step.number].step for step in sources if step and step.number in facts.call_answered_by
    ]
    return bool(bringing) and bool(found.step.calls) and found.step not in bringing


def _tells_of_it(facts: TraceFacts, found: Found, objection: Objection) -> bool:
    """Tell whether an answer follows the source of the missing words and speaks of the same."""
    if not objection.missing or not facts.is_agent(found.step) or found.step.calls:
        return False
    wanted = folded(objection.missing)
    topic = texts.content(facts.case.expect, facts.cues)
    known = any(facts.is_source(step) and wanted in facts.folded[step.number - 1] for step in facts.turn(found.step))
    return known and bool(topic & facts.stems(found.step))


def _overlap(one: str, other: str) -> bool:
    return bool(one and other) and (one in other or other in one)


def _is_in_turn(facts: TraceFacts, step: Step, answer: Step) -> bool:
    request = facts.request(answer)
    first = request.number if request is not None else 0
    return first < step.number <= answer.number


def _is_meant(facts: TraceFacts, found: Found) -> bool:
    """Tell whether the expectation speaks of what was found; a general one speaks of all."""
    named = any(value.kind != values.FIGURE or len(value.key) > 1 for value in facts.expected_values)
    return not named or _shares_words(facts, found)


def _shares_words(facts: TraceFacts, found: Found, said: str = "") -> bool:
    wanted = texts.content(facts.case.expect, facts.cues)
    told = texts.content(f"{found.what} {' '.join(found.texts)} {found.step.text[:1000]}", facts.cues)
    return any(
        len(words & told) >= (_ENOUGH_WORDS if len(words) > _GENERAL else 1)
        for words in (wanted, texts.content(said, facts.cues))
    )
