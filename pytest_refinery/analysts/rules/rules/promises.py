"""Promises that nothing stands behind, and work that is said to be done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import provenance
from pytest_refinery.analysts.rules.facts import calls, texts
from pytest_refinery.analysts.rules.findings import Found, Quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.traces.conversation import Step

# What is longer is a document that the agent passes on.
_LONGEST_REPLY = 3_000


def lasting_promises(facts: TraceFacts) -> Iterator[Found]:
    """Find promises for later conversations that no tool call keeps."""
    for step in facts.answers if not facts.parties.is_team else ():
        promise = _promise(facts, step)
        if promise and not _is_kept(facts, step):
            yield _lasting(facts, step, promise)


def _lasting(facts: TraceFacts, step: Step, promise: str) -> Found:
    keeper = next((name for name in sorted(facts.tools) if _keeps(facts, name)), "")
    unsaid = "" if facts.cues.find("forgets", facts.given) else " The prompt does not say that nothing is kept."
    lack = f"it did not call {keeper}, which could have kept it." if keeper else f"no tool can store anything.{unsaid}"
    return Found(
        rule="lasting_promise",
        step=step,
        what=f"The agent promises something for later: “{texts.shown(promise, 160)}” But {lack}",
        failure_type=FailureType.PROMPT_ISSUE if unsaid and not keeper else FailureType.MODEL_LIMITATION,
        points=0.85,
        quotes=(Quoted(step, promise),),
        holds=lambda case: _promise(case, step) == promise and not _is_kept(case, step),
        texts=(promise,),
        tool=keeper,
    )


def _promise(facts: TraceFacts, step: Step) -> str:
    text = step.text
    if len(text) > _LONGEST_REPLY:
        return ""
    for found in facts.cues.all("lasting", text):
        sentence = texts.sentence_at(text, found.start(), facts.cues)
        speaks = facts.cues.find("first_person", sentence) or facts.cues.find("done", sentence)
        if speaks and not facts.cues.find("denied", sentence):
            return texts.quote(text, found.start(), facts.cues)
    return ""


def _keeps(facts: TraceFacts, tool: str) -> bool:
    return bool(set(calls.words_of_name(tool)) & set(facts.cues["keeps"]))


def _is_kept(facts: TraceFacts, step: Step) -> bool:
    made = (call for call in facts.calls if call.step.number <= step.number)
    return any(_keeps(facts, call.name) and not call.failed for call in made)


def claims_without_a_call(facts: TraceFacts) -> Iterator[Found]:
    """Find answers that report a change although no call before them can have made it."""
    if facts.parties.is_team or not facts.tools:
        return
    for step in facts.answers:
        sentence = provenance.claim_in(facts, step)
        if sentence and not _was_done(facts, step, sentence):
            yield Found(
                rule="claimed_without_call",
                step=step,
                what=f"The agent says that something is done: “{texts.shown(sentence, 160)}” No call before it did "
                f"that.{provenance.only_quoted(facts, step)}",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.5,
                quotes=(Quoted(step, sentence),),
                holds=partial(_is_still_undone, step=step, sentence=sentence),
                texts=(sentence,),
            )


def _was_done(facts: TraceFacts, step: Step, sentence: str) -> bool:
    """Tell whether a call before a claim may have done it, or a source says the same."""
    done = {texts.stem(found.group().lower()) for found in facts.cues.all("done", sentence)}
    before = facts.steps[: step.number - 1]
    made = [call for call in facts.calls if call.step.number < step.number and call.result is not None]
    may_have = any(
        (call.changed or (call.effect is calls.Effect.UNKNOWN and not call.failed) or _is_named_so(call, done))
        and not _denies(call, done)
        for call in made
    )
    return may_have or any(facts.is_source(other) and done <= facts.stems(other) for other in before)


def _is_named_so(call: calls.Call, done: set[str]) -> bool:
    first = next(iter(calls.words_of_name(call.name)), "")
    return not call.failed and texts.stem(first) in done


def _denies(call: calls.Call, done: set[str]) -> bool:
    """Tell whether a result says that what is claimed was not done: ``"sent": false``."""
    fields = call.value.items() if isinstance(call.value, Mapping) else ()
    return any(value is False and texts.stem(str(name).lower()) in done for name, value in fields)


def _is_still_undone(facts: TraceFacts, *, step: Step, sentence: str) -> bool:
    return not _was_done(facts, step, sentence)
