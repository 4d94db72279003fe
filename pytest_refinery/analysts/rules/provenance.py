"""Where a value came from, who asked for a call, and what contradicts an expectation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import doubts
from pytest_refinery.analysts.rules.facts import calls, results, texts, values
from pytest_refinery.analysts.rules.facts.records import is_id_key
from pytest_refinery.analysts.rules.findings import Found, Quoted, quoted, said, shown_call
from pytest_refinery.expectations.output_check import folded

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.records import Record
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.facts.values import Value
    from pytest_refinery.traces.conversation import Step

_SHORTEST_TELLING = 3
_LONGEST_LINE = 120
_FEWEST_WORDS_OF_A_WISH = 2
_MOST_RECORDS = 20
_LONGEST_STATUS = 40
_RECENT_REQUESTS = 5


@dataclass(frozen=True)
class Origin:
    """Where a wrong argument entered."""

    rule: str
    step: Step
    what: str
    failure_type: FailureType
    points: float
    quotes: tuple[Quoted, ...] = ()
    holds: Callable[[TraceFacts], bool] | None = None


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


# Arguments


def of_argument(facts: TraceFacts, call: Call, path: str, wanted: object, actual: object) -> Origin:
    """Return where the actual value of an argument entered in place of the wanted one."""
    if wanted is None or actual is None:
        return _incomplete(facts, call, path, wanted, actual)
    wish, other = values.as_text(wanted), values.as_text(actual)
    named = (_last_named(facts, call, wish, other), _agreed_to(facts, call, wish, other))
    asked = max(filter(None, named), key=lambda step: step.number, default=None) or _corrected(facts, call, wish, other)
    got = _last_named(facts, call, other, wish) or _named_after(facts, call, asked, wish, other)
    if asked is not None and (got is None or got.number < asked.number):
        return _ignored_person(facts, call, path, wish, other, asked)
    held = got or _holder(facts, other, call)
    if held is not None and _is_beyond_the_trace(facts, wish):
        return _beyond(facts, call, path, wish, other, held)
    if got is not None:
        return _from_person(facts, call, path, wish, other, got)
    if held is not None:
        return _from_record(facts, call, path, wish, other, held)
    return _from_prompt(facts, call, path, wish, other) or _from_nobody(facts, call, path, wish, other)


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
    if len(text) >= _SHORTEST_TELLING and folded(text) in folded(facts.given):
        place = folded(facts.given).find(folded(text))
        line = (
            next((line for line in facts.given.splitlines() if folded(text) in folded(line)), "") if place >= 0 else ""
        )
        return f" The prompt has {text}: “{texts.shown(line, 100)}”."
    step = _holder(facts, text, call)
    return f" {text} was known from step {step.run_number} ({step.speaker})." if step else ""


def _ignored_person(facts: TraceFacts, call: Call, path: str, wish: str, other: str, asked: Step) -> Origin:
    since = _first_of_the_wish(facts, call, wish, other, asked)
    step = _first_use(facts, other, wish, after=since.number, call=call)
    return Origin(
        "ignored_person",
        step,
        f"The user asked {said(facts, asked, wish)} (step {asked.run_number}); in step {call.step.run_number} the "
        f"agent calls {call.name} with {path}: {texts.shown(other, 60)}.{_known_from(facts, wish, call)}",
        FailureType.MODEL_LIMITATION,
        0.75,
        (quoted(facts, asked, wish),),
    )


def _first_of_the_wish(facts: TraceFacts, call: Call, wish: str, other: str, asked: Step) -> Step:
    """Return the message since which the user wants what is demanded, and nothing else."""
    wished = [folded(label) for label in labels_of(facts, wish, other, before=call.step.number)]
    unlike = [folded(label) for label in labels_of(facts, other, wish, before=call.step.number)]
    since = asked
    for step in reversed([each for each in facts.people_steps if each.number < asked.number]):
        if _names(facts, step, unlike):
            break
        since = step if _names(facts, step, wished) else since
    return since


def _from_person(facts: TraceFacts, call: Call, path: str, wish: str, other: str, got: Step) -> Origin:
    is_turn = got is not facts.people_steps[0]
    labels = labels_of(facts, wish, other, before=call.step.number)
    against = doubts.of_argument(facts, call, path, wish, other, got, labels)
    if against:
        return Origin(
            doubts.RULE,
            got if is_turn else call.step,
            f"Check the expectation: {against}",
            FailureType.CONTEXT_ISSUE,
            0.8,
            (quoted(facts, got, other),),
            lambda case: _last_named(case, call, other, wish) == got,
        )
    return Origin(
        "followed_request",
        got if is_turn else call.step,
        f"The user asks for it here: {said(facts, got, other)} The agent follows and calls {shown_call(call)} in step "
        f"{call.step.run_number}; {path}: {texts.shown(wish, 60)} was expected.",
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
        doubts.RULE,
        call.step,
        f"Check the expectation: it demands {path}: {texts.shown(wish, 60)}, which no message, result or prompt has; "
        f"{by} "
        f"{texts.shown(other, 60)} (step {held.run_number}), and the agent uses that.",
        FailureType.CONTEXT_ISSUE,
        0.8,
        (quoted(facts, held, other),),
    )


def _from_prompt(facts: TraceFacts, call: Call, path: str, wish: str, other: str) -> Origin | None:
    line = _line_of_prompt(facts, other)
    if not line:
        return None
    return Origin(
        "wrong_choice",
        call.step,
        f"The agent calls {shown_call(call)}; it takes {path}: {texts.shown(other, 60)} from the prompt: "
        f"“{texts.shown(line, 100)}”.{_known_from(facts, wish, call)}",
        FailureType.MODEL_LIMITATION,
        0.65,
        (quoted(facts, call.step, call.name),),
        lambda case: other in case.given,
    )


def _line_of_prompt(facts: TraceFacts, text: str) -> str:
    """Return the line of what the agent was given that has a value."""
    if len(text) < _SHORTEST_TELLING:
        return ""
    lines = (line.strip() for line in facts.given.splitlines())
    return next((line for line in lines if _named(folded(text), f" {folded(line)} ")), "")


def _from_nobody(facts: TraceFacts, call: Call, path: str, wish: str, other: str) -> Origin:
    step = _first_use(facts, other, wish, after=0, call=call)
    is_new = _is_nowhere(facts, call=call, text=other)
    claim = f"; no message, result or prompt before has {path}: {texts.shown(other, 60)}" if is_new else ""
    return Origin(
        "wrong_argument",
        step,
        f"The agent calls {shown_call(call)}{claim}.{_known_from(facts, wish, call)}",
        FailureType.MODEL_LIMITATION,
        0.75,
        (quoted(facts, call.step, call.name),),
        partial(_is_nowhere, call=call, text=other) if is_new else None,
    )


def _is_nowhere(facts: TraceFacts, *, call: Call, text: str) -> bool:
    """Tell whether no person, source or prompt has a value before a call, however it is written."""
    wanted = folded(text)
    keys = {key for value in values.find(text, facts.cues) for key in value.keys}
    spoken = [folded(facts.given), *(folded(facts.steps[n - 1].text) for n in range(1, call.step.number))]
    held = {key for n in range(1, call.step.number) for value in facts.values[n - 1] for key in value.keys}
    told = {key for value in values.find(facts.given, facts.cues) for key in value.keys}
    return bool(wanted) and not keys & (held | told) and not any(_named(wanted, f" {each} ") for each in spoken)


def _from_record(facts: TraceFacts, call: Call, path: str, wish: str, other: str, held: Step) -> Origin:
    step = _proposal(facts, other, wish, call=call)
    given = f"{held.speaker} (step {held.run_number})"
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
    found = (step for step in facts.steps[: call.step.number - 1] if facts.is_source(step))
    return next((step for step in found if _has_word(facts, step, text)), None)


def _has_word(facts: TraceFacts, step: Step, text: str) -> bool:
    """Tell whether a step has a value as a word of its own, a figure however it is written."""
    found = [value for value in values.find(text, facts.cues) if value.text.casefold() == text.casefold()]
    figures = [value for value in found if value.kind in {values.FIGURE, values.DATE, values.TIME}]
    if figures:
        held = {key for value in facts.values[step.number - 1] for key in value.keys}
        return bool(held & set(figures[0].keys))
    return _named(folded(text), f" {facts.folded[step.number - 1]} ")


def _stands_anywhere(facts: TraceFacts, text: str) -> bool:
    wanted = folded(text)
    return wanted in folded(facts.given) or any(wanted in held for held in facts.folded)


def _last_named(facts: TraceFacts, call: Call, text: str, other: str) -> Step | None:
    """Return the last message in which a person names a value, or what its record says and the other's does not."""
    labels = [folded(label) for label in labels_of(facts, text, other, before=call.step.number)]
    unlike = [folded(label) for label in labels_of(facts, other, text, before=call.step.number)]
    for step in reversed(facts.people_steps):
        if step.number < call.step.number and _names(facts, step, labels) and not _names(facts, step, unlike):
            return step
    return None


def _named_after(facts: TraceFacts, call: Call, asked: Step | None, wish: str, other: str) -> Step | None:
    """Return a later message that names what was done, beside what was wanted before: "9920, 4471 is my old PIN"."""
    unlike = [folded(label) for label in labels_of(facts, other, wish, before=call.step.number)]
    later = (s for s in facts.people_steps if asked is not None and asked.number < s.number < call.step.number)
    return next((step for step in later if _names(facts, step, unlike)), None)


def _names(facts: TraceFacts, step: Step, labels: Iterable[str]) -> bool:
    return any(_named(label, f" {folded(step.text)} ") or _has_figure(facts, step, label) for label in labels)


def _has_figure(facts: TraceFacts, step: Step, label: str) -> bool:
    return label[:1].isdigit() and label[-1:].isdigit() and _has_word(facts, step, label)


def _agreed_to(facts: TraceFacts, call: Call, wish: str, other: str) -> Step | None:
    """Return the user's yes to what the agent proposed, where that was what is demanded and not what was done."""
    request = facts.request(call.step)
    asked = next((step for step in facts.before(request) if facts.is_agent(step)), None) if request else None
    if request is None or asked is None or not facts.cues.find("agreed", request.text):
        return None
    wished = [folded(label) for label in labels_of(facts, wish, other, before=call.step.number)]
    unlike = [folded(label) for label in labels_of(facts, other, wish, before=call.step.number)]
    proposed = _names(facts, asked, wished) and not _names(facts, asked, unlike)
    return request if proposed and asks(facts, asked) and not _names(facts, request, unlike) else None


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
    own = [text] if len(text) >= _SHORTEST_TELLING or (text.isdigit() and len(text) > 1) else []
    words = " ".join(calls.words_of_name(text)) if any(c.isdigit() for c in text) and "_" in text else ""
    theirs = set(map(folded, _texts_of(facts, other, before)))
    only = [label for label in _texts_of(facts, text, before) if folded(label) not in theirs]
    return [*own, *(label for label in dict.fromkeys((words, *only)) if len(label) >= _SHORTEST_TELLING)]


def _texts_of(facts: TraceFacts, entity: str, before: int) -> list[str]:
    records = list(itertools.islice(facts.records.about(entity, before=before), _MOST_RECORDS))
    records = records or list(_entries_with(facts, entity, before))
    if not records:
        return texts.words(_line_of_prompt(facts, entity)[:_LONGEST_LINE])
    found = (value for r in records for key, value in r.fields.items() if not is_id_key(key.rpartition(".")[2]))
    return [value for value in found if isinstance(value, str) and _SHORTEST_TELLING <= len(value) <= _LONGEST_STATUS]


def _entries_with(facts: TraceFacts, entity: str, before: int) -> Iterator[Record]:
    """Yield the entry of a list that alone has a value in one of its fields, whatever the field is called."""
    known = [record for record in facts.records.all if record.step.number < before and not record.is_whole]
    for record in known:
        if entity in record.value.values():
            alike = [each for each in known if each.step is record.step and set(each.value) == set(record.value)]
            if len(alike) > 1 and sum(entity in each.value.values() for each in alike) == 1:
                yield record


# Requests


def order_for(facts: TraceFacts, call: Call) -> Step | None:
    """Return the later message in which a person turned to what a call does, ``None`` where none did."""
    given = {values.identifier_key(text) for text in call.leaves() if len(text) > _SHORTEST_TELLING}
    recent = [step for step in reversed(facts.people_steps) if step.number < call.step.number][:_RECENT_REQUESTS]
    for step in recent:
        named = {value.key for value in facts.values[step.number - 1]}
        if facts.speaks_of(call.name, facts.stems(step)) or named & given:
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
        holds=partial(_still_fails, call=call, times=len(again) + 1),
    )


def _still_fails(facts: TraceFacts, *, call: Call, times: int) -> bool:
    failed = [each for each in facts.calls if each.name == call.name and each.result in facts.failures]
    return call.result in facts.failures and (times == 1 or len(failed) >= times)


def of_missing_call(facts: TraceFacts, tool: str, label: str, demanded: Mapping[str, object]) -> Iterator[Found]:
    """Yield what kept the agent from a call that was expected: a failure, a closed way, a hand-over, a refusal."""
    tried = [call for call in facts.calls if call.name == tool and call.failed]
    if tried:
        yield of_failure(facts, tried[0], label, points=0.65)
    yield from _other_calls_for_it(facts, tool, label, demanded)
    yield from doubts.of_missing_call(facts, tool, label, demanded)
    claimed = list(_claimed(facts, tool, label))
    yield from claimed or _refusals(facts, tool, label)
    yield from () if claimed else _agreed_and_not_done(facts, tool, label)
    yield from () if claimed else _asked_and_not_done(facts, tool, label)
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
                points=0.6 if call.failed else 0.5 if wanted else 0.35,
                quotes=(quoted(facts, call.result, ""),),
                explains=(label,),
                texts=tuple(call.leaves()),
                tool=call.name,
                holds=lambda case, call=call: call in case.calls and call.name != tool,  # type: ignore[misc]
            )
            return


def _refusals(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    """Yield the last answer that turns down what the missing call would have done."""
    for step in reversed(facts.answers):
        found = facts.cues.find("refused", step.text) if not step.calls else None
        request = facts.request(step)
        about = facts.stems(step) | (facts.stems(request) if request else frozenset())
        if found is not None and facts.speaks_of(tool, about):
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
        if asked is None or request is None or step.calls or not _is_empty_turn(facts, tool, asked, step):
            continue
        takes_back = facts.cues.find("takes_back", request.text)
        proposes = asks(facts, asked) and not takes_back and not facts.cues.find("refused", asked.text)
        if proposes and facts.cues.find("agreed", request.text) and not facts.cues.find("refused", step.text):
            yield Found(
                rule="agreed_and_not_done",
                step=step,
                what=f"The user agrees to what the agent proposed ({said(facts, asked, '?')}); the agent answers "
                f"{said(facts, step)} and {tool} is never called.",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.6,
                quotes=(quoted(facts, asked, "?"), quoted(facts, step, "")),
                holds=lambda case: all(each.name != tool or each.failed for each in case.calls),
                explains=(label,),
                texts=(tool,),
                tool=tool,
            )
            return


def _is_empty_turn(facts: TraceFacts, tool: str, asked: Step, step: Step) -> bool:
    """Tell whether an answer ends a turn in which nothing was done; at most something about it was looked up."""
    request = facts.request(step)
    about = facts.stems(asked) | (facts.stems(request) if request is not None else frozenset())
    has_looked = any(facts.is_source(earlier) for earlier in facts.turn(step))
    is_open = asks(facts, step) and not facts.cues.find("done", step.text)
    has_only_looked = not has_looked or (_only_looked(facts, step) and facts.speaks_of(tool, about))
    return has_only_looked and not is_open


def _only_looked(facts: TraceFacts, step: Step) -> bool:
    """Tell whether no call of a turn can have changed anything."""
    turn = {earlier.number for earlier in facts.turn(step)}
    return all(
        call.effect is calls.Effect.READS and not call.failed for call in facts.calls if call.step.number in turn
    )


def _asked_and_not_done(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    """Yield the first answer to a request for what the missing call does, which neither does it nor speaks of it."""
    for step in facts.answers:
        request = facts.request(step)
        asked = request is not None and facts.speaks_of(tool, last_wish(facts, request))
        if asked and is_passed_over(facts, step, may_do_more=True):
            found = passed_over(facts, step, f" {tool} is never called.", points=0.65, may_do_more=True)
            yield replace(found, explains=(label,), texts=(tool,), tool=tool)
            return


def passed_over(facts: TraceFacts, step: Step, more: str, *, points: float, may_do_more: bool = False) -> Found:
    """Return what is to be said of an answer that passes over what the user asked for."""
    request = facts.request(step)
    assert request is not None  # noqa: S101  (nothing is passed over that was not asked for)
    return Found(
        rule="wish_passed_over",
        step=step,
        what=f"The user asks for it in step {request.run_number}: {said(facts, request)} The agent answers "
        f"{said(facts, step)} and neither does it nor speaks of it.{more}",
        failure_type=FailureType.MODEL_LIMITATION,
        points=points,
        quotes=(quoted(facts, request, ""), quoted(facts, step, "")),
        holds=partial(is_passed_over, step=step, may_do_more=may_do_more),
        texts=(request.text[:400],),
    )


def is_passed_over(facts: TraceFacts, step: Step, *, may_do_more: bool = False) -> bool:
    """Tell whether nothing after a request, neither words nor calls, is about what it asked for last.

    With ``may_do_more`` the agent may have made changes that were agreed on before.
    """
    request = facts.request(step)
    if request is None or step.calls:
        return False
    later = next((each for each in facts.people_steps if each.number > step.number), None)
    if asks(facts, step) and later is not None and facts.cues.find("agreed", later.text):
        return False
    wish = last_wish(facts, request)
    since = [call for call in facts.calls if request.number < call.step.number]
    if any(
        not (may_do_more and call.changed) or is_handover(facts, call)
        for call in since
        if call.step.number < step.number
    ):
        return False
    done = (f"{call.name} {' '.join(call.leaves())}" for call in since)
    told = (each.text[:4_000] for each in _turn_from(facts, step))
    spoken = texts.content(" ".join((*done, *told)).replace("_", " "), facts.cues)
    return bool(wish) and not texts.related(wish, spoken)


def last_wish(facts: TraceFacts, request: Step) -> frozenset[str]:
    """Return the words of the last sentence of a request that says what is wanted."""
    words = (texts.content(sentence, facts.cues) for sentence in reversed(texts.sentences(request.text, facts.cues)))
    return next((each for each in words if len(each) >= _FEWEST_WORDS_OF_A_WISH), frozenset())


def _turn_from(facts: TraceFacts, step: Step) -> Iterator[Step]:
    """Yield an answer and what follows it until a person speaks again."""
    for later in facts.steps[step.number - 1 :]:
        if facts.is_person(later):
            return
        yield later


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
    """Tell whether what the agent asked has what the call is made with, and not only the record that it is for."""
    given = [text for text in call.leaves() if len(text) >= _SHORTEST_TELLING]
    held = {value.key for value in (*facts.values[asked.number - 1], *values.find(asked.text, facts.cues))}
    named = [text for text in given if values.identifier_key(text) in held or folded(text) in folded(asked.text)]
    known = facts.records.entities
    return bool(named) and any(
        values.identifier_key(text) not in known or len(known & set(map(values.identifier_key, given))) == len(given)
        for text in named
    )


def _claimed(facts: TraceFacts, tool: str, label: str) -> Iterator[Found]:
    """Yield the answer that says that the missing call's work is done."""
    for step in facts.answers:
        sentence = claim_in(facts, step)
        if sentence and _is_claim_of(facts, tool, step, sentence):
            yield Found(
                rule="claimed_without_call",
                step=step,
                what=f"The agent says that it is done: “{texts.shown(sentence, 160)}” There is no call of {tool}."
                f"{only_quoted(facts, step)}",
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
        if done and _is_stated(facts, sentence, done) and not _is_open(facts, sentence):
            return texts.quote(sentence, 0, facts.cues)
    return ""


def _is_stated(facts: TraceFacts, sentence: str, done: re.Match[str]) -> bool:
    """Tell whether a sentence reports that something is done, and does not deny it."""
    claimed = facts.cues.find("claimed", sentence[: done.end()])
    adjacent = sentence[: done.start()].rstrip().rpartition(" ")[2].lower() in facts.cues["is_done"]
    start = claimed.start() if claimed else 0
    return bool(claimed or adjacent) and not facts.cues.find("negations", sentence[start:])


def _is_claim_of(facts: TraceFacts, tool: str, step: Step, sentence: str) -> bool:
    """Tell whether a claim is about what a tool does, in its own words or in those of the request."""
    own, request = texts.content(sentence, facts.cues), facts.request(step)
    asked = facts.stems(request) if request is not None else frozenset()
    acting = texts.content(" ".join(calls.words_of_name(tool)), facts.cues)
    is_short = bool(acting & own) and _only_looked(facts, step)
    return facts.speaks_of(tool, own) or (is_short and facts.speaks_of(tool, own | asked))


def only_quoted(facts: TraceFacts, step: Step) -> str:
    """Say which call before a claim only looked, quoted or prepared what is claimed."""
    turn = {earlier.number for earlier in facts.turn(step)}
    made = [call for call in facts.calls if call.step.number in turn and call.result is not None and not call.failed]
    if not made or made[-1].changed or made[-1].result is None:
        return ""
    return f" {shown_call(made[-1])} before it only returned {said(facts, made[-1].result)}"


def _is_open(facts: TraceFacts, sentence: str) -> bool:
    return bool(
        facts.cues.find("denied", sentence)
        or sentence.rstrip().endswith("?")
        or facts.cues.find("conditional", sentence)
    )
