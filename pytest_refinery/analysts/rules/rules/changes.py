"""Changes that were made twice, without consent, too widely, or with values that no one gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import provenance
from pytest_refinery.analysts.rules.facts import calls, texts, values
from pytest_refinery.analysts.rules.facts.cues import Cues
from pytest_refinery.analysts.rules.findings import Found, Quoted, quoted, said, shown_call
from pytest_refinery.expectations.output_check import folded

if TYPE_CHECKING:
    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.traces.conversation import Step

_SHORTEST_ID = 5
_RECENT = 40
_MOST_LISTED = 3
_NO_CUES = Cues(())


def duplicate_changes(facts: TraceFacts) -> Iterator[Found]:
    """Find a change that is made again after it had succeeded."""
    done: dict[str, Call] = {}
    for call in facts.calls:
        earlier = done.get(call.shape)
        if earlier is not None and call.effect.is_change and not _was_asked_again(facts, earlier, call):
            yield Found(
                rule="duplicate_change",
                step=call.step,
                what=f"The agent calls {shown_call(call)} again here; the same call had succeeded in step "
                f"{earlier.step.run_number}.",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                points=0.8,
                quotes=(quoted(facts, call.step, call.name),),
                holds=partial(_still_twice, call=call),
                texts=tuple(call.leaves()),
                tool=call.name,
            )
        if call.changed:
            done.setdefault(call.shape, call)


def _was_asked_again(facts: TraceFacts, earlier: Call, call: Call) -> bool:
    request = facts.request(call.step)
    return request is not None and request.number > earlier.step.number and bool(facts.cues.find("again", request.text))


def _still_twice(facts: TraceFacts, *, call: Call) -> bool:
    return sum(each.shape == call.shape and each.result is not None for each in facts.calls) > 1


def unconfirmed_changes(facts: TraceFacts) -> Iterator[Found]:
    """Find a change that a prompt wants confirmed, made without the user's yes."""
    rule = _confirmation_rule(facts)
    for call in facts.calls if rule else ():
        if (
            call.effect.is_change
            and not provenance.is_handover(facts, call)
            and not provenance.is_confirmed(facts, call)
        ):
            yield Found(
                rule="unconfirmed_change",
                step=call.step,
                what=f"The agent calls {shown_call(call)} here before the user has agreed. The prompt says: "
                f"“{texts.shown(rule, 140)}”",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.65,
                quotes=(quoted(facts, call.step, call.name),),
                holds=lambda case, call=call: not provenance.is_confirmed(case, call),  # type: ignore[misc]
                texts=tuple(call.leaves()),
                tool=call.name,
            )


def _confirmation_rule(facts: TraceFacts) -> str:
    """Return the sentence of the prompt that wants changes confirmed."""
    for rule in facts.prompt_rules:
        limits = any(facts.cues.find(name, rule.text) for name in ("first", "changes", "acting"))
        if facts.cues.find("wants_confirmation", rule.text) and limits:
            return rule.text
    return ""


def acted_on_questions(facts: TraceFacts) -> Iterator[Found]:
    """Find a change that was made although the user only asked what it would mean."""
    for call in facts.calls if not facts.parties.is_team else ():
        request = facts.request(call.step)
        if request is not None and call.effect.is_change and _only_wonders(facts, request.text):
            yield Found(
                rule="acted_on_question",
                step=call.step,
                what=f"The user only asks (step {request.run_number}): {said(facts, request)} The agent calls "
                f"{shown_call(call)} here.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.95,
                quotes=(quoted(facts, request, ""), quoted(facts, call.step, call.name)),
                holds=lambda case, request=request: _only_wonders(case, request.text),  # type: ignore[misc]
                texts=tuple(call.leaves()),
                tool=call.name,
            )


def _only_wonders(facts: TraceFacts, text: str) -> bool:
    """Tell whether all that a person says is a question about what would be."""
    asked = [sentence.rstrip().endswith(("?", "\uff1f")) for sentence in texts.sentences(text, facts.cues)]
    return bool(asked) and all(asked) and bool(facts.cues.find("wonders", text))


def invented_arguments(facts: TraceFacts) -> Iterator[Found]:
    """Find ids in calls that no person, tool or prompt has named."""
    for call in facts.calls:
        for text in call.leaves():
            if _is_id(text) and _is_new(facts, call, text):
                yield Found(
                    rule="invented_argument",
                    step=call.step,
                    what=f"The agent calls {shown_call(call)} with {texts.shown(text, 60)}, which no message, result "
                    "or prompt "
                    f"has before.",
                    failure_type=FailureType.MODEL_LIMITATION,
                    points=0.7 if call.effect.is_change or call.failed else 0.5,
                    quotes=(quoted(facts, call.step, text),),
                    holds=lambda case, call=call, text=text: _is_new(case, call, text),  # type: ignore[misc]
                    texts=(text,),
                    tool=call.name,
                )
                break


def _is_id(text: str) -> bool:
    is_plain = " " in text or len(text) < _SHORTEST_ID or any(mark in text for mark in "/@{}()*+,")
    found = values.find(text, _NO_CUES) if not is_plain else []
    return len(found) == 1 and found[0].kind == values.ID and len(found[0].text) == len(text)


def _is_new(facts: TraceFacts, call: Call, text: str) -> bool:
    wanted = folded(text).removeprefix("#")
    if any(wanted in folded(spoken) for spoken in (facts.given, facts.case.expect, facts.case.business_context)):
        return False
    return not any(wanted in facts.folded[step.number - 1] for step in facts.steps[: call.step.number - 1])


def other_records(facts: TraceFacts) -> Iterator[Found]:
    """Find a look-up of another record than the one that the user named, which is never looked up."""
    for call in facts.calls:
        request = facts.request(call.step)
        if request is None or call.effect.is_change:
            continue
        named = {
            v.key: v.text
            for v in facts.values[request.number - 1]
            if v.kind == values.ID and len(v.key) >= _SHORTEST_ID
        }
        for text in call.leaves() if named else ():
            if not _is_id(text):
                continue
            key = values.identifier_key(text)
            meant = next((name for name in named if _is_alike(name, key)), None)
            if meant is not None and key not in named and not _looked_up(facts, meant, call):
                yield _other_record(facts, call, request, text, named[meant])


def _is_alike(one: str, other: str) -> bool:
    """Tell whether two ids are written the same way: letters in the same places."""
    return one != other and _form(one) == _form(other)


def _form(text: str) -> str:
    return "".join("9" if character.isdigit() else character for character in text)


def _looked_up(facts: TraceFacts, key: str, like: Call) -> bool:
    same = (call for call in facts.calls if call.name == like.name)
    return any(key in set(map(values.identifier_key, call.leaves())) for call in same)


def _other_record(facts: TraceFacts, call: Call, request: Step, text: str, meant: str) -> Found:
    return Found(
        rule="other_record",
        step=call.step,
        what=f"The user asks about {meant} (step {request.run_number}); the agent calls {shown_call(call)} here and "
        "never looks up "
        f"{meant}.",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.75,
        quotes=(quoted(facts, request, meant), quoted(facts, call.step, text)),
        texts=(text, meant),
        tool=call.name,
        holds=lambda case: not _looked_up(case, values.identifier_key(meant), call) and meant in request.text,
    )


def wider_than_asked(facts: TraceFacts) -> Iterator[Found]:
    """Find a change to a whole record where the user spoke only of some of its parts."""
    for call in facts.calls:
        if (
            not call.effect.is_change
            or call.failed
            or not facts.cues.find("ends_it", " ".join(calls.words_of_name(call.name)))
        ):
            continue
        parts = _parts(facts, call)
        spoken = _spoken(facts, call)
        named = [name for name in parts if texts.content(name, facts.cues) & spoken]
        others = [name for name in parts if name not in named]
        if named and others and not _names_a_part(call):
            yield _wider(facts, call, named, others)


def _parts(facts: TraceFacts, call: Call) -> list[str]:
    """Return the names of the parts of the record that a call is about."""
    record = next(
        (r for text in call.leaves() for r in facts.records.about(text, before=call.step.number) if r.is_whole), None
    )
    if record is None:
        return []
    lists = (value for value in record.value.values() if isinstance(value, list))
    parts = (part for found in lists for part in found if isinstance(part, Mapping))
    return list(dict.fromkeys(str(part["name"]) for part in parts if isinstance(part.get("name"), str)))


def _spoken(facts: TraceFacts, call: Call) -> frozenset[str]:
    recent = [step for step in facts.people_steps if step.number < call.step.number][-2:]
    return frozenset().union(*(facts.stems(step) for step in recent))


def _names_a_part(call: Call) -> bool:
    return any(isinstance(value, list) for value in call.arguments.values())


def _wider(facts: TraceFacts, call: Call, named: list[str], others: list[str]) -> Found:
    request = facts.request(call.step)
    return Found(
        rule="wider_than_asked",
        step=call.step,
        what=f"The agent calls {shown_call(call)} here, which takes in the whole record, {_listed(others)} too; the "
        "user had "
        f"spoken of {_listed(named)}.",
        failure_type=FailureType.PROMPT_ISSUE,
        points=0.65,
        quotes=(quoted(facts, request, ""),) if request else (),
        texts=tuple(call.leaves()),
        tool=call.name,
        holds=partial(_is_wider, call=call, named=tuple(named), others=tuple(others)),
    )


def _is_wider(facts: TraceFacts, *, call: Call, named: tuple[str, ...], others: tuple[str, ...]) -> bool:
    parts, spoken = set(_parts(facts, call)), folded("\n".join(step.text for step in facts.people_steps[-2:]))
    return {*named, *others} <= parts and not any(folded(name) in spoken for name in others)


def _listed(names: list[str]) -> str:
    more = " and more" if len(names) > _MOST_LISTED else ""
    return f"{', '.join(names[:_MOST_LISTED])}{more}"


def unasked_choices(facts: TraceFacts) -> Iterator[Found]:
    """Find a change that picks one of several alternatives of which no one has spoken."""
    alternatives: dict[str, str] = {}
    for step in facts.steps:
        if step.number in facts.parsed:
            alternatives |= _alternatives(facts.parsed[step.number])
        for call in facts.calls_of.get(step.number, ()):
            for text in call.leaves() if call.effect.is_change else ():
                if text in alternatives and not _is_spoken(facts, step, text):
                    yield _unasked(facts, call, text, alternatives[text])


def _unasked(facts: TraceFacts, call: Call, text: str, other: str) -> Found:
    return Found(
        rule="unasked_choice",
        step=call.step,
        what=f"The agent calls {shown_call(call)} with {text}; no one had chosen it, and there was {other} too.",
        failure_type=FailureType.PROMPT_ISSUE,
        points=0.5,
        quotes=(quoted(facts, call.step, text),),
        holds=lambda case: not _is_spoken(case, call.step, text),
        texts=(text,),
        tool=call.name,
    )


def _alternatives(result: object) -> dict[str, str]:
    """Return for each key of a result that people can say another one that stands beside it."""
    found: dict[str, str] = {}
    stack = [result]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            keys = [str(key) for key in item if _spoken_words(str(key))]
            found |= dict(zip(keys, keys[1:] + keys[:1], strict=True)) if len(keys) > 1 else {}
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found


def _spoken_words(key: str) -> str:
    """Return the words that a person says for an id such as ``credit_card_7952624``."""
    has_words = "_" in key and any(c.isdigit() for c in key) and key[-1].isdigit()
    return " ".join(calls.words_of_name(key)) if has_words else ""


def _is_spoken(facts: TraceFacts, step: Step, text: str) -> bool:
    """Tell whether a person or the agent has said the words of an id, or the id itself, before ``step``."""
    words = _spoken_words(text)
    last = words.rpartition(" ")[2]
    for earlier in facts.steps[max(0, step.number - _RECENT) : step.number]:
        spoken = earlier.text.lower() if earlier.role in {"user", "assistant"} else ""
        if words in spoken or text.lower() in spoken or (len(last) > 3 and last in spoken):  # noqa: PLR2004
            return True
        if facts.cues.find("same_as_before", spoken):
            return True
    return False


def unavailable_choices(facts: TraceFacts) -> Iterator[Found]:
    """Find calls for an entry that a tool has marked as not to be had."""
    lacking: dict[str, tuple[str, Step]] = {}
    owned: set[str] = set()
    for step in facts.steps:
        for record in (r for r in facts.records.all if r.step is step):
            lack = next((str(key) for key, value in record.value.items() if value is False), "")
            if lack:
                lacking |= dict.fromkeys(record.ids, (lack, step))
            else:
                owned |= record.ids
        for call in facts.calls_of.get(step.number, ()):
            for text in call.leaves() if call.effect.is_change else ():
                key = values.identifier_key(text)
                if key in lacking and key not in owned:
                    yield _unavailable(facts, call, text, *lacking[key])


def _unavailable(facts: TraceFacts, call: Call, text: str, lack: str, step: Step) -> Found:
    return Found(
        rule="unavailable_choice",
        step=call.step,
        what=f"The agent calls {shown_call(call)} for {text}, which step {step.run_number} marks as not {lack}.",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.7,
        quotes=(quoted(facts, step, text),),
        texts=(text,),
        tool=call.name,
        holds=partial(_is_marked, text=text, lack=lack, step=step),
    )


def _is_marked(facts: TraceFacts, *, text: str, lack: str, step: Step) -> bool:
    known = (record for record in facts.records.about(text, before=len(facts.steps) + 1) if record.step is step)
    return any(record.value.get(lack) is False for record in known)


def early_handovers(facts: TraceFacts) -> Iterator[Found]:
    """Find a hand-over to a person, which ends what the agent could have gone on with."""
    for call in facts.calls:
        if provenance.is_handover(facts, call):
            request = facts.request(call.step)
            asked = f" The user had last said: {said(facts, request)}" if request else ""
            yield Found(
                rule="early_handover",
                step=call.step,
                what=f"The agent hands the conversation over to a person here: {shown_call(call)}.{asked}",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                points=0.45,
                quotes=(Quoted(call.step, call.name),),
                texts=tuple(call.leaves()),
                tool=call.name,
                holds=lambda case, call=call: provenance.is_handover(case, call),  # type: ignore[misc]
            )


def skipped_first_steps(facts: TraceFacts) -> Iterator[Found]:
    """Find work that begins without the look-up which the prompt wants first."""
    rule = next((r for r in facts.prompt_rules if facts.cues.find("at_the_beginning", r.text)), None)
    first = next((call for call in facts.calls if not facts.effects.is_thought(call.name)), None)
    if rule is None or first is None:
        return
    wanted = [
        name for name in facts.tools if texts.content(" ".join(calls.words_of_name(name)), facts.cues) & rule.stems
    ]
    begins = texts.content(" ".join(calls.words_of_name(first.name)), facts.cues) & rule.stems
    if wanted and not begins:
        yield Found(
            rule="skipped_first_step",
            step=first.step,
            what=f"The first call is {shown_call(first)}; the prompt says: “{texts.shown(rule.text, 140)}”",
            failure_type=FailureType.MODEL_LIMITATION,
            points=0.45,
            quotes=(quoted(facts, first.step, first.name),),
            texts=tuple(first.leaves()),
            tool=first.name,
            holds=lambda case: (
                rule.text in case.given
                and not any(c.step.number < first.step.number and c.name in wanted for c in case.calls)
            ),
        )
