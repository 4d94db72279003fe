"""From each failed check back to the step where what it objects to entered, or what it misses was lost.

A forbidden text leads to the first step that has it, and to the call that brought it; a missing one to where
it was known and left out, or to what stands in its place; a wrong argument to the step that had the value first; an
unwanted call to the person who asked for it or to the agent that made it; a missing call to the step that refused,
failed or closed the way; an error to the first run that failed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from pytest_refinery.analysis.schemas import FailureType
from pytest_refinery.analysts.rules import doubts, objections, provenance
from pytest_refinery.analysts.rules.facts import results, texts, values
from pytest_refinery.analysts.rules.findings import Found, quoted, said, shown_call
from pytest_refinery.analysts.rules.rules import led_teams
from pytest_refinery.expectations.output_check import folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_refinery.analysts.rules.facts.calls import Call
    from pytest_refinery.analysts.rules.facts.records import Record
    from pytest_refinery.analysts.rules.facts.trace_facts import TraceFacts
    from pytest_refinery.analysts.rules.facts.values import Value
    from pytest_refinery.analysts.rules.objections import Objection
    from pytest_refinery.traces.conversation import Step

_MOST_COMPETING = 3
_SHORTEST_WORDS = 2
_SHORTEST_TELLING = 3
_ON_TOPIC = 3
_SMALL = 31


def trace_back(facts: TraceFacts, failed: Sequence[Objection]) -> Iterator[Found]:
    """Yield what lies on the way back from each failed check."""
    for objection in failed:
        yield from _unwanted_words(facts, objection)
        yield from _missing_words(facts, objection)
        yield from _wrong_arguments(facts, objection)
        yield from _unwanted_calls(facts, objection)
        yield from _missing_call(facts, objection)
        yield from _wrong_order(facts, objection)
        yield from _errors(facts, objection)


# Words that should not be there


def _unwanted_words(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    for words in objection.unwanted:
        answer = objection.answer
        first = _first_with(facts, words)
        if first is None or answer is None:
            continue
        if facts.is_agent(first) and first.text.strip() and folded(words) not in folded(facts.given):
            yield _said_first(facts, objection, first, words)
        elif facts.is_source(first):
            yield from _passed_on(facts, objection, first, words)
        else:
            yield _repeated(facts, objection, words)


def _first_with(facts: TraceFacts, words: str) -> Step | None:
    """Return the first step that has words, after the task of a team; a figure alone however it is written."""
    after = 1 if facts.parties.is_team else 0
    (value, *others) = values.find(words, facts.cues) or (None,)
    if value is None or others or value.kind != values.FIGURE or value.text.strip() != words.strip("$€£ "):
        return facts.first_with(words, after=after)
    if value.number <= _SMALL:
        return facts.answers[-1] if facts.parties.is_team else facts.first_with(words)
    numbers = [number for number in facts.holding(value) if number > after]
    return facts.steps[numbers[0] - 1] if numbers else facts.first_with(words, after=after)


def _said_first(facts: TraceFacts, objection: Objection, step: Step, words: str) -> Found:
    later = (
        f" The answer in step {objection.answer.run_number} repeats it." if objection.answer not in {step, None} else ""
    )
    return Found(
        rule="said_first",
        step=step,
        what=f"The agent itself brings up “{texts.shown(words, 80)}” here: {said(facts, step, words)} No message, tool "
        f"result or prompt has it before.{later}",
        failure_type=FailureType.MODEL_LIMITATION,
        points=_points_of_words(facts, step),
        quotes=(quoted(facts, step, words),),
        holds=partial(_nobody_had, words=words, step=step),
        explains=(objection.label,),
        texts=(words,),
    )


def _points_of_words(facts: TraceFacts, step: Step) -> float:
    """Return how much it says that words stand here first: little where a leader sums up, or after a failure."""
    if step.speaker in facts.parties.leaders:
        return 0.15
    return 0.35 if _reports_a_failure(facts, step) else 0.55


def _reports_a_failure(facts: TraceFacts, step: Step) -> bool:
    """Tell whether an answer comes right after a call that failed: what it says may be true."""
    before = next(facts.before(step), None)
    return before is not None and before in facts.failures


def _nobody_had(facts: TraceFacts, *, words: str, step: Step) -> bool:
    wanted = folded(words)
    earlier = (folded(other.text) for other in facts.steps[: step.number - 1])
    return wanted not in folded(facts.given) and not any(wanted in text for text in earlier)


def _passed_on(facts: TraceFacts, objection: Objection, source: Step, words: str) -> Iterator[Found]:
    """Lead words that a result brought to the call that asked for it, and to the answer that gives them."""
    call = facts.call_answered_by.get(source.number)
    teller = next((step for step in facts.answers if step.number > source.number and _has(step, words)), None)
    is_asked_for = call is not None and provenance.is_asked_for(facts, call)
    if call is not None and is_asked_for:
        yield Found(
            rule="brought_by_call",
            step=call.step,
            what=f"“{texts.shown(words, 80)}” comes from the call made here: {shown_call(call)} returned it, and the "
            "answer "
            f"passes it on.",
            failure_type=FailureType.PROMPT_ISSUE,
            points=0.5,
            quotes=(quoted(facts, source, words),),
            holds=lambda case: _stands_in(case, source, words) and folded(words) not in folded(case.given),
            explains=(objection.label,),
            texts=(words,),
            tool=call.name,
        )
    if teller is not None:
        yield Found(
            rule="passed_on",
            step=teller,
            what=f"The agent gives “{texts.shown(words, 80)}” here: {said(facts, teller, words)} It took this from "
            f"{_origin(facts, source)} (step {source.run_number}).",
            failure_type=FailureType.MODEL_LIMITATION,
            points=0.3 if is_asked_for else 0.5,
            quotes=(quoted(facts, teller, words), quoted(facts, source, words)),
            holds=lambda case: _stands_in(case, source, words),
            explains=(objection.label,),
            texts=(words,),
        )


def _stands_in(facts: TraceFacts, step: Step, words: str) -> bool:
    """Tell whether a step has words as they are, or their value however it is written."""
    wanted = {key for value in values.find(words, facts.cues) for key in value.keys}
    held = {key for value in facts.values[step.number - 1] for key in value.keys}
    return folded(words) in folded(step.text) or bool(wanted & held)


def _origin(facts: TraceFacts, source: Step) -> str:
    call = facts.call_answered_by.get(source.number)
    return f"the result of {shown_call(call)}" if call is not None else f"what {source.speaker} returned"


def _repeated(facts: TraceFacts, objection: Objection, words: str) -> Found:
    answer = objection.answer
    assert answer is not None  # noqa: S101  (its caller has tested it)
    by = "the prompt" if folded(words) in folded(facts.given) else "the user"
    return Found(
        rule="repeats_given_words",
        step=answer,
        what=f"The answer says “{texts.shown(words, 80)}”, which {by} had said before: {said(facts, answer, words)}",
        failure_type=FailureType.PROMPT_ISSUE,
        points=0.2,
        quotes=(quoted(facts, answer, words),),
        explains=(objection.label,),
        texts=(words,),
        holds=partial(_was_given, words=words, answer=answer),
    )


def _was_given(facts: TraceFacts, *, words: str, answer: Step) -> bool:
    """Tell whether the prompt has words, or a person has said them before an answer repeats them."""
    people = (step for step in facts.people_steps if step.number < answer.number)
    is_given = folded(words) in folded(facts.given) or any(_has(step, words) for step in people)
    return is_given and _has(answer, words)


def _has(step: Step, words: str) -> bool:
    return folded(words) in folded(step.text)


# Words that are missing


def _missing_words(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    answer = objection.answer
    if not objection.missing or answer is None:
        return
    contradicting = next(doubts.of_missing_words(facts, objection.missing, objection.label), None)
    if contradicting is not None:
        yield contradicting
        return
    yield from _off_topic(facts, objection, answer)
    yield from _same_field(facts, objection)
    yield from _same_noun(facts, objection)
    if facts.parties.is_team:
        yield from _lost_in_a_team(facts, objection, answer)
        return
    for source in _holders(facts, objection.missing, answer):
        step = _answer_about_it(facts, source, answer)
        if step is not None and not _has(step, objection.missing):
            yield _left_out(facts, objection, source, step)
            break
    yield from _competing(facts, objection, answer)


def _lost_in_a_team(facts: TraceFacts, objection: Objection, answer: Step) -> Iterator[Found]:
    """Yield the step that goes on without the right answer, where somebody had it; else the first report without it."""
    words = objection.missing
    if len(words) < _SHORTEST_TELLING or (len(words) <= _SHORTEST_TELLING and words.isdecimal()):
        return
    held = facts.first_with(words, after=1)
    if held is None:
        yield from _never_found(facts, objection)
        return
    step = next((each for each in facts.agent_steps if each.number > held.number), None)
    if step is not None and held.number < answer.number:
        yield Found(
            rule="lost_answer",
            step=step,
            what=f"“{texts.shown(words, 80)}” was there in step {held.run_number} ({said(facts, held, words)}); "
            f"{step.speaker} goes "
            f"on without it: {said(facts, step)}",
            failure_type=FailureType.ORCHESTRATION_ISSUE,
            points=0.45,
            quotes=(quoted(facts, held, words), quoted(facts, step, "")),
            explains=(objection.label,),
            texts=(words,),
            holds=lambda case: case.first_with(words, after=1) is held and not _has(step, words),
        )


def _never_found(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    """Yield the first report of a worker about the question: what was to be found stands in none."""
    topic = texts.content(facts.case.expect, facts.cues)
    for order, report in led_teams.orders(facts):
        if len(facts.stems(order) & topic) >= _ON_TOPIC:
            yield Found(
                rule="first_report_without_it",
                step=report,
                what=f"{report.speaker} was to find it ({said(facts, order)}) and reports {said(facts, report)}. "
                f"“{texts.shown(objection.missing, 60)}” stands neither here nor in any later report.",
                failure_type=FailureType.RETRIEVAL_ISSUE,
                points=0.3,
                quotes=(quoted(facts, order, ""), quoted(facts, report, "")),
                holds=lambda case: case.first_with(objection.missing, after=1) is None,
                explains=(objection.label,),
            )
            return


def _same_field(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    """Yield the first answer that gives what the missing value's field says in another record."""
    wanted = folded(objection.missing)
    fields = {
        path.rpartition(".")[2]
        for r in facts.records.all
        for path, value in r.fields.items()
        if folded(values.as_text(value)) == wanted
    }
    others = {
        folded(values.as_text(value)): record
        for record in facts.records.all
        for path, value in record.fields.items()
        if fields
        and path.rpartition(".")[2] in fields
        and isinstance(value, str | int | float)
        and len(str(value)) > _SHORTEST_WORDS
    }
    for step in facts.answers if others else ():
        told = {folded(value.text) for value in values.find(facts.fresh[step.number - 1], facts.cues)} & set(others)
        told.discard(wanted)
        if told and wanted not in facts.folded[step.number - 1]:
            yield _other_record(facts, objection, step, min(told), others[min(told)])
            return


def _off_topic(facts: TraceFacts, objection: Objection, answer: Step) -> Iterator[Found]:
    """Yield the look-up whose result says nothing of what both the user and the expectation speak of."""
    if facts.parties.is_team or _holders(facts, objection.missing, answer):
        return
    topic = texts.content(facts.case.expect, facts.cues) - texts.content(objection.missing, facts.cues)
    asked = max(facts.people_steps, key=lambda each: (len(facts.stems(each) & topic), each.number), default=None)
    step = next((each for each in facts.answers if facts.request(each) is asked and not each.calls), None)
    words = _unmet(facts, asked, objection.missing) if asked is not None else frozenset()
    call = _looked_up(facts, asked, step) if asked is not None and step is not None and words else None
    if call is not None and asked is not None:
        unmet = [w for w in texts.words(asked.text) if texts.stem(w.lower()) in words]
        word = max(unmet, key=lambda each: (each[0].isupper(), len(each)), default="")
        yield _answered_off_topic(facts, objection, call, asked, word)


def _looked_up(facts: TraceFacts, request: Step, step: Step) -> Call | None:
    """Return the first look-up between a request and an answer that has words of its result."""
    made = (call for call in facts.calls if request.number < call.step.number < step.number and call.result)
    looked = (call for call in made if not call.effect.is_change and not call.failed)
    return next((c for c in looked if c.result and facts.stems(c.result) & texts.content(step.text, facts.cues)), None)


def _answered_off_topic(facts: TraceFacts, objection: Objection, call: Call, request: Step, word: str) -> Found:
    assert call.result is not None  # noqa: S101  (it was looked up)
    searched = "" if word.casefold() in folded(" ".join(call.leaves())) else " without it"
    return Found(
        rule="answered_from_wrong_source",
        step=call.step,
        what=f"The user asks about “{word}”; the agent calls {call.name} here{searched}, and answers from a result "
        f"that has nothing about it: {said(facts, call.result)}",
        failure_type=FailureType.RETRIEVAL_ISSUE,
        points=0.9,
        quotes=(quoted(facts, request, word), quoted(facts, call.result, "")),
        holds=lambda case: bool(word) and not any(case.is_source(s) and _has(s, word) for s in case.steps),
        explains=(objection.label,),
        texts=(objection.missing,),
        tool=call.name,
    )


def _unmet(facts: TraceFacts, request: Step, missing: str) -> frozenset[str]:
    """Return the words that the user and the expectation share, which no source has."""
    shared = facts.stems(request) & texts.content(facts.case.expect, facts.cues) - texts.content(missing, facts.cues)
    found = (facts.stems(step) for step in facts.steps if facts.is_source(step))
    return shared - frozenset().union(*found)


def _same_noun(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    """Yield the first answer that gives another figure for the same thing: 4 of them, not 3."""
    found = _COUNTED.fullmatch(objection.missing.strip())
    if found is None:
        return
    told = re.compile(rf"(?<![\w.,])(\d[\d.,]*)\s{re.escape(found['noun'])}(?!\w)", re.IGNORECASE)
    for step in facts.answers:
        other = told.search(facts.fresh[step.number - 1])
        if other is not None and other[1] != found["count"]:
            yield Found(
                rule="other_count",
                step=step,
                what=f"The agent says “{other.group()}” here, not {objection.missing}: "
                f"{said(facts, step, other.group())}",
                failure_type=FailureType.MODEL_LIMITATION,
                points=0.7,
                quotes=(quoted(facts, step, other.group()),),
                explains=(objection.label,),
                texts=(other.group(), objection.missing),
                holds=lambda _, step=step, other=other: _has(step, other.group()) and not _has(step, objection.missing),  # type: ignore[misc]
            )
            return


_COUNTED = re.compile(r"(?P<count>\d[\d.,]*)\s(?P<noun>[^\W\d_][\w -]{1,40})")


def _other_record(facts: TraceFacts, objection: Objection, step: Step, told: str, record: Record) -> Found:
    return Found(
        rule="value_of_another_record",
        step=step,
        what=f"The agent gives {told} here ({said(facts, step, told)}), which stands in "
        f"{_origin(facts, record.step)} (step "
        f"{record.step.run_number}); {objection.missing} stands in the same field of another record.",
        failure_type=FailureType.MODEL_LIMITATION,
        points=0.75,
        quotes=(quoted(facts, step, told), quoted(facts, record.step, told)),
        explains=(objection.label,),
        texts=(told, objection.missing),
        holds=lambda case: (
            _stands_in(case, record.step, told) and _stands_in(case, step, told) and not _has(step, objection.missing)
        ),
    )


def _holders(facts: TraceFacts, words: str, answer: Step) -> list[Step]:
    """Return the steps of sources before the answer that have the missing words."""
    wanted = folded(words)
    return [
        step
        for step in facts.steps[: answer.number - 1]
        if facts.is_source(step) and (wanted in folded(step.text) or _holds_value(facts, words, step))
    ]


def _answer_about_it(facts: TraceFacts, source: Step, answer: Step) -> Step | None:
    """Return the first answer of a source's turn that speaks of the expected, else the last one if it follows."""
    topic = texts.content(facts.case.expect, facts.cues)
    following = [step for step in facts.answers if source.number < step.number <= answer.number]
    for step in following:
        same_turn = any(source is each for each in facts.turn(step))
        if same_turn and facts.stems(step) & topic and not step.calls:
            return step
    return answer if answer in following[:1] else None


def _holds_value(facts: TraceFacts, words: str, step: Step) -> bool:
    """Tell whether a step has the one value that ``words`` are."""
    wanted = [value for value in values.find(words, facts.cues) if value.kind != values.TIME]
    if len(wanted) != 1 or len(words) > len(wanted[0].text) + 12:
        return False
    held = {key for value in facts.values[step.number - 1] for key in value.keys}
    return bool(held & set(wanted[0].keys)) and len(wanted[0].key) >= _SHORTEST_WORDS


def _points_of_an_omission(facts: TraceFacts, step: Step) -> float:
    """Return how much an omission says: little where other words are objected to that stand elsewhere."""
    unwanted = [words for each in objections.of(facts) for words in each.unwanted]
    return 0.3 if unwanted and not any(_has(step, words) for words in unwanted) else 0.6


def _left_out(facts: TraceFacts, objection: Objection, source: Step, step: Step) -> Found:
    near = next((word for word in objection.missing.split() if word.casefold() in step.text.casefold()), "")
    return Found(
        rule="left_out",
        step=step,
        what=f"“{texts.shown(objection.missing, 80)}” was known from {_origin(facts, source)} (step "
        f"{source.run_number}: {said(facts, source, objection.missing)}); "
        f"the agent leaves it out and says {said(facts, step, near)}",
        failure_type=FailureType.MODEL_LIMITATION,
        points=_points_of_an_omission(facts, step),
        quotes=(quoted(facts, source, objection.missing), quoted(facts, step, near)),
        holds=lambda _: folded(objection.missing) not in folded(step.text),
        explains=(objection.label,),
        texts=(objection.missing,),
    )


def _competing(facts: TraceFacts, objection: Objection, answer: Step) -> Iterator[Found]:
    """Trace the values that the answer gives in place of the missing one."""
    wanted = values.find(objection.missing, facts.cues)
    kinds = {value.kind for value in wanted}
    keys = {key for value in wanted for key in value.keys}
    instead = [v for v in values.find(answer.text, facts.cues) if v.kind in kinds and not keys & set(v.keys)]
    for value in list(dict.fromkeys(instead))[:_MOST_COMPETING]:
        yield from _instead(facts, objection, answer, value)


def _instead(facts: TraceFacts, objection: Objection, answer: Step, value: Value) -> Iterator[Found]:
    first = 1 if facts.parties.is_team else 0
    holders = [facts.steps[n - 1] for n in facts.holding(value, before=answer.number + 1) if n > first]
    sources = [step for step in holders if facts.is_source(step)]
    if any(facts.is_person(step) for step in holders):
        return
    if sources and sources[0].number in facts.call_answered_by:
        yield _from_source(facts, objection, answer, value, sources[0])
    elif holders and not sources and facts.holders.get((value.kind, value.key), (1,))[0] != 0:
        yield from _from_nobody(facts, objection, holders[0], value)


def _from_source(facts: TraceFacts, objection: Objection, answer: Step, value: Value, source: Step) -> Found:
    call = facts.call_answered_by[source.number]
    return Found(
        rule="answered_from_wrong_source",
        step=call.step,
        what=f"The answer gives {value.text}, which comes from {shown_call(call)} called here; that result says "
        "nothing of "
        f"“{texts.shown(objection.missing, 60)}”.",
        failure_type=FailureType.RETRIEVAL_ISSUE,
        points=0.4,
        quotes=(quoted(facts, source, value.text), quoted(facts, answer, value.text)),
        holds=lambda _: folded(objection.missing) not in folded(source.text),
        explains=(objection.label,),
        texts=(value.text,),
        tool=call.name,
    )


def _from_nobody(facts: TraceFacts, objection: Objection, step: Step, value: Value) -> Iterator[Found]:
    if facts.is_agent(step) and not (value.kind == values.FIGURE and facts.is_derived(value, before=step.number)):
        yield Found(
            rule="said_instead",
            step=step,
            what=f"The answer gives {value.text}; the agent says it here first ({said(facts, step, value.text)}), "
            "and no tool "
            f"result, message or prompt has it before.",
            failure_type=FailureType.MODEL_LIMITATION,
            points=0.5,
            quotes=(quoted(facts, step, value.text),),
            holds=partial(provenance.has_no_source, value=value, step=step),
            explains=(objection.label,),
            texts=(value.text,),
        )


# Calls with other arguments than demanded


def _wrong_arguments(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    if not objection.demanded or not objection.calls:
        return
    call = min(objection.calls, key=lambda each: _distance(facts, objection, each))
    for path, wanted, actual in objections.differences(objection.demanded, call.arguments):
        yield _wrong_argument(facts, objection, call, path, wanted, actual)


def _distance(facts: TraceFacts, objection: Objection, call: Call) -> tuple[int, int, bool, int]:
    """Order calls by how far they are from the demanded one.

    A call for another entity is farther than one with another word; one that a person asked for as it is comes last.
    """
    differing = list(objections.differences(objection.demanded, call.arguments))
    request = facts.request(call.step)
    spoken = folded(request.text) if request is not None else ""
    asked = all(folded(values.as_text(actual)) in spoken for _, _, actual in differing if actual is not None)
    others = sum(values.find(values.as_text(wanted), facts.cues)[:1] != [] for _, wanted, _ in differing)
    return len(differing), others, asked, -call.step.number


def _wrong_argument(
    facts: TraceFacts, objection: Objection, call: Call, path: str, wanted: object, actual: object
) -> Found:
    origin = provenance.of_argument(facts, call, path, wanted, actual)
    return Found(
        rule=origin.rule,
        step=origin.step,
        what=origin.what,
        failure_type=origin.failure_type,
        points=origin.points,
        quotes=origin.quotes,
        holds=origin.holds or partial(_differs, call=call, path=path, wanted=wanted),
        explains=(objection.label,),
        texts=tuple(values.as_text(each) for each in (wanted, actual) if each is not None),
        tool=call.name,
    )


def _differs(facts: TraceFacts, *, call: Call, path: str, wanted: object) -> bool:
    """Tell whether the call is there and has not the demanded argument."""
    found: object = call.arguments
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return call in facts.calls and folded(values.as_text(found)) != folded(values.as_text(wanted))


# Calls that should not have been made


def _unwanted_calls(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    if objection.check not in {"tools.not_called", "tools.at_most"} or not objection.calls:
        return
    names = {call.name for call in objection.calls}
    failed = [call for call in facts.calls if call.name in names and call.failed and call.result is not None]
    if objection.check == "tools.at_most" and failed:
        yield provenance.of_failure(facts, failed[0], objection.label, points=0.7)
        return
    # Of calls above a limit the check objects to those beyond it: the first of them is one too many.
    call = objection.calls[0]
    agreed = call.effect.is_change and provenance.is_confirmed(facts, call)
    request = provenance.order_for(facts, call) if agreed else None
    if request is not None:
        yield _asked_by_a_person(facts, objection, call, request)
    why = _why_not(facts, objection, call)
    yield Found(
        rule="unwanted_call",
        step=call.step,
        what=f"The agent calls {shown_call(call)} here{why}",
        failure_type=FailureType.PROMPT_ISSUE,
        points=0.6 if request is None else 0.45,
        quotes=_call_quotes(facts, call),
        explains=(objection.label,),
        texts=tuple(call.leaves()),
        tool=call.name,
        holds=lambda case: call in case.calls and _why_not(case, objection, call) == why,
    )


def _call_quotes(facts: TraceFacts, call: Call) -> tuple[quoted, ...]:  # type: ignore[valid-type]
    result = call.result
    return (
        (quoted(facts, result, ""),)
        if result is not None and result.text.strip()
        else (quoted(facts, call.step, call.name),)
    )


def _why_not(facts: TraceFacts, objection: Objection, call: Call) -> str:
    if objection.check == "tools.at_most":
        limit = int(objection.failure.limit or 0)
        return f", call number {limit + 1} where {limit} may be made."
    rule = provenance.prompt_sentence(facts, call)
    return f"; the prompt says: “{texts.shown(rule, 140)}”" if rule else "; nothing in the prompt speaks against it."


def _asked_by_a_person(facts: TraceFacts, objection: Objection, call: Call, request: Step) -> Found:
    return Found(
        rule="followed_request",
        step=request,
        what=f"The user asks for it here: {said(facts, request)} The agent follows with {shown_call(call)} in step "
        f"{call.step.run_number}.",
        failure_type=FailureType.CONTEXT_ISSUE,
        points=0.55,
        quotes=(quoted(facts, request, ""),),
        explains=(objection.label,),
        texts=tuple(call.leaves()),
        tool=call.name,
        holds=lambda case: case.is_person(request) and request.number < call.step.number and call in case.calls,
    )


# Calls that were not made, or not in the order


def _missing_call(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    is_missing = objection.check == "tools.called" or (objection.demanded and not objection.calls)
    if is_missing:
        yield from provenance.of_missing_call(facts, objection.tool, objection.label, objection.demanded)


def _wrong_order(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    made = [call for call in facts.calls if not call.failed]
    position = -1
    for name in objection.order:
        places = [place for place, call in enumerate(made) if call.name == name]
        later = next((place for place in places if place > position), None)
        if later is not None:
            position = later
        elif places:
            yield _too_early(facts, objection, made[places[-1]], made[position])
            return
        else:
            yield from provenance.of_missing_call(facts, name, objection.label, {})
            return


def _too_early(facts: TraceFacts, objection: Objection, call: Call, before: Call) -> Found:
    return Found(
        rule="wrong_order",
        step=call.step,
        what=f"The agent calls {shown_call(call)} here, before {shown_call(before)} in step {before.step.run_number}.",
        failure_type=FailureType.ORCHESTRATION_ISSUE,
        points=0.75,
        quotes=_call_quotes(facts, call),
        explains=(objection.label,),
        texts=tuple(call.leaves()),
        tool=call.name,
        holds=lambda _: call.step.number <= before.step.number,
    )


# Errors and limits


def _errors(facts: TraceFacts, objection: Objection) -> Iterator[Found]:
    if not objection.check.startswith("errors."):
        return
    step = next(iter(facts.failures), None)
    if step is None:
        return
    call = facts.call_answered_by.get(step.number)
    if call is not None:
        yield provenance.of_failure(facts, call, objection.label, points=0.6)
    else:
        yield Found(
            rule="failed_run",
            step=step,
            what=f"{step.speaker} fails here: “{texts.shown(results.message(step.text), 160)}”.",
            failure_type=FailureType.INFRASTRUCTURE,
            points=0.6,
            quotes=(quoted(facts, step, results.message(step.text)[:80]),),
            explains=(objection.label,),
            holds=lambda case: step in case.failures,
        )
