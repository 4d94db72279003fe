"""Where a value came from, who asked for a call, and what contradicts an expectation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules.facts import calls, results, texts, values
from pytest_refinery.analysts.rules.facts.records import is_id_key
from pytest_refinery.analysts.rules.findings import Found, Quoted, quoted, said, shown_call
from pytest_refinery.expectations.output_check import folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.records import Record
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.facts.values import Value
    from pytest_refinery.traces.conversation import Step

_SHORTEST_TELLING = 3
_LONGEST_STATUS = 40
_LONGEST_STATE = 3
_RECENT_REQUESTS = 5
_SHARE_OF_A_NAME = 0.4


@dataclass(frozen=True)
class Origin:
    """Where a wrong argument entered."""

    rule: str
    step: Step
    what: str
    failure_type: FailureType
    points: float
    quotes: tuple[Quoted, ...] = ()


@dataclass(frozen=True)
class Contradiction:
    """A record that says something else than the expectation."""

    step: Step
    teller: Step
    value: str
    said: str


# Values without a source


def has_no_source(facts: TraceFacts, *, value: Value, step: Step) -> bool:
    """Tell whether a value stands nowhere before ``step``: no message, result, prompt, nor the expectation."""
    if facts.has_source(value, before=step.number):
        return False
    written = value.text.casefold()
    spoken = (facts.case.expect, facts.case.business_context, facts.given)
    earlier = (other.text for other in facts.steps[: step.number - 1] if not facts.is_agent(other))
    return not any(written in text.casefold() for text in (*spoken, *earlier))


def is_asked_for(facts: TraceFacts, call: Call) -> bool:
    """Tell whether a person has named what a call is made with."""
    given = {values.identifier_key(text) for text in call.leaves() if len(text) >= _SHORTEST_TELLING}
    for step in facts.people_steps:
        if step.number < call.step.number:
            named = {value.key for value in facts.values[step.number - 1] if value.kind == values.ID}
            if given & named:
                return True
    return False


# Expectations that a record contradicts


def contradicting_record(facts: TraceFacts, missing: str) -> Contradiction | None:
    """Return the record that has another value than the expectation demands, which an answer gives rightly.

    The record is about what the expectation or a person names, its field is spoken of in the expectation, and no
    source has the demanded value.
    """
    if any(_has_value(facts, step, missing) for step in facts.steps if not facts.is_agent(step)):
        return None
    if folded(missing) in folded(facts.given):
        return None
    spoken = texts.content(facts.case.expect, facts.cues) | texts.content(missing, facts.cues)
    named = _named_entities(facts)
    for record in reversed(facts.records.all):
        if _is_about(facts, record, named):
            found = _other_value(facts, record, missing, spoken)
            if found is not None:
                return found
    return None


def stands_in_a_source(facts: TraceFacts, words: str) -> bool:
    """Tell whether any source has the words as they are."""
    return any(folded(words) in folded(step.text) for step in facts.steps if facts.is_source(step))


def _has_value(facts: TraceFacts, step: Step, missing: str) -> bool:
    wanted = {key for value in values.find(missing, facts.cues) for key in value.keys}
    held = {key for value in facts.values[step.number - 1] for key in value.keys}
    return folded(missing) in folded(step.text) or bool(wanted & held)


def _named_entities(facts: TraceFacts) -> frozenset[str]:
    """Return the ids that the expectation or a person names."""
    spoken = [value.key for step in facts.people_steps for value in facts.values[step.number - 1]]
    return frozenset((*spoken, *(value.key for value in facts.expected_values if value.kind == values.ID)))


def _is_about(facts: TraceFacts, record: Record, named: frozenset[str]) -> bool:
    call = facts.call_answered_by.get(record.step.number)
    asked = {values.identifier_key(text) for text in call.leaves()} if call else set()
    name = record.value.get("name") or record.value.get("title")
    is_named = isinstance(name, str) and len(name) >= _SHORTEST_TELLING and folded(name) in folded(facts.case.expect)
    return is_named or bool((record.ids | asked) & named) or len(facts.records.all) == 1


def _other_value(facts: TraceFacts, record: Record, missing: str, spoken: frozenset[str]) -> Contradiction | None:
    for path, value in record.fields.items():
        name = path.rpartition(".")[2]
        words = texts.content(" ".join(calls.words_of_name(name)), facts.cues)
        if words & spoken and not is_id_key(name) and _is_other(facts, value, missing):
            teller = next((step for step in facts.answers if _is_told(facts, value, step)), None)
            if teller is not None and teller.number > record.step.number:
                return Contradiction(
                    record.step, teller, values.as_text(value), _as_recorded(facts, record, name, value)
                )
    return None


def _as_recorded(facts: TraceFacts, record: Record, name: str, value: object) -> str:
    call = facts.call_answered_by.get(record.step.number)
    source = f"{shown_call(call)} returned" if call else f"step {record.step.number} says"
    return f"{source} {name}: {values.as_text(value)} (step {record.step.number})"


def _is_other(facts: TraceFacts, value: object, missing: str) -> bool:
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        wanted = {key for found in values.find(missing, facts.cues) for key in found.keys if key[0] == values.FIGURE}
        return bool(wanted) and (values.FIGURE, values.figure_keys(values.as_text(value))[0]) not in wanted
    text = str(value)
    is_word = 1 < len(text) <= _LONGEST_STATUS and not any(character.isdigit() for character in text + missing)
    return is_word and len(missing.split()) <= _LONGEST_STATE and folded(text) not in folded(missing)


def _is_told(facts: TraceFacts, value: object, step: Step) -> bool:
    if isinstance(value, int | float):
        key = (values.FIGURE, values.figure_keys(values.as_text(value))[0])
        return any(key in found.keys for found in facts.values[step.number - 1])
    return folded(str(value)) in folded(step.text)


# Arguments


def of_argument(facts: TraceFacts, call: Call, path: str, wanted: object, actual: object) -> Origin:
    """Return where the actual value of an argument entered in place of the wanted one."""
    if wanted is None or actual is None:
        return _incomplete(facts, call, path, wanted, actual)
    wish, other = values.as_text(wanted), values.as_text(actual)
    asked = _last_named(facts, call, wish, other) or _corrected(facts, call, wish, other)
    got = _last_named(facts, call, other, wish)
    if asked is not None and (got is None or got.number < asked.number):
        return _ignored_person(facts, call, path, wish, other, asked)
    held = got or _holder(facts, other, call)
    if held is not None and _is_beyond_the_trace(facts, wish):
        return _beyond(facts, call, path, wish, other, held)
    if got is not None:
        return _from_person(facts, call, path, wish, other, got)
    if held is None:
        return _from_nobody(facts, call, path, wish, other)
    return _from_record(facts, call, path, wish, other, held)


def _incomplete(facts: TraceFacts, call: Call, path: str, wanted: object, actual: object) -> Origin:
    thing = f"without {path}: {values.as_text(wanted)}" if wanted is not None else f"with {values.as_text(actual)} too"
    return Origin(
        "incomplete_call",
        call.step,
        f"The agent calls {shown_call(call)} here, {thing}.{_known_from(facts, values.as_text(wanted or ''), call)}",
        FailureType.MODEL_LIMITATION,
        0.55,
        (quoted(facts, call.step, call.name),),
    )


def _known_from(facts: TraceFacts, text: str, call: Call) -> str:
    """Say where the wanted value was known."""
    if len(text) < _SHORTEST_TELLING:
        return ""
    if folded(text) in folded(facts.given):
        place = folded(facts.given).find(folded(text))
        line = (
            next((line for line in facts.given.splitlines() if folded(text) in folded(line)), "") if place >= 0 else ""
        )
        return f" The prompt has {text}: “{texts.shown(line, 100)}”."
    step = _holder(facts, text, call)
    return f" {text} was known from step {step.number} ({step.speaker})." if step else ""


def _ignored_person(facts: TraceFacts, call: Call, path: str, wish: str, other: str, asked: Step) -> Origin:
    step = _first_use(facts, other, wish, after=asked.number, call=call)
    return Origin(
        "ignored_person",
        step,
        f"The user asked for something else: {said(facts, asked, wish)} (step {asked.number}). The agent goes on with "
        f"{path}: {texts.shown(other, 60)} and calls {shown_call(call)} in step {call.step.number}.",
        FailureType.MODEL_LIMITATION,
        0.75,
        (quoted(facts, asked, wish),),
    )


def _from_person(facts: TraceFacts, call: Call, path: str, wish: str, other: str, got: Step) -> Origin:
    first = facts.people_steps[0] if facts.people_steps else None
    is_turn = got is not first
    return Origin(
        "followed_request",
        got if is_turn else call.step,
        f"The user asks for it here: {said(facts, got, other)} The agent follows and calls {shown_call(call)} in step "
        f"{call.step.number}; {path}: {texts.shown(wish, 60)} was expected.",
        FailureType.CONTEXT_ISSUE,
        0.55,
        (quoted(facts, got, other),),
    )


def _is_beyond_the_trace(facts: TraceFacts, wish: str) -> bool:
    """Tell whether nothing in the trace has what was demanded, nor two figures that it follows from."""
    if len(wish) < _SHORTEST_TELLING or _stands_anywhere(facts, wish):
        return False
    figures = [value for value in values.find(wish, facts.cues) if value.kind == values.FIGURE]
    return not any(facts.is_derived(value, before=len(facts.steps) + 1) for value in figures)


def _beyond(facts: TraceFacts, call: Call, path: str, wish: str, other: str, held: Step) -> Origin:
    by = "the user asked for" if facts.is_person(held) else f"{held.speaker} returned"
    return Origin(
        "contradicted_expectation",
        call.step,
        f"Check the expectation: it demands {path}: {texts.shown(wish, 60)}, which no message, result or prompt has; "
        f"{by} "
        f"{texts.shown(other, 60)} (step {held.number}), and the agent uses that.",
        FailureType.CONTEXT_ISSUE,
        0.8,
        (quoted(facts, held, other),),
    )


def _from_nobody(facts: TraceFacts, call: Call, path: str, wish: str, other: str) -> Origin:
    step = _first_use(facts, other, wish, after=0, call=call)
    return Origin(
        "wrong_argument",
        step,
        f"The agent calls {shown_call(call)}; {path}: {texts.shown(other, 60)} stands in no message, result or "
        "prompt before."
        f"{_known_from(facts, wish, call)}",
        FailureType.MODEL_LIMITATION,
        0.75,
        (quoted(facts, call.step, call.name),),
    )


def _from_record(facts: TraceFacts, call: Call, path: str, wish: str, other: str, held: Step) -> Origin:
    step = _proposal(facts, other, wish, call=call)
    given = f"{held.speaker} (step {held.number})"
    return Origin(
        "wrong_choice",
        step,
        f"The agent calls {shown_call(call)}; it takes {path}: {texts.shown(other, 60)} from {given}."
        f"{_known_from(facts, wish, call)}",
        FailureType.MODEL_LIMITATION,
        0.65,
        (quoted(facts, call.step, call.name),),
    )


def _first_use(facts: TraceFacts, other: str, wish: str, *, after: int, call: Call) -> Step:
    """Return the first agent's step that takes ``other`` and not ``wish``: a proposal, or the call itself."""
    wanted, unwanted = folded(other), folded(wish)
    if len(wanted) >= _SHORTEST_TELLING:
        for step in facts.agent_steps:
            if after < step.number < call.step.number:
                text = facts.folded[step.number - 1]
                if wanted in text and unwanted not in text:
                    return step
    return call.step


def _proposal(facts: TraceFacts, other: str, wish: str, *, call: Call) -> Step:
    """Return the question in which the agent proposed ``other`` and the user agreed; else the call itself."""
    request = facts.request(call.step)
    asked = next((s for s in facts.before(request) if facts.is_agent(s)), None) if request is not None else None
    if asked is None or not asked.text.strip():
        return call.step
    text = folded(asked.text)
    return asked if folded(other) in text and folded(wish) not in text and "?" in asked.text else call.step


def _holder(facts: TraceFacts, text: str, call: Call) -> Step | None:
    """Return the first step of a source that has a value, before a call."""
    if len(text) < 2:  # noqa: PLR2004  (a lone digit stands anywhere)
        return None
    wanted = folded(text)
    found = (step for step in facts.steps[: call.step.number - 1] if facts.is_source(step))
    return next((step for step in found if wanted in facts.folded[step.number - 1]), None)


def _stands_anywhere(facts: TraceFacts, text: str) -> bool:
    wanted = folded(text)
    return wanted in folded(facts.given) or any(wanted in held for held in facts.folded)


def _last_named(facts: TraceFacts, call: Call, text: str, other: str) -> Step | None:
    """Return the last message in which a person names a value, or what its record says and the other's does not."""
    labels = [folded(label) for label in labels_of(facts, text, other, before=call.step.number)]
    unlike = [folded(label) for label in labels_of(facts, other, text, before=call.step.number)]
    for step in reversed(facts.people_steps):
        if step.number < call.step.number:
            spoken = f" {folded(step.text)} "
            if any(_named(label, spoken) for label in labels) and not any(_named(label, spoken) for label in unlike):
                return step
    return None


def _corrected(facts: TraceFacts, call: Call, wish: str, other: str) -> Step | None:
    """Return the last message before a call, where it corrects something and names what was wanted."""
    request = facts.request(call.step)
    if request is None or not facts.cues.find("corrects", request.text):
        return None
    spoken = f" {folded(request.text)} "
    labels = labels_of(facts, wish, other, before=call.step.number)
    return request if any(_named(folded(label), spoken) for label in labels) else None


def _named(label: str, spoken: str) -> bool:
    place = spoken.find(label)
    while place >= 0:
        end = place + len(label)
        if not spoken[place - 1].isalnum() and not spoken[end : end + 1].isalnum():
            return True
        place = spoken.find(label, place + 1)
    return False


def labels_of(facts: TraceFacts, text: str, other: str, *, before: int) -> list[str]:
    """Return what a person may call a value: the value, the words in an id, what only its record says."""
    own = [text] if len(text) >= _SHORTEST_TELLING else []
    words = " ".join(calls.words_of_name(text)) if any(c.isdigit() for c in text) and "_" in text else ""
    theirs = set(map(folded, _texts_of(facts, other, before)))
    only = [label for label in _texts_of(facts, text, before) if folded(label) not in theirs]
    return [label for label in dict.fromkeys((*own, words, *only)) if len(label) >= _SHORTEST_TELLING]


def _texts_of(facts: TraceFacts, entity: str, before: int) -> list[str]:
    record = next(facts.records.about(entity, before=before), None)
    if record is None:
        return []
    found = (value for key, value in record.fields.items() if not is_id_key(key.rpartition(".")[2]))
    return [value for value in found if isinstance(value, str) and _SHORTEST_TELLING <= len(value) <= _LONGEST_STATUS]


# Requests


def order_for(facts: TraceFacts, call: Call) -> Step | None:
    """Return the later message in which a person turned to what a call does, ``None`` where none did."""
    given = {values.identifier_key(text) for text in call.leaves() if len(text) > _SHORTEST_TELLING}
    recent = [step for step in reversed(facts.people_steps) if step.number < call.step.number][:_RECENT_REQUESTS]
    for step in recent:
        named = {value.key for value in facts.values[step.number - 1]}
        if speaks_of(facts, call.name, facts.stems(step)) or named & given:
            return step if step is not facts.people_steps[0] else None
    return None


def prompt_sentence(facts: TraceFacts, call: Call) -> str:
    """Return the sentence of the prompt that speaks of what a call does and says no."""
    acting = texts.content(" ".join(calls.words_of_name(call.name)), facts.cues)
    for rule in facts.prompt_rules:
        if len(rule.stems & acting) >= min(2, len(acting)) and facts.cues.find("negations", rule.text):
            return rule.text
    return ""


# Failures and calls that are missing


def of_failure(facts: TraceFacts, call: Call, label: str, *, points: float) -> Found:
    """Return what is to be said of a call that failed."""
    assert call.result is not None  # noqa: S101  (it failed, so it has a result)
    error = results.message(call.result.text)
    again = [each for each in facts.calls if each.name == call.name and each.failed and each is not call]
    is_outage = results.is_outage(call.result.text, facts.cues)
    times = f" It failed {len(again) + 1} times." if again else ""
    what = (
        f"{call.name} could not be reached here: “{texts.shown(error, 160)}”.{times}"
        if is_outage
        else f"The agent calls {shown_call(call)} here, and it fails: “{texts.shown(error, 160)}”.{times}"
    )
    return Found(
        rule="outage" if is_outage else "failed_call",
        step=call.result if is_outage else call.step,
        what=what,
        failure_type=FailureType.INFRASTRUCTURE if is_outage else FailureType.TOOL_ISSUE,
        points=points,
        quotes=(Quoted(call.result, texts.shown(error, 80).rstrip("…")),),
        explains=(label,) if label else (),
        texts=(error[:80],),
        tool=call.name,
    )


def of_missing_call(facts: TraceFacts, tool: str, label: str, demanded: Mapping[str, object]) -> Iterator[Found]:
    """Yield what kept the agent from a call that was expected: a failure, a closed way, a hand-over, a refusal."""
    tried = [call for call in facts.calls if call.name == tool and call.failed]
    if tried:
        yield of_failure(facts, tried[0], label, points=0.65)
    yield from _other_calls_for_it(facts, tool, label, demanded)
    yield from _never_asked(facts, tool, label)
    claimed = list(_claimed(facts, tool, label))
    yield from claimed or _refusals(facts, tool, label)
    yield from () if claimed else _agreed_and_not_done(facts, tool, label)
    yield from _handed_over(facts, tool, label)


def _other_calls_for_it(facts: TraceFacts, tool: str, label: str, demanded: Mapping[str, object]) -> Iterator[Found]:
    """Yield the first call that does something else to the record that the missing call is about."""
    wanted = {values.identifier_key(values.as_text(each)) for each in values.leaves(demanded)}
    for call in facts.calls:
        own = set(map(values.identifier_key, call.leaves()))
        if call.name != tool and call.effect.is_change and call.result is not None and (own & wanted or not wanted):
            if is_handover(facts, call):
                continue
            end = f" It fails: “{texts.shown(results.message(call.result.text), 100)}”." if call.failed else ""
            yield Found(
                rule="other_call_instead",
                step=call.step,
                what=f"Instead of {tool}, the agent calls {shown_call(call)} here.{end}",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                points=0.6 if call.failed else 0.5,
                quotes=(quoted(facts, call.result, ""),),
                explains=(label,),
                texts=tuple(call.leaves()),
                tool=call.name,
            )
            return


def _refusals(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    """Yield the last answer that turns down what the missing call would have done."""
    for step in reversed(facts.answers):
        found = facts.cues.find("refused", step.text) if not step.calls else None
        request = facts.request(step)
        about = facts.stems(step) | (facts.stems(request) if request else frozenset())
        if found is not None and speaks_of(facts, tool, about):
            yield Found(
                rule="refused_it",
                step=step,
                what=f"The agent turns the request down here: {said(facts, step, found.group())} It never tries "
                f"{tool}.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.6,
                quotes=(quoted(facts, step, found.group()),),
                holds=lambda case: all(call.name != tool or call.failed for call in case.calls),
                explains=(label,),
                texts=(tool,),
                tool=tool,
            )
            return


def speaks_of(facts: TraceFacts, tool: str, stems: frozenset[str]) -> bool:
    """Tell whether words are about what a tool does: they have the part of its name that other tools do not share."""
    spread: dict[str, int] = {}
    for name in facts.tools | {tool}:
        for word in texts.content(" ".join(calls.words_of_name(name)), facts.cues):
            spread[word] = spread.get(word, 0) + 1
    own = texts.content(" ".join(calls.words_of_name(tool)), facts.cues)
    total = sum(1 / spread[word] for word in own)
    return bool(own) and sum(1 / spread[word] for word in own & stems) >= _SHARE_OF_A_NAME * total


def is_handover(facts: TraceFacts, call: Call) -> bool:
    """Tell whether a call passes the conversation to a person, and not to another agent that goes on."""
    name = " ".join(calls.words_of_name(call.name))
    described = facts.descriptions.get(call.name, "")[:160]
    passes_on = facts.cues.find("handover", f"{name} {described}")
    to_person = facts.cues.find("person", f"{name} {described}")
    after = facts.steps[call.step.number :]
    goes_on = any(facts.is_agent(step) and step.speaker != call.step.speaker for step in after)
    return bool(passes_on and to_person) and not goes_on


def _handed_over(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    for call in facts.calls:
        if call.name != tool and is_handover(facts, call):
            yield Found(
                rule="handed_over",
                step=call.step,
                what=f"The agent hands the conversation over to a person here ({shown_call(call)}); it never calls "
                f"{tool}.",
                failure_type=FailureType.ORCHESTRATION_ISSUE,
                points=0.65,
                quotes=(quoted(facts, call.step, call.name),),
                holds=lambda case: all(each.name != tool or each.failed for each in case.calls),
                explains=(label,),
                texts=(tool,),
                tool=call.name,
            )
            return


def _agreed_and_not_done(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    """Yield the answer after the user's yes to what the agent proposed, where a call should have come."""
    for step in reversed(facts.answers):
        request = facts.request(step)
        asked = next((s for s in facts.before(request) if facts.is_agent(s)), None) if request is not None else None
        if asked is None or request is None or step.calls or any(facts.is_source(s) for s in facts.turn(step)):
            continue
        proposes = asks(facts, asked) and not facts.cues.find("refused", asked.text)
        if proposes and facts.cues.find("agreed", request.text) and not facts.cues.find("refused", step.text):
            yield Found(
                rule="agreed_and_not_done",
                step=step,
                what=f"The user agrees to what the agent proposed ({said(facts, asked, '?')}); the agent answers "
                f"{said(facts, step)} without any call. {tool} is never called.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.6,
                quotes=(quoted(facts, asked, "?"), quoted(facts, step, "")),
                holds=lambda case: all(each.name != tool or each.failed for each in case.calls),
                explains=(label,),
                texts=(tool,),
                tool=tool,
            )
            return


def asks(facts: TraceFacts, step: Step) -> bool:
    """Tell whether an agent asks for something, such as the user's consent."""
    return any(mark in step.text for mark in "?\uff1f") or bool(facts.cues.find("wants_confirmation", step.text))


def is_confirmed(facts: TraceFacts, call: Call) -> bool:
    """Tell whether the last words of the user answer a question in which the agent named the change."""
    request = facts.request(call.step)
    if request is None:
        return True
    asked = next((step for step in facts.before(request) if facts.is_agent(step) and step.text.strip()), None)
    if asked is None or not asks(facts, asked):
        return False
    agrees = facts.cues.find("agreed", request.text) or facts.cues.find("orders", request.text)
    return bool(agrees) or (_names_it(facts, asked, call) and not facts.cues.find("corrects", request.text))


def _names_it(facts: TraceFacts, asked: Step, call: Call) -> bool:
    """Tell whether what the agent asked has an id that the call is made with."""
    held = (*facts.values[asked.number - 1], *values.find(asked.text, facts.cues))
    return bool({value.key for value in held} & set(map(values.identifier_key, call.leaves())))


def _never_asked(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    """Yield the change that the user did ask for, where no one ever speaks of what the missing call does."""
    spoken = [step for step in facts.steps if facts.is_person(step) or facts.is_agent(step)]
    if not facts.has_cues or any(speaks_of(facts, tool, _spoken_stems(facts, step)) for step in spoken):
        return
    if any(speaks_of(facts, tool, rule.stems) for rule in facts.prompt_rules if facts.cues.find("modals", rule.text)):
        return
    for call in facts.calls:
        if call.changed and call.name != tool and facts.request(call.step) is not None:
            yield Found(
                rule="contradicted_expectation",
                step=call.step,
                what=f"Check the expectation: it demands a call of {tool}, which no message asks for; the user asked "
                "for, and "
                f"got, {shown_call(call)} (step {call.step.number}).",
                failure_type=FailureType.CONTEXT_ISSUE,
                points=0.7,
                quotes=(quoted(facts, call.step, call.name),),
                explains=(label,),
                texts=(tool,),
                tool=call.name,
            )
            return


def _spoken_stems(facts: TraceFacts, step: Step) -> frozenset[str]:
    return texts.content(facts.fresh[step.number - 1][:4_000], facts.cues)


def _claimed(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    """Yield the answer that says that the missing call's work is done."""
    for step in facts.answers:
        sentence = claim_in(facts, step)
        if sentence and speaks_of(facts, tool, texts.content(sentence, facts.cues)):
            yield Found(
                rule="claimed_without_call",
                step=step,
                what=f"The agent says that it is done: “{texts.shown(sentence, 160)}” There is no call of {tool}.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.85,
                quotes=(Quoted(step, sentence),),
                holds=lambda case: all(each.name != tool or each.failed for each in case.calls),
                explains=(label,),
                texts=(tool,),
                tool=tool,
            )
            return


def claim_in(facts: TraceFacts, step: Step) -> str:
    """Return the sentence of an answer that claims a change, ``""`` where there is none."""
    if step.calls or not facts.cues.find("done", step.text):
        return ""
    for sentence in texts.sentences(step.text[:4_000], facts.cues):
        done = facts.cues.find("done", sentence)
        if done and facts.cues.find("claimed", sentence[: done.end()]) and not _is_open(facts, sentence):
            return texts.quote(sentence, 0, facts.cues)
    return ""


def _is_open(facts: TraceFacts, sentence: str) -> bool:
    return bool(
        facts.cues.find("denied", sentence)
        or sentence.rstrip().endswith("?")
        or facts.cues.find("conditional", sentence)
    )
